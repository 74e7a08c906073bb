// The small pages that say one thing. The only thing to do on one of them is to renew what has expired.
import { call, wordsOf } from "./api.js";
import { show, whileBusy } from "./dom.js";
import { sayWords, startLanguage } from "./i18n.js";

startLanguage();
for (const button of document.querySelectorAll("[data-renew]")) {
  button.addEventListener("click", () => whileBusy(button, () => renew(button.dataset.renew)));
}

async function renew(address) {
  const line = document.getElementById("answer");
  show(line, false);
  try {
    const { data } = await call("POST", address, { body: {}, anonymous: true });
    location.assign(new URL(data.checkout_url, location.href).href);
  } catch (problem) {
    sayWords(line, wordsOf(problem));
    show(line, true);
  }
}
