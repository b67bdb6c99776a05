// A photo with the faces that were found in it: a frame a face, each a button.

import { h } from "../core/dom.js";
import { t } from "../core/texts.js";
import { icon } from "./icons.js";

/**
 * Return the photo at `address`, null where the browser cannot show it, with a frame for each of `faces`.
 *
 * A face: {bbox, kind, label}. `kind`: match, uncertain, no_match or plain. `select` gets the number of the one pressed.
 */
export function photoWithFaces(address, faces, select) {
  const frames = framesOf(faces, select);
  const picture = address === null ? h("div", { class: "unseen" }, icon("photo"), h("p", {}, t("photo.unseen"))) : h("img", { src: address, alt: t("photo.alt", { n: faces.length }) });
  return {
    element: h("div", { class: "photo" }, picture, address === null ? null : frames),
    mark(number) {
      frames.forEach((frame, each) => frame.setAttribute("aria-pressed", String(each === number)));
    },
  };
}

/** Return the frames of `faces`, buttons where `select` is there. */
export function framesOf(faces, select) {
  return faces.map((face, number) => {
    const { left, top, width, height } = face.bbox.normalized;
    const frame = h(
      select ? "button" : "span",
      { class: `frame ${face.kind} ${top < 0.12 ? "below" : ""} ${left < 0.1 ? "at-left" : left + width > 0.9 ? "at-right" : ""}`, type: select && "button", "aria-pressed": select && "false", onclick: select && (() => select(number)) },
      h("span", { class: "frame-label" }, face.label),
    );
    Object.assign(frame.style, { left: `${left * 100}%`, top: `${top * 100}%`, width: `${width * 100}%`, height: `${height * 100}%` });
    return frame;
  });
}
