// The last call as a command, for those who want to write a program next.

import { last } from "../core/api.js";
import { h } from "../core/dom.js";
import { t } from "../core/texts.js";
import { ask } from "./dialogs.js";
import { icon } from "./icons.js";
import { say } from "./messages.js";

/** Return a button that shows the last call of the user as curl. */
export function curlButton() {
  return h("button", { class: "quiet", type: "button", onclick: show }, icon("code"), h("span", {}, t("curl.show")));
}

function show() {
  const command = curl(last.call, location.origin);
  ask({
    title: t("curl.title"),
    big: true,
    body: [h("p", {}, t("curl.text")), h("pre", { class: "code", tabindex: 0 }, command)],
    action: {
      label: t("copy"),
      async run() {
        await navigator.clipboard.writeText(command);
        say(t("copied"));
      },
    },
  });
}

/** Return `call` as a command of a POSIX shell. The token is a variable: a command ends up in histories. */
export function curl(call, origin) {
  const address = new URL(call.path, origin);
  for (const [name, value] of Object.entries(call.query ?? {})) {
    for (const each of [value].flat()) if (each !== undefined && each !== null) address.searchParams.append(name, each);
  }
  const words = ["curl -s", call.method === "GET" ? "" : `-X ${call.method}`, '-H "Authorization: Bearer $FACESERVE_TOKEN"'];
  if (call.json !== undefined) words.push(`-H 'Content-Type: application/json'`, `-d ${quoted(JSON.stringify(call.json))}`);
  else if (call.image !== undefined) words.push(`-H ${quoted(`Content-Type: ${call.image.type}`)}`, `--data-binary ${quoted(`@${call.image.name ?? "photo.jpg"}`)}`);
  else for (const [name, value] of call.form ?? []) words.push(`-F ${quoted(`${name}=${value instanceof Blob ? `@${value.name ?? "photo.jpg"}` : value}`)}`);
  words.push(quoted(address.href));
  return words.filter(Boolean).join(" \\\n  ");
}

function quoted(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
