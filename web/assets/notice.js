// The line of a page that says what went wrong or what was found, and offers to try again.
import { byId, make, show } from "./dom.js";
import { sayWords } from "./i18n.js";
import { wordsOf } from "./api.js";

/** Says what went wrong; with `again` it offers a button that calls it. */
export function complain(error, again) {
  const place = byId("notice");
  const words = make("p", { class: "notice-words" });
  sayWords(words, wordsOf(error));
  place.replaceChildren(words);
  if (again) {
    const button = make("button", { class: "button quiet", type: "button", "data-testid": "try-again", say: "problem.try_again" });
    button.addEventListener("click", () => {
      clearNotice();
      again();
    });
    place.append(button);
  }
  show(place, true);
}

/** Takes the line away. */
export function clearNotice() {
  const place = byId("notice");
  place.replaceChildren();
  show(place, false);
}
