// Which language, and its texts. A language is one file in `texts/` and one line here.

const LANGUAGES = { en: () => import("../texts/en.js"), de: () => import("../texts/de.js") };
const KEPT = "faceserve.language";

let texts = {};
let language = "en";
let plurals = new Intl.PluralRules("en");

export const languages = Object.keys(LANGUAGES);

/** Load the texts of the language that the user chose before, or that the browser prefers. */
export async function loadTexts() {
  const wanted = [localStorage.getItem(KEPT), ...navigator.languages.map((tag) => tag.slice(0, 2))];
  language = wanted.find((each) => each in LANGUAGES) ?? "en";
  texts = (await LANGUAGES[language]()).default;
  plurals = new Intl.PluralRules(language);
  document.documentElement.lang = language;
}

/** Keep `chosen` as the language of this browser. */
export function chooseLanguage(chosen) {
  localStorage.setItem(KEPT, chosen);
}

export function currentLanguage() {
  return language;
}

/** Return the text `key` with `{name}` replaced by `values.name`. A text with forms is chosen by `values.n`. */
export function t(key, values = {}) {
  let text = texts[key];
  if (text === undefined) throw new Error(`no text ${key}`);
  if (typeof text !== "string") text = text[plurals.select(values.n)] ?? text.other;
  return text.replace(/\{(\w+)\}/g, (_, name) => shown(values[name]));
}

/** Tell whether there is a text `key`: codes of the service may be newer than this page. */
export function hasText(key) {
  return key in texts;
}

function shown(value) {
  return typeof value === "number" ? number(value) : String(value);
}

export function number(value, digits) {
  return new Intl.NumberFormat(language, { minimumFractionDigits: digits, maximumFractionDigits: digits ?? 2 }).format(value);
}

export function date(iso) {
  return new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(new Date(iso));
}
