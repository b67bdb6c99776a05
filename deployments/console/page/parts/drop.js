// Where photos come in: choose, drop, paste.

import { h, newId } from "../core/dom.js";
import { t } from "../core/texts.js";
import { icon } from "./icons.js";

export const ACCEPTED = "image/jpeg,image/png,image/webp,image/bmp,image/gif,image/heic,image/heif,.heic,.heif";

/**
 * Return an area that takes photos, and everything dropped or pasted on the page while `signal` holds.
 *
 * `take` gets the files. `text` and `hint` say what for. `more`: further buttons.
 */
export function dropArea({ take, text, hint, signal, many = false, small = false, more = [] }) {
  const area = h(
    "div",
    { class: `drop ${small ? "small" : ""}` },
    icon("photo"),
    h("p", { class: "drop-text" }, text),
    h("div", { class: "row centre" }, photoInput((files) => give(files), many), more),
    hint && h("p", { class: "hint" }, hint),
  );
  const give = (files) => {
    const photos = files.filter((file) => file.type.startsWith("image/") || /\.(heic|heif|jpe?g|png|webp|bmp|gif)$/i.test(file.name));
    if (photos.length) take(many ? photos : photos.slice(0, 1));
  };
  onDrop(signal, area, (transfer) => give([...transfer.files]));
  document.addEventListener("paste", (event) => event.clipboardData?.files.length && give([...event.clipboardData.files]), { signal });
  return area;
}

/** Return a button that chooses photos; `take` gets them. */
export function photoInput(take, many = false) {
  const id = newId("files");
  const input = h("input", {
    id,
    type: "file",
    accept: ACCEPTED,
    multiple: many,
    class: "hidden-input",
    onchange: () => {
      take([...input.files]);
      input.value = "";
    },
  });
  return [input, h("label", { class: "button primary", for: id }, icon("upload"), many ? t("drop.choose.many") : t("drop.choose"))];
}

/** Call `take` with what is dropped on the page while `signal` holds; `area` is marked meanwhile. */
export function onDrop(signal, area, take) {
  let inside = 0;
  const mark = (change) => {
    inside = Math.max(0, inside + change);
    area.classList.toggle("over", inside > 0);
  };
  const options = { signal };
  document.addEventListener("dragenter", () => mark(1), options);
  document.addEventListener("dragleave", () => mark(-1), options);
  document.addEventListener("dragover", (event) => event.preventDefault(), options);
  document.addEventListener(
    "drop",
    (event) => {
      event.preventDefault();
      mark(-inside);
      take(event.dataTransfer);
    },
    options,
  );
}
