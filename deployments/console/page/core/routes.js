// Addresses. The fragment says the screen and what it is about, so that a reload loses nothing: #/person/staff/ada

/** Return the address of a screen. */
export function to(screen, ...words) {
  return `#/${[screen, ...words].map(encodeURIComponent).join("/")}`;
}

/** Return the screen's name and its words from the address, and what stands behind a question mark. */
export function here() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [screen = "", ...words] = path.split("/").map(decoded);
  return { screen, words, query: new URLSearchParams(query) };
}

/** Change what stands behind the question mark without a new screen: a search that a reload keeps. */
export function keepQuery(values) {
  const query = new URLSearchParams(Object.entries(values).filter(([, value]) => value));
  const address = location.hash.split("?")[0] + (query.size ? `?${query}` : "");
  history.replaceState(null, "", address);
}

function decoded(word) {
  try {
    return decodeURIComponent(word);
  } catch {
    return word;
  }
}
