// The collections that the token grants, and the one that screens are about.

import { call, service } from "./api.js";

const KEPT = "faceserve.collection";
let known = null;
service.addEventListener("written", forget); // their counts may be others now

/** Return all collections that the token grants, as of the last `forget`. */
export async function collections(signal) {
  if (known === null) {
    const found = [];
    let cursor;
    do {
      const page = await call("GET", "/v1/collections", { query: { limit: 100, cursor }, signal });
      found.push(...page.collections);
      cursor = page.next_cursor;
    } while (cursor);
    known = found;
  }
  return known;
}

/** Have the collections asked for again: one changed, or the token is another. */
export function forget() {
  known = null;
}

/** Return the collection of the user's choice, else the first; null where there is none. */
export async function chosen(id, signal) {
  const all = await collections(signal);
  const wanted = id ?? sessionStorage.getItem(KEPT);
  return all.find((collection) => collection.id === wanted) ?? (id ? null : (all[0] ?? null));
}

export function choose(id) {
  sessionStorage.setItem(KEPT, id);
}
