// Photos that were not taken, each with its reason in words.

import { h } from "../core/dom.js";
import { hasText, t } from "../core/texts.js";

/** Return a list of rejected photos: {filename, reason} and facts. */
export function rejections(rejected) {
  return h("ul", { class: "rejections" }, rejected.map((each) => h("li", {}, h("strong", {}, each.filename), h("span", {}, reason(each.reason)))));
}

/** Return the words of a stable code. A code newer than this page stands for itself. */
export function reason(code) {
  return hasText(`rejected.${code}`) ? t(`rejected.${code}`) : code.replaceAll("_", " ");
}
