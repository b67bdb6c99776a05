// Group photo to people: each face that nobody knows yet gets a name.

import { call, path } from "../core/api.js";
import { fill, h, put } from "../core/dom.js";
import { addressOf, cut, decode } from "../core/pictures.js";
import { to } from "../core/routes.js";
import { t } from "../core/texts.js";
import { dropArea } from "../parts/drop.js";
import { nameForm } from "../parts/enroll.js";
import { called, portrait, showIn } from "../parts/faces.js";
import { icon } from "../parts/icons.js";
import { photoWithFaces } from "../parts/photo.js";
import { empty, whenThere } from "../parts/states.js";

export function show(root, about) {
  const { collection, signal } = about;
  const work = h("div", {});
  const drop = dropArea({
    signal,
    text: t("group.drop"),
    hint: t("group.hint"),
    take: ([file]) => {
      drop.classList.add("small");
      whenThere(work, signal, () => look(file, about));
    },
  });
  put(root, h("header", { class: "head" }, h("h1", {}, t("screen.group")), h("p", { class: "lead" }, t("group.lead", { collection: collection.name }))), drop, work);
}

async function look(file, { collection, signal }) {
  const [answer, photo] = await Promise.all([
    call("POST", path(collection.id, undefined, "identify"), { image: file, query: { limit: 2 }, signal, told: true }),
    decode(file),
  ]);
  if (photo === null) return empty("photo", t("group.unseen"), t("photo.unseen"));
  if (answer.faces.length === 0) return empty("photo", t("try.nobody"), t("try.nobody.text"));
  const known = answer.faces.filter((face) => face.decision === "match");
  const unknown = answer.faces.filter((face) => face.decision !== "match");
  const picture = photoWithFaces(
    addressOf(file, signal),
    answer.faces.map((face) => ({ bbox: face.face.bbox, kind: face.decision, label: face.decision === "match" ? called(face.person) : String(unknown.indexOf(face) + 1) })),
    (place) => tiles[unknown.indexOf(answer.faces[place])]?.querySelector("input")?.focus(),
  );
  const tiles = unknown.map((face, place) => tile(face, place, photo, { collection, signal }, (next) => tiles[next]?.querySelector("input")?.focus()));
  return h(
    "div",
    { class: "seen" },
    h("div", { class: "seen-photo" }, picture.element),
    h(
      "div",
      { class: "cards" },
      h("p", {}, t("group.found", { n: unknown.length, known: known.length })),
      unknown.length === 0 && empty("check", t("group.all_known"), null, h("a", { class: "button", href: to("people", collection.id) }, t("screen.people"))),
      h("ol", { class: "cards" }, tiles),
    ),
  );
}

function tile(face, place, photo, { collection, signal }, goTo) {
  const picture = portrait(String(place + 1), "large");
  cut(photo, face.face.bbox, 0.2, 240).then((blob) => !signal.aborted && showIn(picture, addressOf(blob, signal)));
  const perhaps = face.decision === "uncertain" && h("p", { class: "small" }, t("group.perhaps", { name: called(face.person) }));
  const form = nameForm({
    collection,
    signal,
    label: t("group.who", { n: place + 1 }),
    picture: () => cut(photo, face.face.bbox, 0.6),
    done(person) {
      fill(facts, h("p", {}, h("span", { class: "chip match" }, icon("check"), " ", t("group.enrolled")), " ", h("a", { href: to("person", collection.id, person.id) }, called(person))));
      goTo(place + 1);
    },
  });
  const facts = h("div", { class: "face-facts" }, perhaps, form);
  return h("li", { class: "card face-card" }, picture, facts);
}
