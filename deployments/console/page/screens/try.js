// Try: who is in this photo, and why the service thinks so.

import { call, path } from "../core/api.js";
import { chosen } from "../core/collections.js";
import { fill, h, put } from "../core/dom.js";
import { addressOf, cut, decode } from "../core/pictures.js";
import { to } from "../core/routes.js";
import { may } from "../core/session.js";
import { number, t } from "../core/texts.js";
import { liveCamera } from "../parts/camera.js";
import { curlButton } from "../parts/curl.js";
import { dropArea } from "../parts/drop.js";
import { nameForm } from "../parts/enroll.js";
import { called, decision, portrait, quality, scale, showFace, showIn } from "../parts/faces.js";
import { icon } from "../parts/icons.js";
import { photoWithFaces } from "../parts/photo.js";
import { empty, whenThere } from "../parts/states.js";

const CANDIDATES = 4;
let kept = null; // the photo tried last: it is there again when one comes back to this screen

export function show(root, about) {
  const { collection, signal } = about;
  const result = h("div", { class: "result" });
  const lead = h("p", { class: "lead" });
  const tryPhoto = async (file) => {
    kept = file;
    drop.classList.add("small");
    await count();
    return whenThere(result, signal, () => identify(file, about, () => tryPhoto(file)));
  };
  const live = () => {
    drop.hidden = true;
    fill(
      result,
      liveCamera(collection, signal, (picture) => {
        drop.hidden = false;
        fill(result);
        if (picture) tryPhoto(picture);
      }),
    );
  };
  const more = [
    h("button", { class: "button", type: "button", onclick: live }, icon("camera"), t("camera.start")),
    h("a", { class: "button", href: to("compare", collection.id) }, icon("compare"), t("compare.link")),
  ];
  const drop = dropArea({ take: ([file]) => tryPhoto(file), text: t("try.drop"), hint: t("try.hint"), signal, more });
  async function count() {
    const now = (await chosen(collection.id, signal).catch(() => null)) ?? collection;
    fill(lead, t("try.lead", { collection: now.name, n: now.person_count }));
  }
  count();
  put(
    root,
    h("header", { class: "head" }, h("h1", {}, t("screen.try")), lead),
    drop,
    result,
  );
  if (kept !== null) tryPhoto(kept);
}

async function identify(file, about, again) {
  const { collection, signal } = about;
  const [answer, photo] = await Promise.all([
    call("POST", path(collection.id, undefined, "identify"), { image: file, query: { limit: CANDIDATES }, signal, told: true }),
    decode(file),
  ]);
  if (answer.faces.length === 0) return empty("photo", t("try.nobody"), t("try.nobody.text"));
  const cards = answer.faces.map((face, place) => card(face, place, answer, photo, about, again));
  const picture = photoWithFaces(photo && addressOf(file, signal), answer.faces.map(framed), (place) => mark(place, true));
  const mark = (place, scrolls) => {
    picture.mark(place);
    cards.forEach((each, number) => each.classList.toggle("marked", number === place));
    if (scrolls) cards[place].scrollIntoView({ block: "nearest", behavior: "auto" });
  };
  cards.forEach((each, place) => {
    each.addEventListener("focusin", () => mark(place, false));
    each.addEventListener("mouseenter", () => mark(place, false));
  });
  return [
    h(
      "div",
      { class: "seen" },
      h("div", { class: "seen-photo" }, picture.element, h("div", { class: "row between" }, summary(answer), curlButton())),
      h("ol", { class: "cards", "aria-label": t("try.faces", { n: answer.faces.length }) }, cards),
    ),
  ];
}

function framed(face) {
  const label = face.person && face.decision !== "no_match" ? called(face.person) : t("try.unknown");
  return { bbox: face.face.bbox, kind: face.decision, label: face.decision === "uncertain" ? `${label}?` : label };
}

