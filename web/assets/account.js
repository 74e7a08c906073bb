// Signing in and out, on every page that needs to know who is there.
import { call, wordsOf } from "./api.js";
import { byId, show, whileBusy } from "./dom.js";
import { say, sayWords } from "./i18n.js";
import { clearNotice, complain } from "./notice.js";
import { endSession, keepSession, session } from "./session.js";

let waiting = null;
let changed = () => {};

/**
 * Makes the header's account line and the sign-in panel work.
 * `onChange` is called after each sign-in and sign-out that no one waits for in `askToSignIn`.
 */
export function startAccount(onChange) {
  changed = onChange;
  byId("sign-in-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const button = byId("sign-in-submit");
    whileBusy(button, () => signIn(byId("sign-in-username").value.trim(), byId("sign-in-password").value));
  });
  for (const button of document.querySelectorAll("[data-demo-account]")) {
    button.addEventListener("click", () => {
      whileBusy(button, () => signIn(button.dataset.demoAccount, button.dataset.demoPassword));
    });
  }
  byId("sign-out").addEventListener("click", () => {
    endSession();
    paint();
    changed();
  });
  paint();
}

/**
 * Asks to sign in, saying why (`reason`, a key of the dictionary), and calls `then` once that is done.
 * Whoever asks last is called; a page has one thing that waits.
 */
function askToSignIn(reason, then) {
  waiting = then;
  paint();
  show(byId("sign-in"), true);
  say(byId("sign-in-reason"), reason);
  show(byId("sign-in-reason"), true);
  byId("sign-in").scrollIntoView({ block: "nearest" });
  byId("sign-in-title").focus();
}

/**
 * Runs `work` for someone who is signed in; asks to sign in first, or again, and then runs it from the start.
 * What else goes wrong is said in the page's notice, with a way to try again.
 * `reason`: what is said to someone who was not signed in.
 */
export async function signedIn(reason, work) {
  const again = () => signedIn(reason, work);
  if (!session()) {
    askToSignIn(reason, again);
    return;
  }
  clearNotice();
  try {
    await work();
  } catch (problem) {
    if (problem.status === 401) {
      endSession();
      askToSignIn("sign_in.again", again);
    } else {
      complain(problem, again);
    }
  }
}

async function signIn(username, password) {
  const answerLine = byId("sign-in-problem");
  show(answerLine, false);
  try {
    const { data } = await call("POST", "/api/v1/sessions", { body: { username, password }, anonymous: true });
    keepSession(username, data);
  } catch (problem) {
    sayWords(answerLine, wordsOf(problem));
    show(answerLine, true);
    return;
  }
  byId("sign-in-password").value = "";
  show(byId("sign-in-reason"), false);
  paint();
  const next = waiting ?? changed;
  waiting = null;
  await next();
}

function paint() {
  const who = session();
  show(byId("sign-in"), !who);
  show(byId("account"), Boolean(who));
  sayWords(byId("account-name"), who ? who.username : "");
}
