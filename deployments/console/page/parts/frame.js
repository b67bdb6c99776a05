// The frame of all screens: the navigation, the collection that they are about, and whether the service answers.

import { call, pause, service } from "../core/api.js";
import { choose, chosen, collections, forget } from "../core/collections.js";
import { fill, h, put } from "../core/dom.js";
import { here, to } from "../core/routes.js";
import { may, session, signOut, token } from "../core/session.js";
import { chooseLanguage, currentLanguage, languages, t } from "../core/texts.js";
import { SCREENS } from "../screens/list.js";
import { icon } from "./icons.js";
import { messageRegion } from "./messages.js";
import { signIn } from "./signin.js";
import { empty, failure, waiting } from "./states.js";

const ASK_AGAIN_MS = 2000;
let leave = new AbortController(); // of the screen that is shown
let parts;

/** Build the frame in `body`, sign in where there is no token, and show the screen of the address. */
export async function startFrame(body) {
  parts = {
    navigation: h("nav", { class: "navigation", "aria-label": t("navigation") }),
    chooser: h("div", { class: "chooser" }),
    banner: h("div", { class: "banner", role: "alert" }),
    main: h("main", { id: "main", tabindex: -1 }),
  };
  fill(
    body,
    h("a", { class: "skip", href: "#main", onclick: toMain }, t("skip")),
    h(
      "header",
      { class: "side" },
      h("a", { class: "brand", href: to("try") }, icon("scan"), h("span", {}, "faceserve")),
      parts.chooser,
      parts.navigation,
      h("div", { class: "side-foot" }, languageChooser(), h("button", { class: "quiet", type: "button", onclick: signOut }, icon("out"), h("span", {}, t("signout")))),
    ),
    h("div", { class: "content" }, parts.banner, parts.main),
    messageRegion(),
  );
  service.addEventListener("down", watchService);
  session.addEventListener("expired", () => signIn({ expired: true }));
  session.addEventListener("change", () => (token() === null ? signedOut() : undefined));
  addEventListener("hashchange", show);
  if (token() === null) await signIn();
  show();
}

function toMain(event) {
  event.preventDefault();
  parts.main.focus();
}

async function signedOut() {
  forget();
  leave.abort();
  fill(parts.main);
  await signIn();
  show();
}

async function show() {
  leave.abort();
  leave = new AbortController();
  const { signal } = leave;
  const { screen: id, words, query } = here();
  const screen = SCREENS.find((each) => each.id === id) ?? SCREENS.find(allowed) ?? SCREENS[0];
  document.title = `${t(`screen.${screen.id}`)} · faceserve`;
  drawNavigation(screen, null);
  delete parts.main.dataset.shown;
  fill(parts.main, waiting());
  try {
    const [module, about] = await Promise.all([screen.load(), subject(screen, words, signal)]);
    if (signal.aborted) return;
    drawNavigation(screen, about);
    if (!allowed(screen)) fill(parts.main, empty("alert", t("scope.missing"), t("scope.missing.text", { scopes: screen.scopes.join(", ") })));
    else if (about === undefined) fill(parts.main, await noCollection(words, signal));
    else {
      fill(parts.main);
      await module.show(parts.main, { collection: about, words: words.slice(1), query, signal, reload: show });
    }
    parts.main.dataset.shown = location.hash.split("?")[0];
    parts.main.focus({ preventScroll: true });
    scrollTo(0, 0);
  } catch (error) {
    if (signal.aborted) return;
    if (error.status === undefined) console.error(error);
    fill(parts.main, failure(error, show));
  }
}

/** Return the collection that the screen is about, null where it is about none, undefined where there is none. */
async function subject(screen, words, signal) {
  if (screen.of !== "collection" || !allowed(screen)) return null;
  const found = await chosen(words[0], signal);
  if (found === null) return undefined;
  choose(found.id);
  return found;
}

async function noCollection(words, signal) {
  if (words[0] && (await collections(signal)).length) return empty("stack", t("collection.unknown", { id: words[0] }), t("collection.unknown.text"));
  const { createCollection } = await import("./new_collection.js");
  const create = async () => {
    const made = await createCollection();
    if (made) show();
  };
  return empty(
    "stack",
    t("collection.none"),
    may("collections:admin") ? t("collection.none.text") : t("collection.none.ask"),
    may("collections:admin") && h("button", { class: "button primary", type: "button", onclick: create }, icon("plus"), t("collection.create")),
  );
}

function allowed(screen) {
  return screen.scopes.every(may);
}

function drawNavigation(current, about) {
  const marked = current.under ?? current.id;
  const entries = SCREENS.filter((screen) => !screen.under && allowed(screen));
  fill(
    parts.navigation,
    entries.map((screen) =>
      h(
        "a",
        { href: screen.of && about ? to(screen.id, about.id) : to(screen.id), "aria-current": screen.id === marked && "page" },
        icon(screen.icon),
        h("span", {}, t(`screen.${screen.id}`)),
      ),
    ),
  );
  if (about) drawChooser(current, about);
  else if (current.of) fill(parts.chooser);
}

async function drawChooser(current, about) {
  const all = await collections();
  const select = h(
    "select",
    {
      "aria-label": t("collection.choose"),
      onchange: () => {
        location.hash = to(current.under ?? current.id, select.value);
      },
    },
    all.map((each) => h("option", { value: each.id, selected: each.id === about.id }, each.name)),
  );
  fill(parts.chooser, h("div", { class: "select" }, icon("stack"), select, icon("down")));
}

function languageChooser() {
  if (languages.length < 2) return null;
  const select = h(
    "select",
    {
      "aria-label": t("language"),
      onchange: () => {
        chooseLanguage(select.value);
        location.reload();
      },
    },
    languages.map((each) => h("option", { value: each, lang: each, selected: each === currentLanguage() }, new Intl.DisplayNames([each], { type: "language" }).of(each))),
  );
  return h("div", { class: "select plain" }, select, icon("down"));
}

/** Say that the service does not answer until it does; then show the screen anew, unless it is in use. */
async function watchService() {
  if (parts.banner.hasChildNodes()) return;
  put(parts.banner, icon("alert"), h("p", {}, t("service.down")));
  for (;;) {
    await pause(ASK_AGAIN_MS);
    try {
      const health = await call("GET", "/v1/health", { asks: false });
      if (health.status === "ready") break;
    } catch {
      continue;
    }
  }
  fill(parts.banner);
  if (parts.main.querySelector(".failure")) show();
}
