// The camera: a live picture with frames and names, as fast as the service answers, one request at a time.

import { call, path, pause } from "../core/api.js";
import { fill, h } from "../core/dom.js";
import { t } from "../core/texts.js";
import { called } from "./faces.js";
import { icon } from "./icons.js";
import { framesOf } from "./photo.js";
import { failure } from "./states.js";

const MAX_SIDE = 960; // a face at arm's length has 200 px of it, and a frame some 60 kB
const REST_MS = 60; // between two requests, for other users
const REST_WHEN_BUSY_MS = 2000;

/**
 * Return a live picture of the camera. `stop` gets the last picture as a JPEG where the user took it, else nothing.
 *
 * The camera is let go when `signal` is aborted, the tab is hidden, or the user is done.
 */
export function liveCamera(collection, signal, stop) {
  const over = new AbortController();
  const both = AbortSignal.any([signal, over.signal]);
  const video = h("video", { autoplay: true, muted: true, playsinline: true, "aria-label": t("camera.live") });
  const frames = h("div", { class: "frames" });
  const line = h("p", { class: "faint small", role: "status" }, t("camera.starting"));
  const end = (picture) => {
    over.abort();
    stop(picture);
  };
  const element = h(
    "div",
    { class: "camera" },
    h("div", { class: "photo" }, video, frames),
    line,
    h(
      "div",
      { class: "row" },
      h("button", { class: "button primary", type: "button", onclick: async () => end(await still(video)) }, icon("photo"), t("camera.take")),
      h("button", { class: "button", type: "button", onclick: () => end() }, t("camera.stop")),
    ),
  );
  run().catch((error) => {
    if (both.aborted) return;
    if (error.status === undefined) console.error(error);
    fill(element, failure(error), h("button", { class: "button", type: "button", onclick: () => end() }, t("close")));
  });
  return element;

  async function run() {
    if (!navigator.mediaDevices) throw Object.assign(new Error(t("camera.insecure")), { status: 400, code: "camera" });
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user", width: { ideal: 1280 } }, audio: false });
    } catch (error) {
      throw Object.assign(new Error(t(error.name === "NotAllowedError" ? "camera.refused" : "camera.none")), { status: 400, code: "camera" });
    }
    const release = () => stream.getTracks().forEach((track) => track.stop());
    both.addEventListener("abort", release);
    if (both.aborted) return release();
    document.addEventListener("visibilitychange", () => document.hidden && end(), { signal: both });
    video.srcObject = stream;
    await video.play();
    while (!both.aborted) await look();
  }

  async function look() {
    const picture = await still(video);
    const started = performance.now();
    try {
      const answer = await call("POST", path(collection.id, undefined, "identify"), { image: picture, query: { limit: 2, max_faces: 20 }, signal: both, told: true });
      const rate = Math.round(10_000 / (performance.now() - started)) / 10;
      fill(frames, framesOf(answer.faces.map(framed)));
      line.textContent = t("camera.status", { n: answer.faces.length, rate });
      await pause(REST_MS, both);
    } catch (error) {
      if (both.aborted) return;
      if (error.status !== 429 && error.status < 500 && error.status !== 0) throw error;
      line.textContent = t("error.overloaded");
      await pause(REST_WHEN_BUSY_MS, both).catch(() => undefined);
    }
  }
}

function framed(face) {
  const known = face.person && face.decision !== "no_match";
  return { bbox: face.face.bbox, kind: face.decision, label: known ? `${called(face.person)}${face.decision === "match" ? "" : "?"}` : t("try.unknown") };
}

/** Return what the camera shows now as a JPEG. */
async function still(video) {
  const scale = Math.min(1, MAX_SIDE / Math.max(video.videoWidth, video.videoHeight));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.85));
  return new File([blob], "camera.jpg", { type: "image/jpeg" });
}
