// Dialogs: the browser's own <dialog>, which holds the focus and closes with Escape.

import { h, newId, put } from "../core/dom.js";
import { t } from "../core/texts.js";
import { icon } from "./icons.js";
import { failure } from "./states.js";
import { fill } from "../core/dom.js";

/**
 * Show a dialog and return what its action returned, undefined where it was closed.
 *
 * `body`: nodes. `action`: {label, run, danger}; `run` gets the form's data, may be async, and the dialog stays open with
 * the error when it fails. `ready`: called with the dialog, before it is shown. `big`: for lists.
 */
export function ask({ title, body, action, ready, big = false, closes = true }) {
  const heading = newId("dialog");
  const problem = h("div", {});
  const button = action && h("button", { class: `button ${action.danger ? "danger" : "primary"}`, type: "submit" }, action.label);
  let result;
  const close = () => dialog.close();
  const form = h(
    "form",
    {
      method: "dialog",
      async onsubmit(event) {
        event.preventDefault();
        if (!action || button.disabled) return;
        button.disabled = true;
        try {
          result = await action.run(new FormData(form));
          close();
        } catch (error) {
          if (error.status === undefined) console.error(error);
          fill(problem, failure(error));
        } finally {
          button.disabled = false;
        }
      },
    },
    h("header", { class: "dialog-head" }, h("h2", { id: heading }, title), closes && h("button", { class: "icon-button", type: "button", "aria-label": t("close"), onclick: close }, icon("close"))),
    h("div", { class: "dialog-body" }, body, problem),
    action && h("footer", { class: "dialog-foot" }, closes && h("button", { class: "button", type: "button", onclick: close }, t("cancel")), button),
  );
  const dialog = h("dialog", { "aria-labelledby": heading, class: big ? "big" : "" }, form);
  if (!closes) dialog.addEventListener("cancel", (event) => event.preventDefault());
  put(document.body, dialog);
  ready?.(dialog, close, button);
  dialog.showModal();
  dialog.querySelector("[data-first]")?.focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(result);
    });
  });
}

/** Return a labelled field: `label`, an input, and a hint below. */
export function field(label, name, { hint, ...attributes } = {}) {
  const id = newId(name);
  const hintId = hint && `${id}-hint`;
  return h(
    "div",
    { class: "field" },
    h("label", { for: id }, label),
    h("input", { id, name, "aria-describedby": hintId, autocomplete: "off", ...attributes }),
    hint && h("p", { class: "hint", id: hintId }, hint),
  );
}
