// How one face is shown: its picture, how alike two are, how good it is.

import { faceAddress, firstFace } from "../core/pictures.js";
import { h } from "../core/dom.js";
import { number, t } from "../core/texts.js";
import { wordsOf } from "./states.js";

/** Return a place for a picture with the initials of `name` in it until there is one. */
export function portrait(name, size = "") {
  const letters = (name ?? "").trim().split(/\s+/).slice(0, 2).map((word) => [...word][0] ?? "").join("").toUpperCase();
  return h("span", { class: `portrait ${size}`, "aria-hidden": "true", data: { tone: String(toneOf(name ?? "")) } }, h("span", { class: "initials" }, letters || "·"));
}

/** Put the picture at `address` into `place`; null leaves the initials. */
export function showIn(place, address) {
  if (address !== null) place.replaceChildren(h("img", { src: address, alt: "", decoding: "async" }));
}

/** Fill a portrait with an enrolled face, where its collection saves them. */
export async function showFace(place, collection, person, face, signal) {
  if (!collection.save_face_crops) return;
  try {
    showIn(place, await faceAddress(collection.id, person, face, signal));
  } catch (error) {
    if (!signal.aborted) place.title = wordsOf(error).title;
  }
}

/** Fill a portrait with a person's first face that has a picture. */
export async function showPerson(place, collection, person, signal) {
  if (!collection.save_face_crops || person.face_count === 0) return;
  try {
    const face = await firstFace(collection.id, person.id, signal);
    if (face !== null) await showFace(place, collection, person.id, face, signal);
  } catch (error) {
    if (!signal.aborted) place.title = wordsOf(error).title;
  }
}

/** Return a scale from 0 to 1 with the similarity, and a mark at the threshold. */
export function scale(similarity, threshold, kind) {
  const bar = h("span", { class: "scale-value" });
  const mark = h("span", { class: "scale-mark" });
  bar.style.width = `${Math.min(1, Math.max(0, similarity)) * 100}%`;
  mark.style.left = `${Math.min(1, Math.max(0, threshold)) * 100}%`;
  const label = t("scale.label", { similarity: number(similarity, 2), threshold: number(threshold, 2) });
  return h("span", { class: `scale ${kind}`, role: "img", "aria-label": label, title: label }, bar, mark);
}

/** Return a chip that says a decision. */
export function decision(kind) {
  return h("span", { class: `chip ${kind}` }, t(`decision.${kind}`));
}

/** Return the quality of a face as words and figures. */
export function quality(face) {
  const { score, sharpness, brightness, pose } = face.quality;
  const word = score >= 0.7 ? "good" : score >= 0.4 ? "fair" : "poor";
  const facts = t("quality.facts", { score: number(score, 2), sharpness: number(sharpness, 2), brightness: number(brightness, 2), pose: number(pose, 2) });
  return h("span", { class: `quality ${word}`, title: facts }, t(`quality.${word}`, { score: number(score, 2) }));
}

/** Return the name that a person goes by. */
export function called(person) {
  return person.name || person.id;
}

function toneOf(text) {
  let sum = 0;
  for (const letter of text) sum = (sum * 31 + letter.codePointAt(0)) % 6;
  return sum;
}
