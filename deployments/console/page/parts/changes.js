// Changes of persons that ask first: what goes, what stays, and who it is.

import { call, path } from "../core/api.js";
import { h } from "../core/dom.js";
import { t } from "../core/texts.js";
import { ask, field } from "./dialogs.js";
import { called } from "./faces.js";
import { say } from "./messages.js";
import { personPicker } from "./picker.js";

/** Ask, then delete `persons`; return whether it was done. */
export function deletePersons(collection, persons) {
  const faces = persons.reduce((sum, person) => sum + person.face_count, 0);
  return ask({
    title: t("delete.title", { n: persons.length, name: called(persons[0]) }),
    body: [h("p", {}, t("delete.text", { n: faces })), persons.length > 1 && names(persons)],
    action: {
      label: t("delete.action", { n: persons.length }),
      danger: true,
      async run() {
        for (const person of persons) await call("DELETE", path(collection.id, person.id), { told: true });
        say(t("delete.done", { n: persons.length, name: called(persons[0]) }));
        return true;
      },
    },
  });
}

/** Ask who stays, then give that one all faces of the other `persons`; return whether it was done. */
export function mergePersons(collection, persons) {
  return ask({
    title: t("merge.title", { n: persons.length }),
    body: [
      h("p", {}, t("merge.text")),
      h(
        "fieldset",
        { class: "choices" },
        h("legend", {}, t("merge.stays")),
        persons.map((person, place) =>
          h("label", { class: "check" }, h("input", { type: "radio", name: "stays", value: person.id, checked: place === 0 }), h("span", {}, called(person), h("span", { class: "hint" }, t("faces.n", { n: person.face_count })))),
        ),
      ),
    ],
    action: {
      label: t("merge"),
      async run(form) {
        const stays = persons.find((person) => person.id === form.get("stays"));
        for (const person of persons) if (person !== stays) await merge(collection, person, stays);
        say(t("merge.done", { n: persons.length - 1, name: called(stays) }));
        return stays;
      },
    },
  });
}

/** Ask into whom `person` is merged; return the one who stays. */
export function mergeInto(collection, person, signal) {
  let into = null;
  return ask({
    title: t("merge.into.title", { name: called(person) }),
    body: [h("p", {}, t("merge.into.text", { n: person.face_count, name: called(person) })), personPicker({ collection, label: t("merge.into"), signal, without: person.id, first: true, picked: (found) => (into = found), typed: () => (into = null) }).element],
    action: {
      label: t("merge"),
      async run() {
        if (into === null) throw refused(t("picker.nobody"));
        await merge(collection, person, into);
        say(t("merge.done", { n: 1, name: called(into) }));
        return into;
      },
    },
  });
}

function merge(collection, person, stays) {
  return call("POST", path(collection.id, stays.id, "merge"), { json: { source_person_id: person.id }, told: true });
}

/** Ask to whom `faces` of `person` go; return the one who has them now. */
export function moveFaces(collection, person, faces, signal) {
  let to = null;
  return ask({
    title: t("move.title", { n: faces.length }),
    body: [personPicker({ collection, label: t("move.to"), signal, without: person.id, first: true, picked: (found) => (to = found), typed: () => (to = null) }).element],
    action: {
      label: t("move"),
      async run() {
        if (to === null) throw refused(t("picker.nobody"));
        for (const face of faces) await call("POST", path(collection.id, person.id, "faces", face.id, "move"), { json: { person_id: to.id }, told: true });
        say(t("move.done", { n: faces.length, name: called(to) }));
        return to;
      },
    },
  });
}

/** Ask, then delete `faces` of `person`; return whether it was done. */
export function deleteFaces(collection, person, faces) {
  return ask({
    title: t("faces.delete.title", { n: faces.length }),
    body: [h("p", {}, t(faces.length === person.face_count ? "faces.delete.all" : "faces.delete.text", { n: faces.length, name: called(person) }))],
    action: {
      label: t("faces.delete.action", { n: faces.length }),
      danger: true,
      async run() {
        await call("DELETE", path(collection.id, person.id, "faces"), { query: { face_id: faces.map((face) => face.id) }, told: true });
        say(t("faces.delete.done", { n: faces.length }));
        return true;
      },
    },
  });
}

/** Ask for a person's name and external id; return the person as it is then. */
export function renamePerson(collection, person) {
  return ask({
    title: t("rename.title"),
    body: [
      field(t("person.name"), "name", { value: person.name ?? "", maxlength: 200, "data-first": "" }),
      field(t("person.external"), "external_id", { value: person.external_id ?? "", maxlength: 200, hint: t("person.external.hint") }),
    ],
    action: {
      label: t("save"),
      async run(form) {
        const json = { name: form.get("name").trim() || null, external_id: form.get("external_id").trim() || null };
        const answer = await call("PATCH", path(collection.id, person.id), { json, told: true });
        say(t("saved"));
        return answer.person;
      },
    },
  });
}

function names(persons) {
  const shown = persons.slice(0, 8);
  return h("ul", { class: "names" }, shown.map((person) => h("li", {}, called(person), " ", h("span", { class: "faint" }, t("faces.n", { n: person.face_count })))), persons.length > shown.length && h("li", { class: "faint" }, t("more.n", { n: persons.length - shown.length })));
}

function refused(message) {
  return Object.assign(new Error(message), { status: 400, code: "choice_missing" });
}
