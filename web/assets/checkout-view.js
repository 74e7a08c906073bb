// Paints a checkout. What is shown is decided in checkout-state.js; here it only gets its words and places.
import { wordsOf } from "./api.js";
import { byId, make, show } from "./dom.js";
import { dateAndTime, say, sayWords, text, timeNearby } from "./i18n.js";
import { money } from "./money.js";
import { appOf, deadline, isPage, isSandbox, linkInApp, offered, walletAddress } from "./checkout-state.js";
import { clockText, secondsLeft } from "./countdown.js";
import { drawQr } from "./qr.js";

/** The views in which the order can still be paid here, so that the code's place is shown. */
const PAY_VIEWS = ["pay", "preparing", "none", "code_over", "code_failed", "in_app", "elsewhere"];
/** Of these, those inside a wallet's app, where no code is shown. */
const APP_VIEWS = ["in_app", "elsewhere"];
/** The views in which time runs out for the buyer. */
const TIMED_VIEWS = ["pay", ...APP_VIEWS];
/** The views with something to renew, and what the button says there. */
const RENEWALS = { code_over: "checkout.renew_code", expired: "checkout.renew_order", time_up: "checkout.renew_order" };
/** The views in which a payment may have been made that nobody has told us of. */
const ASKABLE_VIEWS = ["pay", "code_over", "code_failed", "time_up", "closing", ...APP_VIEWS];
/** From here on the count-down asks for attention. */
const URGENT_S = 120;
const DRAWN_PIXELS = 440;
const PREFIXES = { alipay: "alipay", wechat: "wechat", aggregate: "aggregate" };
/** Channels that have a name of their own beside their wallet's, where a wallet is offered in several ways. */
const NAMED_CHANNELS = ["alipay_qr", "alipay_page", "alipay_wap", "wechat_native", "wechat_h5", "aggregate"];
/** The views of an order that was paid. */
const PAID_VIEWS = ["paid", "partially_refunded", "refunded"];

let shownCode = null;

/** Paints the whole page. `chooseChannel(channel)` is called when another way to pay is chosen. */
export function paint(state, view, chooseChannel) {
  byId("checkout").dataset.view = view;
  paintBill(state, view);
  paintState(state, view);
  const payable = PAY_VIEWS.includes(view);
  show(byId("pay-panel"), payable);
  show(byId("result-panel"), !payable);
  const renewable = view in RENEWALS;
  show(byId("renew"), renewable);
  if (renewable) say(byId("renew"), RENEWALS[view]);
  byId("result-link").className = renewable ? "button quiet" : "button primary";
  show(byId("i-have-paid"), ASKABLE_VIEWS.includes(view) && Boolean(state.pay_record));
  if (payable) {
    paintChannels(state, chooseChannel);
    paintCode(state, view);
    show(byId("result-link"), false);
  } else {
    paintResult(state, view);
    paintWalletLinks(null, false);
  }
  paintTitle(state, view);
}

/** Paints the time that is left. */
export function paintCountdown(state, view, nowMs) {
  const end = TIMED_VIEWS.includes(view) ? endOf(state, view) : null;
  show(byId("time-left"), end !== null);
  if (end === null) return;
  const seconds = secondsLeft(end, nowMs);
  sayWords(byId("countdown"), clockText(seconds));
  byId("time-left").classList.toggle("urgent", seconds <= URGENT_S);
}

/** A dead code ends nothing where no code is shown. */
function endOf(state, view) {
  return view === "pay" ? deadline(state) : (state.expires_at ?? null);
}

/** Says that the address belongs to no checkout. */
export function paintGone() {
  byId("checkout").dataset.view = "gone";
  byId("state").dataset.state = "unknown";
  say(byId("state"), "checkout.state.gone");
  show(byId("pay-panel"), false);
  show(byId("result-panel"), true);
  say(byId("result-title"), "checkout.gone.title");
  say(byId("result-words"), "checkout.gone.words");
  for (const id of ["result-facts", "renew", "i-have-paid"]) show(byId(id), false);
  linkOn("/", "checkout.to_shop");
}

