// Naming a face: a new person, or one more face of somebody who is there.

import { call, path } from "../core/api.js";
import { h } from "../core/dom.js";
import { t } from "../core/texts.js";
import { called } from "./faces.js";
import { personPicker } from "./picker.js";
import { say, complain } from "./messages.js";

/**
 * Return a form that enrols the face in `picture`, a function that returns its Blob. `done` gets the person.
 */
export function nameForm({ collection, picture, signal, done, first = false, label = t("name.label") }) {
  let person = null;
  const picker = personPicker({
    collection,
    label,
    signal,
    first,
    picked(found) {
      person = found;
      button.textContent = t("name.add", { name: called(found) });
    },
    typed() {
      person = null;
      button.textContent = t("name.enrol");
    },
  });
  const button = h("button", { class: "button primary", type: "submit" }, t("name.enrol"));
  const form = h(
    "form",
    {
      class: "name-form",
      async onsubmit(event) {
        event.preventDefault();
        const name = picker.input.value.trim();
        if (!name) return picker.input.focus();
        button.disabled = true;
        try {
          const enrolled = person ?? (await enrolNew(collection, name, await picture()));
          if (person) await call("POST", path(collection.id, person.id, "faces"), { form: [["images", await picture()]], told: true });
          say(t("name.done", { name: called(enrolled) }));
          done(enrolled);
        } catch (error) {
          complain(error);
        } finally {
          button.disabled = false;
        }
      },
    },
    picker.element,
    button,
  );
  return form;
}

async function enrolNew(collection, name, picture) {
  const { person } = await call("POST", path(collection.id) + "/persons", { form: [["name", name], ["images", picture]], told: true });
  return person;
}
