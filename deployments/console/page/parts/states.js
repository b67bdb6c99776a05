// What stands where there is nothing yet: waiting, emptiness, an error with a way on.

import { fill, h } from "../core/dom.js";
import { hasText, t } from "../core/texts.js";
import { icon } from "./icons.js";

/** Return an error in words that a user understands. The service's own words are beside a heading of ours. */
export function wordsOf(error) {
  const code = error.code ?? "page_error";
  const title = hasText(`error.${code}`) ? t(`error.${code}`) : t("error.other");
  return { title, detail: error.status === 0 ? t("error.no_answer.detail") : error.message, requestId: error.requestId };
}

export function failure(error, retry) {
  const { title, detail, requestId } = wordsOf(error);
  return h(
    "div",
    { class: "state failure", role: "alert" },
    icon("alert"),
    h("h2", {}, title),
    detail && h("p", {}, detail),
    requestId && h("p", { class: "faint small" }, t("error.request", { id: requestId })),
    retry && h("button", { class: "button", type: "button", onclick: retry }, icon("refresh"), t("retry")),
  );
}

export function empty(name, title, text, ...actions) {
  return h("div", { class: "state" }, icon(name), h("h2", {}, title), text && h("p", {}, text), h("div", { class: "row centre" }, actions));
}

export function waiting(text = t("loading")) {
  return h("div", { class: "state waiting", role: "status" }, h("span", { class: "spinner" }), h("p", {}, text));
}

/** Fill `root` with what `work` returns; meanwhile it says so, and an error gets a retry. */
export async function whenThere(root, signal, work, wait = waiting()) {
  fill(root, wait);
  root.setAttribute("aria-busy", "true");
  try {
    const content = await work();
    if (!signal.aborted) fill(root, content);
  } catch (error) {
    if (signal.aborted) return;
    if (error.status === undefined) console.error(error); // ours: a test must see it
    fill(root, failure(error, () => whenThere(root, signal, work, wait)));
  } finally {
    root.removeAttribute("aria-busy");
  }
}
