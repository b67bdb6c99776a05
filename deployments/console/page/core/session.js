// The token of this tab. It is in sessionStorage and in the Authorization header, and nowhere else.

const KEPT = "faceserve.token";

/** Tells `change` when the token is another one, and `expired` when the service no longer takes it. */
export const session = new EventTarget();

/** Take the token from the address's fragment, which no browser sends, and remove it from there. */
export function takeTokenFromAddress() {
  const found = location.hash.match(/^#token=([A-Za-z0-9_.-]+)(?:&(.*))?$/);
  if (found === null) return;
  sessionStorage.setItem(KEPT, found[1]);
  history.replaceState(null, "", found[2] ? `#${found[2]}` : location.pathname);
}

export function token() {
  return sessionStorage.getItem(KEPT);
}

export function setToken(text) {
  sessionStorage.setItem(KEPT, text.trim());
  session.dispatchEvent(new Event("change"));
}

export function signOut() {
  sessionStorage.removeItem(KEPT);
  session.dispatchEvent(new Event("change"));
}

/** Return the claims in the token, null where it is no JSON Web Token. They are only a hint: the service decides. */
export function claims() {
  try {
    const body = token().split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0))));
  } catch {
    return null;
  }
}

/** Tell whether the token may have `scope`: what a token does not say, the service answers. */
export function may(scope) {
  const scopes = claims()?.scope;
  return typeof scopes !== "string" || scopes.split(" ").includes(scope);
}
