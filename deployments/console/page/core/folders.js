// A folder as somebody drops or chooses it: a folder a person, with photos in it.

import { hex, plainSha256 } from "./digest.js";

const PHOTO = /\.(jpe?g|png|webp|bmp|gif|heic|heif)$/i;

/** Return the files of a drop, those in folders too, as {path, file}. */
export async function droppedFiles(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (entries.length === 0) return [...transfer.files].map((file) => ({ path: file.name, file }));
  const found = [];
  for (const entry of entries) await walk(entry, found);
  return found;
}

/** Return the files of an <input webkitdirectory>, as {path, file}. */
export function chosenFiles(input) {
  return [...input.files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
}

/**
 * Return photos by person: [{folder, photos: [{path, file}]}], and the files that stand in no person's folder.
 *
 * The folder below the one that was chosen names the person, as in crew/Name_Surname/0001.jpg.
 */
export function byPerson(files) {
  const folders = new Map();
  const skipped = [];
  for (const each of files) {
    const words = each.path.split("/");
    if (words.some((word) => word.startsWith("."))) continue;
    if (!PHOTO.test(each.path) || words.length < 2) skipped.push(each.path);
    else {
      const folder = words.length > 2 ? words[1] : words[0];
      if (!folders.has(folder)) folders.set(folder, []);
      folders.get(folder).push(each);
    }
  }
  const persons = [...folders].map(([folder, photos]) => ({ folder, photos }));
  return { persons: persons.sort((a, b) => a.folder.localeCompare(b.folder)), skipped };
}

/** Return the id of the person whose folder is `text`, always the same, and the same as that of `faceserve import`. */
export function personIdOf(text) {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text)) return text;
  const digest = hex(plainSha256(new TextEncoder().encode(text))).slice(0, 12);
  const kept = text.replace(/[^A-Za-z0-9._-]+/g, "_").replace(/^[._-]+|[._-]+$/g, "").slice(0, 51);
  return kept ? `${kept}-${digest}` : `p-${digest}`;
}

async function walk(entry, found) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push({ path: entry.fullPath.replace(/^\//, ""), file });
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // 100 at a time
    if (some.length === 0) return;
    for (const each of some) await walk(each, found);
  }
}
