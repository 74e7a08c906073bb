// The page's language: which one, the texts in it, and the switch between them.
import texts from "./texts.js";

const STORAGE_KEY = "paystream.language";
const LANGUAGES = ["en", "zh"];

/** What fills the holes of an element's text: names to values, or to functions that answer the value. */
const holes = new WeakMap();
const listeners = new Set();
let current = remembered() ?? ofDocument();

/** The language of the page now: "en" or "zh". */
export function language() {
  return current;
}

/** The text of `key` in the page's language, its `{holes}` filled. */
export function text(key, values = {}) {
  const template = texts[current][key] ?? key;
  return template.replace(/\{(\w+)\}/g, (hole, name) => {
    const value = values[name];
    return String((typeof value === "function" ? value() : value) ?? hole);
  });
}

/** Lets `element` say `key` now and after every switch of language. */
export function say(element, key, values = {}) {
  element.dataset.i18n = key;
  holes.set(element, values);
  write(element, text(key, values));
}

/** Lets `element` say `words`, which are in no dictionary: a title, a number, what the server answered. */
export function sayWords(element, words) {
  delete element.dataset.i18n;
  holes.delete(element);
  write(element, words);
}

/** Calls `listener` after every switch of language. */
export function onLanguage(listener) {
  listeners.add(listener);
}

/** A moment as people write it, in their own time zone. `moment`: RFC 3339. */
export function dateAndTime(moment) {
  return written(moment, { dateStyle: "medium", timeStyle: "short" });
}

/** A moment close to now: its time of day, and its date only where that is another day's. */
export function timeNearby(moment, nowMs) {
  const isToday = new Date(moment).toDateString() === new Date(nowMs).toDateString();
  return isToday ? written(moment, { timeStyle: "short" }) : dateAndTime(moment);
}

function written(moment, style) {
  const date = new Date(moment);
  if (Number.isNaN(date.getTime())) return String(moment);
  return new Intl.DateTimeFormat(current === "zh" ? "zh-CN" : "en-GB", style).format(date);
}

/** Makes the page ready: its switch works and its texts are in the language that the reader wants. */
export function startLanguage() {
  for (const button of document.querySelectorAll("[data-language-switch]")) {
    button.addEventListener("click", () => choose(current === "en" ? "zh" : "en"));
  }
  apply();
}

function choose(next) {
  current = next;
  try {
    window.localStorage.setItem(STORAGE_KEY, next);
  } catch {
    // Without storage the choice lasts as long as the page.
  }
  apply();
  for (const listener of listeners) listener();
}

function apply() {
  document.documentElement.lang = current;
  for (const element of document.querySelectorAll("[data-i18n]")) {
    write(element, text(element.dataset.i18n, holes.get(element)));
  }
  for (const element of document.querySelectorAll("[data-i18n-label]")) {
    element.setAttribute("aria-label", text(element.dataset.i18nLabel));
  }
  for (const element of document.querySelectorAll("[data-i18n-alt]")) {
    element.setAttribute("alt", text(element.dataset.i18nAlt));
  }
  document.documentElement.removeAttribute("data-translating");
}

/** Writes only what changed: a live region is read out again whenever it is written. */
function write(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

function remembered() {
  try {
    const chosen = window.localStorage.getItem(STORAGE_KEY);
    return LANGUAGES.includes(chosen) ? chosen : null;
  } catch {
    return null;
  }
}

function ofDocument() {
  return document.documentElement.lang.startsWith("zh") ? "zh" : "en";
}
