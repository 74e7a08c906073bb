// Where the wallet sends the browser back to. Coming here proves nothing: the page follows the order and says what the
// server knows, which it learns from the channel alone.
import { byId, show } from "./dom.js";
import { onLanguage, say, sayWords, startLanguage } from "./i18n.js";
import { isFinal, replaces, viewOf } from "./checkout-state.js";
import { money } from "./money.js";
import { watch } from "./watch.js";

const OUTCOMES = { paid: "paid", partially_refunded: "partially_refunded", refunded: "refunded", cancelled: "cancelled", expired: "expired" };

const checkout = byId("outcome").dataset.checkout;
let state = null;

startLanguage();
const stream = watch(`${checkout}/watch`, { onState: arrived, onConnection: connection, onGone: gone });
onLanguage(paint);

function arrived(next) {
  if (!replaces(next, state)) return;
  state = next;
  paint();
  if (isFinal(state)) {
    stream.stop();
    connection("live");
  }
}

function paint() {
  if (!state) return;
  const outcome = OUTCOMES[viewOf(state, Date.parse(state.server_at))] ?? "open";
  byId("outcome").dataset.outcome = outcome;
  byId("state").dataset.state = state.status;
  say(byId("state"), `return.${outcome}.title`);
  say(byId("result"), `return.${outcome}.words`);
  sayWords(byId("amount"), money({ amountText: state.amount_text, amount: state.amount, currency: state.currency }));
  sayWords(byId("title"), state.title ?? "");
  show(byId("bill"), true);
  show(byId("to-courses"), ["paid", "partially_refunded", "refunded"].includes(outcome));
  show(byId("to-checkout"), outcome === "open" || outcome === "expired");
}

function connection(word) {
  show(byId("connection"), word !== "live");
  if (word !== "live") say(byId("connection"), `checkout.connection.${word}`);
}

function gone() {
  byId("outcome").dataset.outcome = "unknown";
  byId("state").dataset.state = "unknown";
  say(byId("state"), "outcome.unknown.title");
  say(byId("result"), "outcome.unknown.words");
  show(byId("connection"), false);
  show(byId("to-checkout"), false);
}
