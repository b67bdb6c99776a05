// System: which models under which licence, which parts answer, what happened lately, what the token may do.

import { call } from "../core/api.js";
import { h, put } from "../core/dom.js";
import { claims } from "../core/session.js";
import { date, number, t } from "../core/texts.js";
import { icon } from "../parts/icons.js";
import { whenThere } from "../parts/states.js";

const AGAIN_MS = 5000;

export function show(root, { signal }) {
  const content = h("div", { class: "panels" });
  put(root, h("header", { class: "head" }, h("h1", {}, t("screen.system")), h("p", { class: "lead" }, t("system.lead"))), content);
  const read = async () => {
    const [health, system, models] = await Promise.all(["health", "system", "models"].map((each) => call("GET", `/v1/${each}`, { signal })));
    return [parts(health), traffic(system), models_(models), counts(system), errors(system), rights()];
  };
  const timer = setInterval(async () => {
    if (document.hidden || content.querySelector(".failure, .waiting") || content.contains(document.activeElement)) return;
    try {
      content.replaceChildren(...(await read()));
    } catch (error) {
      if (!signal.aborted) whenThere(content, signal, read);
    }
  }, AGAIN_MS);
  signal.addEventListener("abort", () => clearInterval(timer));
  return whenThere(content, signal, read);
}

function panel(title, ...body) {
  return h("section", { class: "card panel" }, h("h2", {}, title), body);
}

function rows(pairs) {
  return h("dl", { class: "facts" }, pairs.map(([word, value]) => [h("dt", {}, word), h("dd", {}, value)]));
}

function parts(health) {
  const chip = (state) => h("span", { class: `chip ${state === "ready" ? "ready" : "bad"}` }, t(state === "ready" ? "health.ready" : "health.unavailable"));
  return panel(t("health.title"), rows([[t("health.service"), chip(health.status)], ...Object.entries(health.components).map(([part, state]) => [t(`health.${part}`), chip(state)]), [t("health.version"), health.version]]));
}

function traffic(system) {
  const minutes = system.traffic;
  const most = Math.max(1, ...minutes.map((minute) => minute.requests));
  const bars = minutes.map((minute) => {
    const bar = h("span", { class: "bar" });
    bar.style.height = `${(minute.requests / most) * 100}%`;
    const told = t("traffic.minute", { time: new Date(minute.start).toLocaleTimeString(undefined, { timeStyle: "short" }), n: minute.requests, p50: number(minute.p50_ms ?? 0, 0), p95: number(minute.p95_ms ?? 0, 0), failed: number(minute.failed) });
    return h("li", { title: told, "aria-label": told }, bar);
  });
  const sum = (of) => minutes.reduce((total, minute) => total + of(minute), 0);
  const busiest = minutes.filter((minute) => minute.requests).at(-1);
  return panel(
    t("traffic.title", { n: minutes.length }),
    h("ol", { class: "bars" }, bars),
    h("dl", { class: "numbers" }, figure(t("traffic.requests"), number(sum((minute) => minute.requests))), figure(t("traffic.failed"), number(sum((minute) => minute.failed))), figure("p50", busiest ? `${number(busiest.p50_ms, 0)} ms` : "–"), figure("p95", busiest ? `${number(busiest.p95_ms, 0)} ms` : "–")),
    h("p", { class: "small faint" }, t("traffic.text")),
  );
}

function models_(models) {
  const { license } = models;
  return panel(
    t("models.title"),
    h("p", {}, h("span", { class: `chip ${license.commercial_use ? "ready" : "uncertain"}` }, t(license.commercial_use ? "models.commercial" : "models.research"))),
    h("p", { class: "small" }, license.text),
    rows([[t("models.pack"), models.models[0].model_id], [t("models.runs_on"), models.execution_provider], [t("threshold"), number(models.default_threshold, 2)], ...models.models.map((model) => [t(`models.${model.task}`), h("span", {}, model.file ?? "", " ", h("code", { class: "faint" }, model.sha256.slice(0, 12)))])]),
  );
}

function counts(system) {
  const entries = ["collections", "persons", "faces"].map((word) => [t(`stats.${word}`), number(system.stats[word])]);
  return panel(t("stats.title"), rows([...entries, [t("system.processor"), `${system.architecture}, ${t("system.cores", { n: system.cpu.logical_cores })}`], ...Object.entries(system.runtime)]));
}

function errors(system) {
  if (system.recent_errors.length === 0) return panel(t("errors.title"), h("p", { class: "faint" }, icon("check"), " ", t("errors.none")));
  return panel(
    t("errors.title"),
    h(
      "div",
      { class: "table-scroll", tabindex: 0, role: "region", "aria-label": t("errors.title") },
      h("table", {}, h("thead", {}, h("tr", {}, [t("errors.time"), t("errors.operation"), t("errors.code"), t("errors.request")].map((word) => h("th", { scope: "col" }, word)))), h("tbody", {}, system.recent_errors.toReversed().map((each) => h("tr", {}, h("td", {}, date(each.time)), h("td", {}, each.operation), h("td", {}, h("code", {}, each.code)), h("td", {}, h("code", {}, each.request_id)))))),
    ),
  );
}

function rights() {
  const held = claims();
  if (held === null) return panel(t("rights.title"), h("p", { class: "faint" }, t("rights.unknown")));
  return panel(
    t("rights.title"),
    rows([
      [t("rights.tenant"), held.tenant],
      [t("rights.scopes"), h("ul", {}, held.scope.split(" ").map((scope) => h("li", {}, h("code", {}, scope))))],
      [t("rights.collections"), held.collections ? held.collections.join(", ") : t("rights.all")],
      [t("rights.until"), date(held.exp * 1000)],
    ]),
  );
}

function figure(word, value) {
  return h("div", {}, h("dt", {}, word), h("dd", {}, value));
}
