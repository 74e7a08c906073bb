// Making and finding elements.
import { say } from "./i18n.js";

/** The element with this id; every shell holds what its module asks for. */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the shell has no element ${id}`);
  return element;
}

/**
 * Makes an element. `properties` are attributes, except: `text` is its text as it stands, `say` a key of the dictionary,
 * `values` what fills that text's holes, `on` a map of event listeners. An attribute that is null or false is left out.
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  const { text, say: key, values, on, ...attributes } = properties;
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const [event, listener] of Object.entries(on ?? {})) element.addEventListener(event, listener);
  if (text !== undefined) element.textContent = text;
  if (key !== undefined) say(element, key, values);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Shows or hides. */
export function show(element, visible) {
  element.hidden = !visible;
}

/** Runs `work` with `button` disabled and marked busy, so that a second click does nothing. */
export async function whileBusy(button, work) {
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  button.disabled = true;
  try {
    await work();
  } finally {
    button.removeAttribute("aria-busy");
    button.disabled = false;
  }
}