/** Says how the connection is: "live" needs no words, and makes untrue that the server cannot be reached. */
export function paintConnection(word) {
  if (word === "live") clearUnreachable();
  const line = byId("connection");
  show(line, word !== "live");
  if (word === "live") sayWords(line, "");
  else say(line, `checkout.connection.${word}`);
}

/** Says what "I have paid" found, or what went wrong; null takes the words away. */
export function paintAnswer(key, tone = "plain") {
  const line = byId("answer");
  line.dataset.tone = tone;
  delete line.dataset.unreachable;
  if (key === null) sayWords(line, "");
  else say(line, key);
}

/** Says what went wrong, in the server's words where it has answered. */
export function paintFailure(problem) {
  const line = byId("answer");
  line.dataset.tone = "bad";
  sayWords(line, wordsOf(problem));
  if (problem.code === "offline") line.dataset.unreachable = "";
  else delete line.dataset.unreachable;
}

/** Takes away that the server cannot be reached: it has just been heard. Anything else that was said stays. */
export function clearUnreachable() {
  if ("unreachable" in byId("answer").dataset) paintAnswer(null);
}

/** The family of a channel, which names it for people: "alipay", "wechat", "aggregate" or the channel's own word. */
export function walletOf(channel) {
  return PREFIXES[String(channel).split("_")[0]] ?? String(channel);
}

function paintBill(state, view) {
  const payable = PAY_VIEWS.includes(view);
  say(byId("bill-label"), payable ? "checkout.owed" : "checkout.amount");
  show(byId("bill-note"), payable);
  sayWords(byId("amount"), amountOf(state));
  sayWords(byId("title"), state.title ?? "");
  sayWords(byId("order-id"), state.order_id);
  const open = state.status === "awaiting_payment" && Boolean(state.expires_at);
  show(byId("pay-before-fact"), open);
  if (open) say(byId("pay-before"), "checkout.moment", { moment: () => timeNearby(state.expires_at, Date.parse(state.server_at)) });
}

function paintState(state, view) {
  const line = byId("state");
  line.dataset.state = state.status;
  say(line, `checkout.state.${view}`, { wallet: () => walletName(channelOf(state)) });
}

function paintTitle(state, view) {
  document.title = `${text(`checkout.state.${view}`, { wallet: walletName(channelOf(state)) })} · ${amountOf(state)}`;
}

function paintChannels(state, choose) {
  const current = channelOf(state);
  const buttons = offered(state.channels ?? [], navigator.userAgent).map((channel) => {
    const button = make("button", {
      class: "channel",
      type: "button",
      "aria-pressed": String(channel === current),
      "data-testid": `channel-${channel}`,
      "data-wallet": walletOf(channel),
    });
    button.append(make("span", { class: "wallet-mark", "aria-hidden": "true" }), make("span", channelName(channel)));
    button.addEventListener("click", () => choose(channel));
    return button;
  });
  byId("channels").replaceChildren(...buttons);
}

function paintCode(state, view) {
  show(byId("channels"), !APP_VIEWS.includes(view));
  if (APP_VIEWS.includes(view)) {
    paintInApp(state, view);
    return;
  }
  const record = state.pay_record;
  const live = view === "pay" && showCode(record);
  const onPage = view === "pay" && isPage(record);
  byId("code").dataset.code = live ? "live" : onPage ? "page" : view;
  show(byId("code-cover"), !live);
  show(byId("code-spinner"), view === "preparing" || view === "none");
  show(byId("make-code"), view === "code_failed");
  const wallet = () => walletName(channelOf(state));
  say(byId("code-words"), onPage ? "checkout.code.page" : `checkout.code.${view}`, { wallet });
  show(byId("code-hint"), live);
  say(byId("code-hint"), "checkout.scan", { wallet });
  byId("open-wallet").dataset.way = onPage ? "page" : "app";
  paintWalletLinks(record, live || onPage, wallet, onPage ? "checkout.open_page" : "checkout.open_wallet");
}

