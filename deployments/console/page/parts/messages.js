// Short messages at the edge, which a screen reader reads too, and go by themselves.

import { h } from "../core/dom.js";
import { t } from "../core/texts.js";
import { icon } from "./icons.js";
import { wordsOf } from "./states.js";

const SHOWN_MS = 6000;
let region = null;

export function messageRegion() {
  region = h("div", { class: "messages", role: "status", "aria-live": "polite" });
  return region;
}

/** Say that something was done. */
export function say(text) {
  show("check", "said", text);
}

/** Say that something could not be done, and why. It stays until it is closed. */
export function complain(error) {
  if (error.name === "AbortError") return;
  if (error.status === undefined) console.error(error);
  const { title, detail } = wordsOf(error);
  show("alert", "complaint", detail ? `${title} ${detail}` : title);
}

function show(name, kind, text) {
  const close = () => message.remove();
  const message = h(
    "div",
    { class: `message ${kind}` },
    icon(name),
    h("p", {}, text),
    h("button", { class: "icon-button", type: "button", "aria-label": t("close"), onclick: close }, icon("close")),
  );
  for (const former of region.querySelectorAll(".said")) former.remove();
  if (region.children.length > 2) region.firstChild.remove();
  region.append(message);
  if (kind === "said") setTimeout(close, SHOWN_MS);
}
