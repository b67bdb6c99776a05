// Pictures by fetch: an <img> cannot send a token. Each is a blob URL that is released when its screen is left.

import { call, path } from "./api.js";

const AT_ONCE = 6; // what a browser opens to one server
let running = 0;
const waiting = [];

/** Return a blob's address that holds until `signal` says that the screen is left. */
export function addressOf(blob, signal) {
  const address = URL.createObjectURL(blob);
  signal.addEventListener("abort", () => URL.revokeObjectURL(address), { once: true });
  return address;
}

/** Return the address of an enrolled face's picture, null where there is none. */
export async function faceAddress(collection, person, face, signal) {
  try {
    const blob = await inTurn(() => call("GET", path(collection, person, "faces", face, "image"), { as: "blob", signal }));
    return addressOf(blob, signal);
  } catch (error) {
    if (signal.aborted || error.status === 404) return null;
    throw error;
  }
}

/** Return the first enrolled face of a person that has a picture, null where none has. */
export async function firstFace(collection, person, signal) {
  const page = await inTurn(() => call("GET", path(collection, person, "faces"), { query: { limit: 5 }, signal }));
  return page.faces.find((face) => face.has_crop)?.id ?? null;
}

async function inTurn(work) {
  if (running >= AT_ONCE) await new Promise((resolve) => waiting.push(resolve));
  running += 1;
  try {
    return await work();
  } finally {
    running -= 1;
    waiting.pop()?.(); // the newest first: that is where the user has scrolled to
  }
}

/** Return the decoded photo, upright; null where this browser cannot show its format. */
export async function decode(blob) {
  try {
    return await createImageBitmap(blob, { imageOrientation: "from-image" });
  } catch {
    return null;
  }
}

/** Return the part of `photo` around a face as a JPEG. `margin`: on each side, of the face's size. */
export async function cut(photo, bbox, margin = 0.35, maxSide = 1200) {
  const { left, top, width, height } = bbox.normalized;
  const x = Math.max(0, left - margin * width) * photo.width;
  const y = Math.max(0, top - margin * height) * photo.height;
  const right = Math.min(1, left + (1 + margin) * width) * photo.width;
  const bottom = Math.min(1, top + (1 + margin) * height) * photo.height;
  const scale = Math.min(1, maxSide / Math.max(right - x, bottom - y));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round((right - x) * scale));
  canvas.height = Math.max(1, Math.round((bottom - y) * scale));
  canvas.getContext("2d").drawImage(photo, x, y, right - x, bottom - y, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.95));
}