/** Inside a wallet's app: the way to its payment, or how to get out of there. */
function paintInApp(state, view) {
  const app = () => walletName(appOf(navigator.userAgent));
  byId("code").dataset.code = "page";
  for (const id of ["code-spinner", "make-code", "code-hint", "qr", "qr-drawn", "sandbox-note"]) show(byId(id), false);
  show(byId("code-cover"), true);
  say(byId("code-words"), `checkout.code.${view}`, { wallet: app, wallets: () => walletNames(state) });
  byId("open-wallet").dataset.way = "page";
  const address = linkInApp(state, navigator.userAgent);
  show(byId("open-wallet"), address !== null);
  shownCode = null;
  if (address === null) return;
  byId("open-wallet").href = address;
  say(byId("open-wallet"), "checkout.open_page", { wallet: app });
}

/** The wallets that another browser can pay with. */
function walletNames(state) {
  const wallets = (state.channels ?? []).map(walletOf).filter((wallet) => wallet !== "aggregate");
  return [...new Set(wallets)].map((wallet) => walletName(wallet)).join(text("checkout.or"));
}

/** Shows the server's picture of the code, or draws the code's text where there is none. Answers whether a code is shown. */
function showCode(record) {
  const picture = byId("qr");
  const drawn = byId("qr-drawn");
  const code = record.qr_code ?? record.qr_content ?? null;
  show(picture, Boolean(record.qr_code));
  show(drawn, !record.qr_code && Boolean(record.qr_content));
  if (code === null || code === shownCode) return code !== null;
  try {
    if (record.qr_code) picture.src = record.qr_code;
    else drawQr(drawn, record.qr_content, DRAWN_PIXELS);
  } catch (tooLong) {
    console.warn("the code could not be drawn", tooLong);
    show(drawn, false);
    return false;
  }
  shownCode = code;
  return true;
}

function paintWalletLinks(record, live, wallet, key) {
  const address = live ? walletAddress(record) : null;
  const sandbox = address !== null && isSandbox(record);
  show(byId("open-wallet"), address !== null);
  show(byId("sandbox-note"), sandbox);
  if (address === null) return;
  byId("open-wallet").href = address;
  byId("open-sandbox").href = address;
  say(byId("open-wallet"), key, { wallet });
}

function paintResult(state, view) {
  say(byId("result-title"), `checkout.${view}.title`);
  say(byId("result-words"), `checkout.${view}.words`, { status: state.status });
  const paid = PAID_VIEWS.includes(view);
  show(byId("result-facts"), paid);
  if (paid) {
    sayWords(byId("result-amount"), amountOf(state));
    show(byId("result-paid-at-fact"), Boolean(state.paid_at));
    if (state.paid_at) say(byId("result-paid-at"), "checkout.moment", { moment: () => dateAndTime(state.paid_at) });
  }
  if (paid) linkOn(state.result_url ?? "/courses", "checkout.to_courses");
  else if (view === "cancelled" || view === "expired") linkOn("/", "checkout.to_shop");
  else show(byId("result-link"), false);
}

function linkOn(address, key) {
  const link = byId("result-link");
  show(link, true);
  link.href = safeAddress(address);
  say(link, key);
}

/** Only addresses of the web are followed; anything else leads to the shop. */
function safeAddress(address) {
  try {
    return ["http:", "https:"].includes(new URL(address, location.origin).protocol) ? address : "/";
  } catch {
    return "/";
  }
}

function amountOf(state) {
  return money({ amountText: state.amount_text, amount: state.amount, currency: state.currency });
}

function channelOf(state) {
  return state.pay_record?.channel ?? state.channels?.[0] ?? "";
}

function walletName(channel) {
  const wallet = walletOf(channel);
  return Object.values(PREFIXES).includes(wallet) ? text(`wallet.${wallet}`) : wallet;
}

function channelName(channel) {
  if (NAMED_CHANNELS.includes(channel)) return { say: `checkout.channel.${channel}` };
  const wallet = walletOf(channel);
  return Object.values(PREFIXES).includes(wallet) ? { say: `wallet.${wallet}` } : { text: wallet };
}
