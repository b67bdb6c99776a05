// The dialog that makes a collection.

import { call } from "../core/api.js";
import { choose } from "../core/collections.js";
import { h } from "../core/dom.js";
import { t } from "../core/texts.js";
import { ask, field } from "./dialogs.js";

/** Ask for a name and create a collection; return it, undefined where the user thought better of it. */
export function createCollection() {
  return ask({
    title: t("collection.create"),
    body: [
      field(t("collection.name"), "name", { required: true, maxlength: 200, "data-first": "" }),
      field(t("collection.id"), "id", { required: true, pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]{0,63}", hint: t("collection.id.hint") }),
      h("label", { class: "check" }, h("input", { type: "checkbox", name: "crops", checked: true }), h("span", {}, t("collection.crops"), h("span", { class: "hint" }, t("collection.crops.hint")))),
    ],
    action: {
      label: t("create"),
      async run(form) {
        const json = { id: form.get("id"), name: form.get("name"), save_face_crops: form.get("crops") !== null };
        const { collection } = await call("POST", "/v1/collections", { json, told: true });
        choose(collection.id);
        return collection;
      },
    },
    ready(dialog) {
      const [name, id] = [dialog.querySelector("[name=name]"), dialog.querySelector("[name=id]")];
      let own = false;
      id.addEventListener("input", () => (own = id.value !== ""));
      name.addEventListener("input", () => own || (id.value = plain(name.value)));
    },
  });
}

/** Return a name as an id: letters and digits, words joined by hyphens. */
export function plain(name) {
  const letters = name.normalize("NFKD").replace(/\p{M}/gu, "").replaceAll("ß", "ss");
  return letters.toLowerCase().replace(/[^a-z0-9._]+/g, "-").replace(/^[^a-z0-9]+|-+$/g, "").slice(0, 64);
}
