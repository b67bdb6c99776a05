// People: the persons of a collection, page by page, found by typing, chosen by keyboard or mouse.

import { call, path } from "../core/api.js";
import { fill, h, put } from "../core/dom.js";
import { keepQuery, to } from "../core/routes.js";
import { may } from "../core/session.js";
import { number, t } from "../core/texts.js";
import { deletePersons, mergePersons } from "../parts/changes.js";
import { enrolDialog } from "../parts/enrol_dialog.js";
import { called, portrait, showPerson } from "../parts/faces.js";
import { icon } from "../parts/icons.js";
import { empty, failure, waiting } from "../parts/states.js";

const PAGE = 60;
const WAIT_MS = 200;

export function show(root, about) {
  const { collection, query, signal } = about;
  const chosen = new Map(); // by id, the persons that are ticked
  const grid = h("ul", { class: "people", "aria-label": t("people.list") });
  const end = h("div", { class: "end" });
  const tools = h("div", { class: "tools", hidden: true });
  let asked = new AbortController();
  let cursor;
  let busy = false;

  const search = h("input", {
    type: "search",
    value: query.get("search") ?? "",
    "aria-label": t("people.search"),
    placeholder: t("people.search"),
    maxlength: 200,
    oninput: () => {
      clearTimeout(search.timer);
      search.timer = setTimeout(restart, WAIT_MS);
    },
  });
  put(
    root,
    h(
      "header",
      { class: "head with-tools" },
      h("div", {}, h("h1", {}, t("screen.people")), h("p", { class: "lead" }, t("people.lead", { n: collection.person_count, faces: number(collection.face_count), collection: collection.name }))),
      h("div", { class: "row" }, h("div", { class: "search" }, icon("search"), search), may("faces:write") && h("button", { class: "button primary", type: "button", onclick: enrol }, icon("plus"), t("people.add"))),
    ),
    tools,
    grid,
    end,
  );

  const pictures = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        pictures.unobserve(target);
        showPerson(target.querySelector(".portrait"), collection, target.person, signal);
      }
    },
    { rootMargin: "200px" },
  );
  const further = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && cursor && load(), { rootMargin: "800px" });
  further.observe(end);
  signal.addEventListener("abort", () => [pictures, further].forEach((each) => each.disconnect()));
  grid.addEventListener("keydown", moveFocus);
  document.addEventListener("keydown", (event) => event.key === "/" && !event.target.closest("input, textarea, select, dialog") && (event.preventDefault(), search.focus()), { signal });
  return restart();

  async function enrol() {
    const person = await enrolDialog(collection, signal);
    if (person) location.hash = to("person", collection.id, person.id);
  }

  function restart() {
    asked.abort();
    asked = new AbortController();
    keepQuery({ search: search.value.trim() });
    cursor = undefined;
    busy = false;
    grid.replaceChildren();
    chosen.clear();
    drawTools();
    return load();
  }

  async function load() {
    if (busy) return;
    busy = true;
    const mine = asked.signal;
    if (!grid.hasChildNodes()) fill(end, waiting());
    try {
      const wanted = { limit: PAGE, cursor, search: search.value.trim() || undefined };
      const page = await call("GET", path(collection.id) + "/persons", { query: wanted, signal: AbortSignal.any([signal, mine]) });
      cursor = page.next_cursor;
      put(grid, page.persons.map(card));
      fill(end, !grid.hasChildNodes() && nobody());
      if (cursor) {
        further.unobserve(end); // asks again where the end is still in sight
        further.observe(end);
      }
    } catch (error) {
      if (mine.aborted || signal.aborted) return;
      fill(end, failure(error, () => ((busy = false), load())));
    } finally {
      if (!mine.aborted) busy = false;
    }
  }

  function nobody() {
    if (search.value.trim()) return empty("search", t("people.nobody.found"), t("people.nobody.found.text", { text: search.value.trim() }));
    return empty("people", t("people.none"), t("people.none.text"), may("faces:write") && h("button", { class: "button primary", type: "button", onclick: enrol }, icon("plus"), t("people.add")));
  }

  function card(person) {
    const tick = may("faces:write") && h("input", { type: "checkbox", class: "tick", "aria-label": t("people.choose", { name: called(person) }), onchange: () => choose(person, tick.checked) });
    const entry = h(
      "li",
      { class: "person-card" },
      h("a", { href: to("person", collection.id, person.id) }, portrait(called(person), "wide"), h("span", { class: "person-name" }, called(person)), h("span", { class: "faint small" }, t("faces.n", { n: person.face_count }))),
      tick,
    );
    entry.person = person;
    pictures.observe(entry);
    return entry;
  }

  function choose(person, is) {
    is ? chosen.set(person.id, person) : chosen.delete(person.id);
    drawTools();
  }

  function drawTools() {
    tools.hidden = chosen.size === 0;
    const persons = [...chosen.values()];
    const then = async (change) => (await change) && about.reload();
    fill(
      tools,
      h("p", {}, t("people.chosen", { n: persons.length })),
      persons.length > 1 && h("button", { class: "button", type: "button", onclick: () => then(mergePersons(collection, persons)) }, icon("merge"), t("merge")),
      h("button", { class: "button", type: "button", onclick: () => then(deletePersons(collection, persons)) }, icon("trash"), t("delete")),
      h("button", { class: "quiet", type: "button", onclick: clear }, t("people.clear")),
    );
  }

  function clear() {
    for (const each of grid.querySelectorAll(".tick:checked")) each.checked = false;
    chosen.clear();
    drawTools();
  }

  /** Arrows move among the cards, a space ticks one, as in any list of pictures. */
  function moveFocus(event) {
    const cards = [...grid.querySelectorAll(".person-card > a")];
    const place = cards.indexOf(event.target);
    if (place < 0) return;
    if (event.key === " ") {
      event.preventDefault();
      cards[place].nextElementSibling?.click();
      return;
    }
    const columns = getComputedStyle(grid).gridTemplateColumns.split(" ").length;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    if (step === undefined || !cards[place + step]) return;
    event.preventDefault();
    cards[place + step].focus();
  }
}
