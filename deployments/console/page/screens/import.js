// Import: a folder a person. First the plan, then progress, rejects and a report.

import { h, fill, newId, put } from "../core/dom.js";
import { byPerson, chosenFiles, droppedFiles, personIdOf } from "../core/folders.js";
import { planImport, report, runImport } from "../core/importing.js";
import { addressOf } from "../core/pictures.js";
import { to } from "../core/routes.js";
import { number, t } from "../core/texts.js";
import { onDrop } from "../parts/drop.js";
import { icon } from "../parts/icons.js";
import { reason } from "../parts/rejections.js";
import { empty, failure, waiting, whenThere } from "../parts/states.js";

const SHOWN_PERSONS = 200;
const SHOWN_REJECTS = 200;

export function show(root, about) {
  const { collection, signal } = about;
  const work = h("div", { class: "import" });
  const id = newId("folder");
  const input = h("input", { id, type: "file", webkitdirectory: true, multiple: true, class: "hidden-input", onchange: () => plan(chosenFiles(input)) });
  const area = h(
    "div",
    { class: "drop" },
    icon("folder"),
    h("p", { class: "drop-text" }, t("import.drop")),
    h("div", { class: "row centre" }, input, h("label", { class: "button primary", for: id }, icon("folder"), t("import.choose"))),
    h("p", { class: "hint" }, t("import.hint")),
  );
  onDrop(signal, area, async (transfer) => plan(await droppedFiles(transfer)));
  put(root, h("header", { class: "head" }, h("h1", {}, t("screen.import")), h("p", { class: "lead" }, t("import.lead", { collection: collection.name }))), area, work);

  async function plan(files) {
    const { persons, skipped } = byPerson(files);
    if (persons.length === 0) return fill(work, empty("folder", t("import.nothing"), t("import.nothing.text")));
    area.classList.add("small");
    const read = h("p", {}, "");
    const wait = put(waiting(t("import.reading")), read);
    const total = persons.reduce((sum, person) => sum + person.photos.length, 0);
    await whenThere(
      work,
      signal,
      async () => {
        const planned = await planImport(collection, persons, personIdOf, signal, (n) => (read.textContent = t("import.read", { n, total: number(total) })));
        return planView(planned, skipped, collection, signal, work);
      },
      wait,
    );
  }
}

function planView(plan, skipped, collection, signal, work) {
  const wanted = sum(plan, (person) => person.wanted.length);
  const there = sum(plan, (person) => person.present);
  const elsewhere = sum(plan, (person) => person.elsewhere);
  const mode = h("select", { name: "mode", "aria-label": t("import.review") }, ["standard", "strict", "off"].map((each) => h("option", { value: each }, t(`import.review.${each}`))));
  const start = h("button", { class: "button primary", type: "button", onclick: () => run(plan, mode.value, collection, signal, work) }, icon("upload"), t("import.start", { n: wanted }));
  return [
    h(
      "section",
      { class: "card plan" },
      h("h2", {}, t("import.plan", { n: plan.length })),
      h("dl", { class: "numbers" }, figure(t("import.wanted"), wanted), figure(t("import.there"), there), elsewhere > 0 && figure(t("import.elsewhere"), elsewhere), skipped.length > 0 && figure(t("import.skipped"), skipped.length)),
      wanted > 0
        ? h("div", { class: "row" }, h("div", { class: "select plain mode" }, mode, icon("down")), start)
        : h("p", {}, t("import.all_there"), " ", h("a", { href: to("people", collection.id) }, t("screen.people"))),
    ),
    h(
      "div",
      { class: "table-scroll", tabindex: 0, role: "region", "aria-label": t("import.persons") },
      h(
        "table",
        {},
        h("thead", {}, h("tr", {}, [t("person.name"), t("collection.id"), t("import.wanted"), t("import.there")].map((word) => h("th", { scope: "col" }, word)))),
        h("tbody", {}, plan.slice(0, SHOWN_PERSONS).map((person) => h("tr", {}, h("td", {}, person.name, " ", person.isNew && h("span", { class: "chip" }, t("import.new"))), h("td", {}, h("code", {}, person.id)), h("td", {}, number(person.wanted.length)), h("td", {}, number(person.present + person.elsewhere))))),
      ),
    ),
    plan.length > SHOWN_PERSONS && h("p", { class: "faint" }, t("more.n", { n: plan.length - SHOWN_PERSONS })),
  ];
}

async function run(plan, mode, collection, signal, work) {
  const total = sum(plan, (person) => person.wanted.length);
  const outcomes = [];
  const stop = new AbortController();
  const bar = h("progress", { max: total, value: 0, "aria-label": t("import.progress") });
  const line = h("p", { role: "status" }, "");
  const rejects = h("ul", { class: "rejections" });
  const started = performance.now();
  const title = h("h2", {}, t("import.running"));
  const buttons = h("div", { class: "row" }, h("button", { class: "button", type: "button", onclick: () => stop.abort() }, t("import.pause")));
  fill(work, h("section", { class: "card plan" }, title, bar, line, buttons), rejects);
  const both = AbortSignal.any([signal, stop.signal]);
  addEventListener("beforeunload", (event) => outcomes.length < total && !both.aborted && event.preventDefault(), { signal: both });

  const told = (outcome) => {
    outcomes.push(outcome);
    bar.value = outcomes.length;
    const refused = outcomes.filter((each) => each.reason !== null).length;
    const secondsLeft = (((performance.now() - started) / outcomes.length) * (total - outcomes.length)) / 1000;
    line.textContent = t("import.status", { done: number(outcomes.length), total: number(total), rejected: number(refused), minutes: number(Math.ceil(secondsLeft / 60)) });
    if (outcome.reason !== null && rejects.children.length < SHOWN_REJECTS) put(rejects, h("li", {}, h("strong", {}, outcome.path), h("span", {}, reason(outcome.reason))));
  };
  try {
    await runImport(collection, plan, mode, both, told);
    title.textContent = t("import.done");
  } catch (error) {
    if (signal.aborted) return;
    title.textContent = t("import.paused");
    if (!stop.signal.aborted) put(work, failure(error));
  }
  stop.abort();
  const file = new Blob([report(outcomes)], { type: "text/csv" });
  fill(
    buttons,
    h("a", { class: "button", href: addressOf(file, signal), download: `import-${collection.id}.csv` }, icon("download"), t("import.report")),
    h("a", { class: "button", href: to("people", collection.id) }, icon("people"), t("screen.people")),
    outcomes.length < total && h("p", { class: "small faint" }, t("import.resume")),
  );
}

function figure(word, value) {
  return h("div", {}, h("dt", {}, word), h("dd", {}, number(value)));
}

function sum(plan, of) {
  return plan.reduce((total, person) => total + of(person), 0);
}