function summary(answer) {
  const known = answer.faces.filter((face) => face.decision === "match").length;
  return h("p", { class: "faint small" }, t("try.summary", { n: answer.faces.length, known, ms: Math.round(answer.processing_ms) }));
}

function card(face, place, answer, photo, about, again) {
  const { collection, signal } = about;
  const [best] = face.candidates;
  const probe = portrait("", "large");
  if (photo) cut(photo, face.face.bbox, 0.2, 240).then((blob) => !signal.aborted && showIn(probe, addressOf(blob, signal)));
  const pictures = h("div", { class: "pair" }, h("figure", {}, probe, h("figcaption", {}, t("try.probe"))));
  if (best && face.decision !== "no_match") {
    const match = portrait(called(best.person), "large");
    showFace(match, collection, best.person.id, best.matched_face_id, signal);
    put(pictures, h("figure", {}, match, h("figcaption", {}, t("try.enrolled"))));
  }
  return h(
    "li",
    { class: `card face-card ${face.decision}` },
    pictures,
    h(
      "div",
      { class: "face-facts" },
      h("div", { class: "row between" }, title(face, collection), face.person && decision(face.decision)),
      best && h("div", { class: "figures" }, scale(best.similarity, answer.threshold, face.decision), h("p", { class: "small" }, figures(face, best, answer.threshold))),
      h("p", { class: "why" }, why(face, answer.threshold)),
      h("p", { class: "small faint" }, quality(face.face), face.face.rotation ? ` · ${t("face.turned", { n: face.face.rotation })}` : ""),
      face.candidates.length > 1 && others(face, answer.threshold, collection),
      naming(face, photo, about, again),
    ),
  );
}

function title(face, collection) {
  if (!face.person) return h("h2", {}, t("try.unknown"));
  return h("h2", {}, h("a", { href: to("person", collection.id, face.person.id) }, called(face.person)));
}

function figures(face, best, threshold) {
  const words = [t("figures.similarity", { similarity: number(best.similarity, 3), threshold: number(threshold, 2) })];
  if (face.margin !== null) words.push(t("figures.margin", { margin: number(face.margin, 3) }));
  if (best.stranger_rate !== null && best.stranger_rate !== undefined) words.push(t("figures.stranger_rate", { rate: number(best.stranger_rate * 100, 2) }));
  return words.join(" · ");
}

/** Return why the service decided so, in a sentence. */
export function why(face, threshold) {
  const [best] = face.candidates;
  if (!best) return t("why.nobody");
  const values = { name: called(best.person), similarity: number(best.similarity, 2), threshold: number(threshold, 2), margin: face.margin === null ? "" : number(face.margin, 3) };
  if (face.decision === "match") return t(face.margin === null ? "why.match.only" : "why.match", values);
  if (face.decision === "no_match") return t("why.no_match", values);
  if (best.similarity < threshold) return t("why.below", values);
  return t("why.runner_up", { ...values, other: called(face.runner_up.person) });
}

function others(face, threshold, collection) {
  return h(
    "details",
    { class: "others" },
    h("summary", {}, t("try.others", { n: face.candidates.length })),
    h(
      "ul",
      {},
      face.candidates.map((each) =>
        h(
          "li",
          {},
          h("a", { href: to("person", collection.id, each.person.id) }, called(each.person)),
          scale(each.similarity, threshold, each.similarity >= threshold ? "match" : "no_match"),
          h("span", { class: "small figure" }, number(each.similarity, 3)),
        ),
      ),
    ),
  );
}

function naming(face, photo, { collection, signal }, again) {
  if (face.decision === "match" || photo === null || !may("faces:write")) return null;
  const place = h("div", { class: "naming" });
  const open = () => {
    const form = nameForm({ collection, signal, picture: () => cut(photo, face.face.bbox, 0.6), done: again });
    fill(place, form);
    form.querySelector("input").focus();
  };
  return put(place, h("button", { class: "button", type: "button", onclick: open }, icon("plus"), t("try.name")));
}
