// The checkout: shows what is owed, makes the code once, follows what happens to it, and asks when the buyer says so.
import { call } from "./api.js";
import { byId, whileBusy } from "./dom.js";
import { onLanguage, startLanguage } from "./i18n.js";
import { isFinal, offered, replaces, viewOf, withKnownRecord } from "./checkout-state.js";
import * as page from "./checkout-view.js";
import { ServerClock } from "./countdown.js";
import { watch } from "./watch.js";

/** The checkout's own address, which holds its token. */
const address = location.pathname.replace(/\/+$/, "");
/** The wallet that was chosen before, if one was. */
const preferred = location.hash.slice(1);
const TICK_MS = 250;

const clock = new ServerClock();
let state = null;
let view = null;
/** The page makes a code by itself once; after that only a person does. */
let codeWasAsked = false;
let codeIsBeingMade = false;

startLanguage();
const stream = watch(`${address}/watch`, { onState: arrived, onConnection: page.paintConnection, onGone: gone });
onLanguage(repaint);
setInterval(tick, TICK_MS);
byId("i-have-paid").addEventListener("click", () => whileBusy(byId("i-have-paid"), askForPayment));
byId("make-code").addEventListener("click", () => whileBusy(byId("make-code"), () => makeCode(currentChannel())));
byId("renew").addEventListener("click", () => whileBusy(byId("renew"), renew));

function arrived(next) {
  page.clearUnreachable();
  if (!replaces(next, state)) return;
  clock.set(next.server_at);
  state = withKnownRecord(next, state);
  repaint();
  if (isFinal(state)) {
    stream.stop();
    page.paintConnection("live");
  }
  if (view === "none" && !codeWasAsked) makeCode(currentChannel());
}

function gone() {
  page.paintConnection("live");
  page.paintGone();
}

function repaint() {
  if (!state) return;
  const hadFocus = byId("till").contains(document.activeElement);
  const before = view;
  view = currentView();
  // What was said about the view before is no longer true of this one.
  if (before !== null && before !== view) page.paintAnswer(null);
  page.paint(state, view, chooseChannel);
  page.paintCountdown(state, view, clock.now());
  // A button that had the focus and went away would leave the keyboard nowhere.
  if (hadFocus && !byId("till").contains(document.activeElement)) byId("till").focus();
}

/** The count-down, and the views that time alone brings. */
function tick() {
  if (!state) return;
  if (currentView() === view) {
    page.paintCountdown(state, view, clock.now());
    return;
  }
  repaint();
  // What the server makes of a passed deadline is worth knowing at once.
  stream.refresh();
}

/** A code that was asked for in vain is offered again by a button, not asked for in a loop. */
function currentView() {
  const wanted = viewOf(state, clock.now(), navigator.userAgent);
  return wanted === "none" && codeWasAsked && !codeIsBeingMade ? "code_failed" : wanted;
}

function currentChannel() {
  if (state.pay_record) return state.pay_record.channel;
  const channels = offered(state.channels ?? [], navigator.userAgent);
  return channels.find((channel) => page.walletOf(channel) === preferred) ?? channels[0] ?? null;
}

async function makeCode(channel) {
  if (codeIsBeingMade) return;
  codeWasAsked = true;
  if (channel === null) {
    repaint();
    return;
  }
  codeIsBeingMade = true;
  page.paintAnswer(null);
  let failure = null;
  try {
    const { data } = await call("POST", `${address}/pay-records`, { body: { channel }, anonymous: true });
    state = { ...state, pay_record: data };
  } catch (problem) {
    failure = problem;
  }
  codeIsBeingMade = false;
  repaint();
  if (failure === null) return;
  page.paintFailure(failure);
  // The order may be paid or over: then the stream says so, and this page with it.
  stream.refresh();
}

async function chooseChannel(channel) {
  if (channel !== state.pay_record?.channel) await makeCode(channel);
}

async function askForPayment() {
  page.paintAnswer("checkout.asking");
  try {
    const { data } = await call("POST", `${address}/sync`, { body: {}, anonymous: true });
    arrived(data);
    page.paintAnswer(state.status === "awaiting_payment" || state.status === "closing" ? "checkout.not_found_yet" : null);
  } catch (problem) {
    page.paintFailure(problem);
  }
}

async function renew() {
  page.paintAnswer(null);
  let answer;
  try {
    answer = await call("POST", `${address}/renew`, { body: {}, anonymous: true });
  } catch (problem) {
    page.paintFailure(problem);
    stream.refresh();
    return;
  }
  const next = new URL(answer.data.checkout_url, location.href);
  // The same address opened again would keep this page's state of things.
  if (next.href === location.href) location.reload();
  else location.assign(next.href);
}
