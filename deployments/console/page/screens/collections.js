// Collections: what there is, their settings with their meaning, a new one, and the end of one.

import { call, path } from "../core/api.js";
import { collections, forget } from "../core/collections.js";
import { h, newId, put } from "../core/dom.js";
import { to } from "../core/routes.js";
import { may } from "../core/session.js";
import { date, number, t } from "../core/texts.js";
import { ask, field } from "../parts/dialogs.js";
import { icon } from "../parts/icons.js";
import { say } from "../parts/messages.js";
import { createCollection } from "../parts/new_collection.js";
import { empty, whenThere } from "../parts/states.js";

export function show(root, about) {
  const { signal, reload } = about;
  const list = h("div", {});
  const create = async () => {
    if (await createCollection()) reload();
  };
  const button = may("collections:admin") && h("button", { class: "button primary", type: "button", onclick: create }, icon("plus"), t("collection.create"));
  put(root, h("header", { class: "head with-tools" }, h("div", {}, h("h1", {}, t("screen.collections")), h("p", { class: "lead" }, t("collections.lead"))), button), list);
  return whenThere(list, signal, async () => {
    forget();
    const all = await collections(signal);
    if (all.length === 0) return empty("stack", t("collection.none"), t("collection.none.text"));
    return h("ul", { class: "collections" }, all.map((collection) => card(collection, reload)));
  });
}

function card(collection, reload) {
  const then = async (change) => (await change) && reload();
  return h(
    "li",
    { class: "card collection" },
    h("div", { class: "row between" }, h("h2", {}, h("a", { href: to("people", collection.id) }, collection.name)), h("code", { class: "faint" }, collection.id)),
    collection.description && h("p", { class: "small" }, collection.description),
    h("dl", { class: "numbers" }, figure(t("screen.people"), number(collection.person_count)), figure(t("person.faces"), number(collection.face_count)), figure(t("threshold"), number(collection.default_threshold, 2))),
    h("p", { class: "small faint" }, collection.model_id, " · ", t(collection.save_face_crops ? "crops.kept" : "crops.not_kept"), " · ", t("collection.since", { date: date(collection.created_at) })),
    may("collections:admin") &&
      h(
        "div",
        { class: "row" },
        h("button", { class: "button", type: "button", onclick: () => then(settings(collection)) }, icon("pencil"), t("collection.settings")),
        h("button", { class: "button", type: "button", onclick: () => then(remove(collection)) }, icon("trash"), t("delete")),
      ),
  );
}

function settings(collection) {
  const [id, out] = [newId("threshold"), h("output", {}, number(collection.default_threshold, 2))];
  const range = h("input", { id, type: "range", name: "threshold", min: 0, max: 1, step: 0.01, value: collection.default_threshold, "aria-describedby": `${id}-hint`, oninput: () => (out.textContent = number(Number(range.value), 2)) });
  return ask({
    title: t("collection.settings.of", { name: collection.name }),
    big: true,
    body: [
      field(t("collection.name"), "name", { value: collection.name, required: true, maxlength: 200, "data-first": "" }),
      field(t("collection.description"), "description", { value: collection.description, maxlength: 2000 }),
      h("div", { class: "field" }, h("label", { for: id }, t("threshold"), " ", out), range, h("div", { class: "row between small faint" }, h("span", {}, t("threshold.low")), h("span", {}, t("threshold.high"))), h("p", { class: "hint", id: `${id}-hint` }, t("threshold.hint", { n: collection.person_count }))),
      h("label", { class: "check" }, h("input", { type: "checkbox", name: "crops", checked: collection.save_face_crops }), h("span", {}, t("collection.crops"), h("span", { class: "hint" }, t("collection.crops.change")))),
      field(t("collection.max_faces"), "max_faces", { type: "number", min: 1, max: 1000000, required: true, value: collection.max_faces_per_person, hint: t("collection.max_faces.hint") }),
    ],
    action: {
      label: t("save"),
      async run(form) {
        const json = {
          name: form.get("name"),
          description: form.get("description"),
          threshold: Number(form.get("threshold")),
          save_face_crops: form.get("crops") !== null,
          search: { max_faces_per_person: Number(form.get("max_faces")) },
        };
        await call("PATCH", path(collection.id), { json, told: true });
        say(t("saved"));
        return true;
      },
    },
  });
}

function remove(collection) {
  const wanted = String(collection.person_count);
  return ask({
    title: t("collection.delete", { name: collection.name }),
    body: [h("p", {}, t("collection.delete.text", { n: collection.person_count, faces: number(collection.face_count) })), field(t("collection.delete.type"), "count", { inputmode: "numeric", required: true, "data-first": "", hint: t("collection.delete.hint", { count: wanted }) })],
    action: {
      label: t("collection.delete.action"),
      danger: true,
      async run() {
        await call("DELETE", path(collection.id), { query: { force: true }, told: true });
        say(t("collection.delete.done", { name: collection.name }));
        return true;
      },
    },
    ready(dialog, _close, button) {
      const count = dialog.querySelector("[name=count]");
      button.disabled = true;
      count.addEventListener("input", () => (button.disabled = count.value.trim() !== wanted));
    },
  });
}

function figure(word, value) {
  return h("div", {}, h("dt", {}, word), h("dd", {}, value));
}
