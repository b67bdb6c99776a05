// A folder as somebody drops or chooses it: a folder a person, with photos in it.

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
 * The folder right above a photo names the person, as in Name_Surname/0001.jpg.
 */
export function byPerson(files) {
  const folders = new Map();
  const skipped = [];
  for (const each of files) {
    const words = each.path.split("/");
    if (words.some((word) => word.startsWith("."))) continue;
    if (!PHOTO.test(each.path) || words.length < 2) skipped.push(each.path);
    else {
      const folder = words.at(-2);
      if (!folders.has(folder)) folders.set(folder, []);
      folders.get(folder).push(each);
    }
  }
  const persons = [...folders].map(([folder, photos]) => ({ folder, photos }));
  return { persons: persons.sort((a, b) => a.folder.localeCompare(b.folder)), skipped };
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
