// Calls of the service. Errors are ApiError with the service's code and words; a call always ends.

import { randomId } from "./digest.js";
import { session, token } from "./session.js";

const TIMEOUT_MS = 35_000; // above the service's own 30 s, whose answer says more
const TRIES_WHEN_BUSY = 4;

/** `down` and `up`: whether the service answers at all. `written`: something was changed. */
export const service = new EventTarget();

/** The last call that a user asked for, to show it as a command. */
export const last = { call: null };

export class ApiError extends Error {
  constructor(status, code, message, details = {}, requestId = null) {
    super(message);
    this.status = status; // 0: no answer
    this.code = code;
    this.details = details;
    this.requestId = requestId;
  }
}

/**
 * Return what the service answers: JSON, or a Blob with `as: "blob"`.
 *
 * `json`: a body. `form`: [name, value] pairs of a multipart body. `image`: a Blob that is the body. `signal` ends it.
 * `key`: of a write that is one write however often it is sent. `told`: whether "show as curl" shows it. Waits and repeats when the service is busy, and after a new sign-in.
 */
export async function call(method, path, options = {}) {
  const key = method === "GET" ? null : (options.key ?? randomId()); // one for all tries, so that a repeated write is one write
  if (options.told) last.call = { method, path, ...options };
  for (let attempt = 1; ; attempt += 1) {
    const used = token();
    try {
      const answer = await once(method, path, options, key);
      if (!readsOnly(method, path)) service.dispatchEvent(new Event("written"));
      return answer;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401 && options.asks !== false) await newToken(used);
      else if (error.status === 429 && attempt < TRIES_WHEN_BUSY) await pause(1000 * attempt, options.signal);
      else throw error;
    }
  }
}

function readsOnly(method, path) {
  return method === "GET" || /\/(identify|search|verify|detect|compare|embeddings|plan)$/.test(path);
}

async function once(method, path, { query, json, form, image, signal, as }, key) {
  const address = new URL(path, location.origin);
  for (const [name, value] of Object.entries(query ?? {})) {
    for (const each of [value].flat()) if (each !== undefined && each !== null) address.searchParams.append(name, each);
  }
  const headers = { Authorization: `Bearer ${token()}` };
  if (key !== null) headers["Idempotency-Key"] = key;
  let body;
  if (json !== undefined) {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify(json);
  } else if (form !== undefined) {
    body = new FormData();
    for (const [name, value] of form) value instanceof Blob ? body.append(name, value, value.name ?? "photo.jpg") : body.append(name, value);
  } else if (image !== undefined) {
    headers["Content-Type"] = image.type || "application/octet-stream";
    body = image;
  }
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  let response;
  let answer;
  try {
    response = await fetch(address, {
      method,
      headers,
      body,
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
    });
    answer = response.ok && as === "blob" ? await response.blob() : await response.text();
  } catch (error) {
    if (signal?.aborted) throw error; // the user went on
    service.dispatchEvent(new Event("down"));
    throw new ApiError(0, timeout.aborted ? "no_answer_in_time" : "no_answer", "");
  }
  if (response.ok) {
    service.dispatchEvent(new Event("up"));
    return as === "blob" || answer === "" ? answer : JSON.parse(answer);
  }
  throw problem(response, answer);
}

function problem(response, text) {
  try {
    const { error, request_id } = JSON.parse(text);
    return new ApiError(response.status, error.code, error.message, error.details, request_id);
  } catch {
    return new ApiError(response.status, "unreadable_answer", text.slice(0, 200), {}, response.headers.get("x-request-id"));
  }
}

/** Wait until somebody signed in with another token than `used`. */
function newToken(used) {
  if (token() !== used) return Promise.resolve();
  return new Promise((resolve) => {
    session.addEventListener("change", resolve, { once: true });
    session.dispatchEvent(new Event("expired"));
  });
}

export function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

/** Return the path of a collection, a person or what belongs to one. */
export function path(collection, person, ...more) {
  const words = ["/v1/collections", collection, ...(person === undefined ? [] : ["persons", person]), ...more];
  return [words[0], ...words.slice(1).map(encodeURIComponent)].join("/");
}
