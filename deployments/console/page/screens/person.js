// One person: faces, where they came from, how good they are, who else looks like that.

import { call, path } from "../core/api.js";
import { fill, h, put } from "../core/dom.js";
import { to } from "../core/routes.js";
import { may } from "../core/session.js";
import { date, number, t } from "../core/texts.js";
import { deleteFaces, deletePersons, mergeInto, moveFaces, renamePerson } from "../parts/changes.js";
import { curlButton } from "../parts/curl.js";
import { dropArea } from "../parts/drop.js";
import { called, portrait, quality, scale, showFace, showPerson } from "../parts/faces.js";
import { icon } from "../parts/icons.js";
import { complain, say } from "../parts/messages.js";
import { rejections } from "../parts/rejections.js";
import { empty, whenThere } from "../parts/states.js";

const PAGE = 60;
const ALIKE = 8;
const ADDED_AT_ONCE = 10; // of one request, as the service has it by default

export function show(root, about) {
  const { collection, words, signal } = about;
  return whenThere(root, signal, async () => {
    const { person } = await call("GET", path(collection.id, words[0]), { signal });
    return screen(person, about);
  });
}

function screen(person, about) {
  const { collection, signal } = about;
  const writes = may("faces:write");
  const chosen = new Map();
  const grid = h("ul", { class: "faces", "aria-label": t("person.faces") });
  const tools = h("div", { class: "tools", hidden: true });
  const more = h("div", { class: "end" });
  const rejected = h("div", { role: "status" });
  const alike = h("section", { class: "alike", "aria-labelledby": "alike-title" });
  const cover = portrait(called(person), "huge");
  showPerson(cover, collection, person, signal);
  let first = true;

  async function load(cursor) {
    const page = await call("GET", path(collection.id, person.id, "faces"), { query: { limit: PAGE, cursor }, signal });
    put(grid, page.faces.map(faceCard));
    fill(more, page.next_cursor && h("button", { class: "button", type: "button", onclick: () => load(page.next_cursor).catch(complain) }, t("more")));
    if (first && page.faces.length) drawAlike(page.faces[0]);
    first = false;
    if (!grid.hasChildNodes()) fill(more, empty("photo", t("person.no_faces"), t("person.no_faces.text")));
  }

  function faceCard(face) {
    const picture = portrait(called(person), "wide");
    if (face.has_crop) showFace(picture, collection, person.id, face.id, signal);
    const tick = writes && h("input", { type: "checkbox", class: "tick", "aria-label": t("face.choose"), onchange: () => choose(face, tick.checked) });
    const { width, height } = face.bounding_box.pixels;
    return h(
      "li",
      { class: "face" },
      picture,
      h("p", { class: "small" }, quality(face)),
      h("p", { class: "small faint" }, t("face.size", { width, height })),
      h("p", { class: "small faint" }, date(face.created_at), face.embedding_source === "server" ? "" : ` · ${t("face.external")}`),
      tick,
    );
  }

  function choose(face, is) {
    is ? chosen.set(face.id, face) : chosen.delete(face.id);
    const faces = [...chosen.values()];
    tools.hidden = faces.length === 0;
    fill(
      tools,
      h("p", {}, t("face.chosen", { n: faces.length })),
      h("button", { class: "button", type: "button", onclick: () => then(moveFaces(collection, person, faces, signal)) }, icon("move"), t("move")),
      h("button", { class: "button", type: "button", onclick: () => then(deleteFaces(collection, person, faces)) }, icon("trash"), t("delete")),
    );
  }

  async function then(change) {
    if (await change) about.reload();
  }

  async function add(files) {
    fill(rejected, h("p", { class: "adding" }, h("span", { class: "spinner" }), t("person.adding", { n: files.length })));
    const refused = [];
    let added = 0;
    for (let place = 0; place < files.length; place += ADDED_AT_ONCE) {
      const part = files.slice(place, place + ADDED_AT_ONCE);
      try {
        const answer = await call("POST", path(collection.id, person.id, "faces"), { form: part.map((file) => ["images", file]), told: true });
        added += answer.faces.length;
        refused.push(...answer.rejected_images);
      } catch (error) {
        fill(rejected);
        return complain(error);
      }
    }
    if (added) say(t("person.added", { n: added }));
    fill(rejected, refused.length > 0 && h("div", { class: "rejected" }, h("h2", {}, t("rejected.title", { n: refused.length })), rejections(refused)));
    if (added) {
      person = (await call("GET", path(collection.id, person.id), { signal })).person;
      fill(count, t("faces.n", { n: person.face_count }));
      grid.replaceChildren();
      first = true;
      await load();
    }
  }

  async function drawAlike(face) {
    try {
      const query = { face_id: face.id, limit: ALIKE + 1, threshold: 0 };
      const answer = await call("POST", path(collection.id, undefined, "search"), { json: query, signal });
      const others = answer.matches.filter((match) => match.person.id !== person.id).slice(0, ALIKE);
      if (others.length === 0) return;
      fill(
        alike,
        h("h2", { id: "alike-title" }, t("person.alike")),
        h("p", { class: "faint small" }, t("person.alike.text", { threshold: number(collection.default_threshold, 2) })),
        h(
          "ul",
          { class: "strip" },
          others.map((match) => {
            const picture = portrait(called(match.person), "wide");
            showFace(picture, collection, match.person.id, match.matched_face_id, signal);
            const kind = match.similarity >= collection.default_threshold ? "uncertain" : "no_match";
            return h("li", {}, h("a", { href: to("person", collection.id, match.person.id) }, picture, h("span", { class: "person-name" }, called(match.person)), scale(match.similarity, collection.default_threshold, kind), h("span", { class: "small faint" }, number(match.similarity, 2))));
          }),
        ),
      );
    } catch (error) {
      if (!signal.aborted) complain(error);
    }
  }

  const name = h("h1", {}, called(person));
  const count = h("span", {}, t("faces.n", { n: person.face_count }));
  const rename = async () => {
    const changed = await renamePerson(collection, person);
    if (changed) about.reload();
  };
  const merge = async () => {
    const into = await mergeInto(collection, person, signal);
    if (into) location.hash = to("person", collection.id, into.id);
  };
  const remove = async () => {
    if (await deletePersons(collection, [person])) location.hash = to("people", collection.id);
  };
  load().catch((error) => !signal.aborted && fill(more, empty("alert", t("error.other"), error.message)));
  return [
    h("a", { class: "back", href: to("people", collection.id) }, icon("back"), t("screen.people")),
    h(
      "header",
      { class: "head person-head" },
      cover,
      h("div", { class: "grow" }, name, h("p", { class: "lead" }, count, ` · ${t("person.since", { date: date(person.created_at) })}`), h("p", { class: "small faint" }, h("code", {}, person.id), person.external_id && [" · ", h("code", {}, person.external_id)])),
      writes &&
        h(
          "div",
          { class: "row" },
          h("button", { class: "button", type: "button", onclick: rename }, icon("pencil"), t("rename")),
          h("button", { class: "button", type: "button", onclick: merge }, icon("merge"), t("merge.into.action")),
          h("button", { class: "button", type: "button", onclick: remove }, icon("trash"), t("delete")),
        ),
    ),
    facts(person),
    writes && dropArea({ take: add, many: true, small: true, text: t("person.drop"), signal, more: [curlButton()] }),
    rejected,
    tools,
    grid,
    more,
    alike,
  ];
}

function facts(person) {
  const entries = Object.entries(person.metadata);
  if (entries.length === 0) return null;
  return h("dl", { class: "facts" }, entries.map(([key, value]) => [h("dt", {}, key), h("dd", {}, typeof value === "string" ? value : JSON.stringify(value))]));
}
