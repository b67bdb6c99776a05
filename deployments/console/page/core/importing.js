// An import: what is to be brought, and bringing it. What is left follows from what the collection holds, so an import
// that was interrupted goes on by starting it again.

import { call, path } from "./api.js";
import { sha256 } from "./digest.js";

const ASKED_AT_ONCE = 1000; // of one request, as the service bounds it
const BROUGHT_AT_ONCE = 5; // photos of one enrolment
const SIDE_BY_SIDE = 2;

/**
 * Return the plan: [{id, name, isNew, wanted: [{path, file, sha256}], present, elsewhere}].
 *
 * `persons`: of `byPerson`. `idOf` makes a person's id of a folder's name. `told` gets how many files were read.
 */
export async function planImport(collection, persons, idOf, signal, told) {
  const plan = new Map();
  let read = 0;
  for (const { folder, photos } of persons) {
    const id = idOf(folder);
    if (!plan.has(id)) plan.set(id, { id, name: folder.replaceAll("_", " "), isNew: true, wanted: [], present: 0, elsewhere: 0 });
    for (const photo of photos) {
      signal.throwIfAborted();
      plan.get(id).wanted.push({ ...photo, sha256: await sha256(photo.file) });
      told((read += 1));
    }
  }
  const all = [...plan.values()].flatMap((person) => person.wanted.map((photo) => ({ person, photo })));
  for (const person of plan.values()) person.wanted = [];
  const seen = new Set();
  for (let start = 0; start < all.length; start += ASKED_AT_ONCE) {
    const part = all.slice(start, start + ASKED_AT_ONCE);
    const items = part.map(({ person, photo }) => ({ sha256: photo.sha256, person_id: person.id }));
    const answer = await call("POST", path(collection.id, undefined, "imports", "plan"), { json: { items }, signal });
    const known = new Set(answer.person_ids);
    part.forEach(({ person, photo }, place) => {
      const { state } = answer.items[place];
      if (known.has(person.id)) person.isNew = false;
      if (state === "elsewhere") person.elsewhere += 1;
      else if (state === "present" || seen.has(photo.sha256)) person.present += 1;
      else person.wanted.push(photo);
      seen.add(photo.sha256); // the same file twice is one face
    });
  }
  return [...plan.values()];
}

/** Enrol what `plan` wants. `told` gets {person, path, reason}, reason null where it was taken. Ends by `signal`. */
export async function runImport(collection, plan, reviewMode, signal, told) {
  const left = plan.filter((person) => person.wanted.length);
  const worker = async () => {
    for (let person = left.shift(); person; person = left.shift()) await bring(collection, person, reviewMode, signal, told);
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, worker));
}

async function bring(collection, person, reviewMode, signal, told) {
  let isNew = person.isNew;
  for (let start = 0; start < person.wanted.length; start += BROUGHT_AT_ONCE) {
    signal.throwIfAborted();
    const photos = person.wanted.slice(start, start + BROUGHT_AT_ONCE);
    const form = [["review_mode", reviewMode], ...photos.map((photo) => ["images", photo.file])];
    const key = await sha256(new Blob([[collection.id, person.id, reviewMode, isNew, ...photos.map((photo) => photo.sha256)].join("\n")]));
    let rejected;
    try {
      const answer = isNew
        ? await call("POST", `${path(collection.id)}/persons`, { form: [["id", person.id], ["name", person.name], ...form], key, signal })
        : await call("POST", path(collection.id, person.id, "faces"), { form, key, signal });
      rejected = answer.rejected_images;
      isNew = false;
    } catch (error) {
      if (!(error.status >= 400 && error.status < 500) || error.status === 401 || error.status === 403) throw error;
      rejected = error.details.rejected_images ?? photos.map((_, index) => ({ index, reason: error.code }));
    }
    const reasons = new Map(rejected.map((each) => [each.index, each.reason]));
    photos.forEach((photo, index) => told({ person: person.id, path: photo.path, reason: reasons.get(index) ?? null }));
  }
}

/** Return the outcome of an import as CSV, RFC 4180. */
export function report(outcomes) {
  const quoted = (text) => `"${(/^[=+\-@\t\r]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`; // no formula in a spreadsheet
  const lines = outcomes.map(({ person, path, reason }) => [path, person, reason === null ? "enrolled" : "rejected", reason ?? ""].map(quoted).join(","));
  return ["file,person_id,outcome,reason", ...lines].join("\r\n") + "\r\n";
}
