// The dialog that enrols a new person from photos.

import { call, path } from "../core/api.js";
import { fill, h } from "../core/dom.js";
import { t } from "../core/texts.js";
import { ask, field } from "./dialogs.js";
import { dropArea } from "./drop.js";
import { say } from "./messages.js";
import { rejections } from "./rejections.js";
import { called } from "./faces.js";

const MAX_PHOTOS = 10; // of one request, as the service has it by default

/** Ask for a name and photos, and enrol a person; return it, undefined where the user thought better of it. */
export async function enrolDialog(collection, signal) {
  const leave = new AbortController();
  const photos = [];
  const list = h("ul", { class: "thumbs" });
  const draw = () => {
    fill(
      list,
      photos.map((photo, place) => {
        const address = URL.createObjectURL(photo);
        const picture = h("img", { src: address, alt: photo.name, onload: () => URL.revokeObjectURL(address), onerror: () => URL.revokeObjectURL(address) });
        const remove = h("button", { class: "icon-button", type: "button", "aria-label": t("remove.photo", { name: photo.name }), onclick: () => (photos.splice(place, 1), draw()) }, "×");
        return h("li", {}, picture, remove);
      }),
    );
  };
  const drop = dropArea({
    many: true,
    small: true,
    text: t("enrol.drop"),
    hint: t("enrol.hint", { n: MAX_PHOTOS }),
    signal: AbortSignal.any([signal, leave.signal]),
    take(files) {
      photos.push(...files.slice(0, MAX_PHOTOS - photos.length));
      draw();
    },
  });
  const done = await ask({
    title: t("people.add"),
    big: true,
    body: [field(t("person.name"), "name", { maxlength: 200, required: true, "data-first": "" }), drop, list],
    action: {
      label: t("enrol.action"),
      async run(form) {
        if (photos.length === 0) throw Object.assign(new Error(t("enrol.none.text")), { status: 400, code: "photo_missing" });
        const answer = await call("POST", `${path(collection.id)}/persons`, { form: [["name", form.get("name").trim()], ...photos.map((photo) => ["images", photo])], told: true });
        say(t("name.done", { name: called(answer.person) }));
        return answer;
      },
    },
  });
  leave.abort();
  if (done?.rejected_images.length) await ask({ title: t("rejected.title", { n: done.rejected_images.length }), body: rejections(done.rejected_images) });
  return done?.person;
}
