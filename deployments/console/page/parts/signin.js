// Signing in: a token in a field. It is asked for again when it is no longer taken, over the page as it is.

import { call } from "../core/api.js";
import { h, newId } from "../core/dom.js";
import { forget } from "../core/collections.js";
import { setToken, signOut, token } from "../core/session.js";
import { t } from "../core/texts.js";
import { ask } from "./dialogs.js";

let open = false;

/** Ask for a token until the service takes one. `expired`: there was one before. */
export async function signIn({ expired = false } = {}) {
  if (open) return;
  open = true;
  const id = newId("token");
  await ask({
    title: expired ? t("signin.again") : t("signin.title"),
    closes: false,
    body: [
      h("p", {}, expired ? t("signin.expired") : t("signin.text")),
      h(
        "div",
        { class: "field" },
        h("label", { for: id }, t("signin.token")),
        h("textarea", { id, name: "token", rows: 4, required: true, spellcheck: "false", autocomplete: "off", autocapitalize: "off", class: "code", data: { first: "" } }),
        h("p", { class: "hint" }, t("signin.hint"), " ", h("code", {}, "faceserve token")),
      ),
    ],
    action: { label: t("signin.action"), run: tryToken },
  });
  open = false;
}

async function tryToken(form) {
  const former = token();
  const text = String(form.get("token")).trim().replace(/^Bearer\s+/i, "");
  sessionStorage.setItem("faceserve.token", text.replace(/[^\x21-\x7e]/g, ""));
  try {
    // any operation tells a token that is not valid (401) from one that may little (403)
    await call("GET", "/v1/collections", { query: { limit: 1 }, asks: false });
  } catch (error) {
    if (error.status !== 403) {
      if (former === null) signOut();
      else sessionStorage.setItem("faceserve.token", former);
      throw error;
    }
  }
  forget();
  setToken(text);
}
