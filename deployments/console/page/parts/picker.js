// Finding a person by typing: a field with a list, as the ARIA pattern of a combobox has it.

import { call, path } from "../core/api.js";
import { fill, h, newId } from "../core/dom.js";
import { t } from "../core/texts.js";
import { called, portrait, showPerson } from "./faces.js";

const WAIT_MS = 150;
const SHOWN = 8;

/**
 * Return a field that finds persons. `picked` gets the person chosen. `without`: an id that is not offered.
 * `typed`: called at each change with the text, where a name that nobody has yet is an answer too.
 */
export function personPicker({ collection, label, signal, picked, typed, without = null, first = false }) {
  const [id, listId] = [newId("person"), newId("persons")];
  let found = [];
  let active = -1;
  let timer;
  let asked = new AbortController();
  const input = h("input", {
    id,
    type: "text",
    role: "combobox",
    autocomplete: "off",
    spellcheck: "false",
    "aria-expanded": "false",
    "aria-controls": listId,
    "aria-autocomplete": "list",
    data: first ? { first: "" } : {},
    placeholder: t("picker.placeholder"),
    oninput: () => {
      typed?.(input.value);
      clearTimeout(timer);
      timer = setTimeout(search, WAIT_MS);
    },
    onfocus: () => search(),
    onblur: () => setTimeout(close, 150),
    onkeydown: onKey,
  });
  const list = h("ul", { id: listId, role: "listbox", class: "options", "aria-label": label, hidden: true });

  async function search() {
    asked.abort();
    asked = new AbortController();
    try {
      const query = { search: input.value.trim() || undefined, limit: SHOWN + 1 };
      const page = await call("GET", path(collection.id) + "/persons", { query, signal: AbortSignal.any([signal, asked.signal]) });
      found = page.persons.filter((person) => person.id !== without).slice(0, SHOWN);
      draw();
    } catch (error) {
      if (error.name !== "AbortError") close();
    }
  }

  function draw() {
    active = -1;
    fill(
      list,
      found.map((person, number) => {
        const picture = portrait(called(person), "tiny");
        showPerson(picture, collection, person, signal);
        return h(
          "li",
          { id: `${listId}-${number}`, role: "option", "aria-selected": "false", onmousedown: (event) => event.preventDefault(), onclick: () => pick(person) },
          picture,
          h("span", {}, called(person)),
          h("span", { class: "faint small" }, t("faces.n", { n: person.face_count })),
        );
      }),
    );
    const open = found.length > 0 && document.activeElement === input;
    list.hidden = !open;
    input.setAttribute("aria-expanded", String(open));
  }

  function close() {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  function pick(person) {
    input.value = called(person);
    close();
    picked(person);
  }

  function onKey(event) {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden || !found.length) return;
      active = (active + (event.key === "ArrowDown" ? 1 : -1) + found.length) % found.length;
      [...list.children].forEach((each, number) => each.setAttribute("aria-selected", String(number === active)));
      list.children[active].scrollIntoView({ block: "nearest" });
      input.setAttribute("aria-activedescendant", `${listId}-${active}`);
    } else if (event.key === "Enter" && active >= 0 && !list.hidden) {
      event.preventDefault();
      pick(found[active]);
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      event.stopPropagation();
      close();
    }
  }

  return { element: h("div", { class: "field picker" }, h("label", { for: id }, label), input, list), input };
}
