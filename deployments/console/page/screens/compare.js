// Compare: do two photos show the same person? By the threshold of the collection; nothing is kept.

import { call } from "../core/api.js";
import { fill, h, put } from "../core/dom.js";
import { addressOf, decode } from "../core/pictures.js";
import { number, t } from "../core/texts.js";
import { curlButton } from "../parts/curl.js";
import { photoInput } from "../parts/drop.js";
import { scale } from "../parts/faces.js";
import { icon } from "../parts/icons.js";
import { photoWithFaces } from "../parts/photo.js";
import { whenThere } from "../parts/states.js";

export function show(root, { collection, signal }) {
  const photos = [null, null];
  const places = [0, 1].map((side) => h("div", { class: "side-photo" }, input(side)));
  const result = h("div", { role: "status" });
  put(
    root,
    h("header", { class: "head" }, h("h1", {}, t("screen.compare")), h("p", { class: "lead" }, t("compare.lead"))),
    h("div", { class: "two" }, places),
    result,
  );
  document.addEventListener("paste", (event) => take(photos[0] ? 1 : 0, event.clipboardData?.files ?? []), { signal });

  function input(side) {
    const area = h("div", { class: "drop" }, icon("photo"), h("p", { class: "drop-text" }, t(side === 0 ? "compare.first" : "compare.second")), photoInput((files) => take(side, files)));
    area.addEventListener("dragover", (event) => {
      event.preventDefault();
      area.classList.add("over");
    });
    area.addEventListener("dragleave", () => area.classList.remove("over"));
    area.addEventListener("drop", (event) => {
      event.preventDefault();
      take(side, event.dataTransfer.files);
    });
    return area;
  }

  async function take(side, [file]) {
    if (!file) return;
    photos[side] = file;
    await draw(side, []);
    if (photos.every(Boolean)) await whenThere(result, signal, compare);
  }

  async function draw(side, faces) {
    const shown = await decode(photos[side]);
    const again = h("button", { class: "quiet", type: "button", onclick: () => ((photos[side] = null), fill(result), fill(places[side], input(side))) }, icon("refresh"), t("compare.other"));
    fill(places[side], photoWithFaces(shown && addressOf(photos[side], signal), faces).element, again);
  }

  async function compare() {
    const answer = await call("POST", "/v1/compare", { form: [["source", photos[0]], ["target", photos[1]], ["collection_id", collection.id]], signal, told: true });
    const kind = answer.matched ? "match" : "no_match";
    await Promise.all([answer.source_face, answer.target_face].map((face, side) => draw(side, [{ bbox: face.bbox, kind, label: number(answer.similarity, 2) }])));
    const values = { similarity: number(answer.similarity, 3), threshold: number(answer.threshold, 2) };
    return h(
      "section",
      { class: "card plan" },
      h("div", { class: "row between" }, h("h2", {}, t(answer.matched ? "compare.same" : "compare.different")), h("span", { class: `chip ${kind}` }, t(`decision.${kind}`))),
      scale(answer.similarity, answer.threshold, kind),
      h("div", { class: "row between" }, h("p", { class: "small faint" }, t("figures.similarity", values)), curlButton()),
    );
  }
}
