// What a checkout shows, decided from the server's state alone. No element of the page is touched here.

/** Ways to pay that open a wallet's app on the phone that shows this page. */
const ON_PHONES = ["alipay_wap", "wechat_h5", "wechat_h5_v2"];
/** Ways to pay on a channel's own page. */
const ON_PAGES = ["alipay_page"];

const SETTLED = ["paid", "completed"];
/** What of a payment went back, by the view that says so. */
const REFUNDED = ["partially_refunded", "refunded"];

/**
 * Whether `next` replaces `shown`. Answers of "I have paid" and of the stream overtake each other, so an older one is
 * dropped, and what is paid never looks unpaid again.
 */
export function replaces(next, shown) {
  if (!shown) return true;
  if (next.order_id !== shown.order_id) return true;
  if (SETTLED.includes(shown.status) && !SETTLED.includes(next.status)) return false;
  return !(Date.parse(next.server_at) < Date.parse(shown.server_at));
}

/**
 * `next` with the pay record that is shown, where `next` was read before that record was made: the answer that made a
 * code may overtake the stream.
 */
export function withKnownRecord(next, shown) {
  const isSame = shown?.order_id === next.order_id && shown.pay_record;
  // The order's own code is no pay record: it stays until it is over, whatever the wallets that scan it begin.
  const isOwnCode = isSame && shown.pay_record.channel === "aggregate" && next.status === "awaiting_payment";
  const isOlder = isSame && !next.pay_record;
  return isOlder || isOwnCode ? { ...next, pay_record: shown.pay_record } : next;
}

/** The wallet whose own app shows this page to whoever has `agent` (the browser's own name): "alipay", "wechat", or null. */
export function appOf(agent) {
  if (/AlipayClient/.test(agent)) return "alipay";
  return /MicroMessenger/.test(agent) ? "wechat" : null;
}

/**
 * Of `channels`, those that whoever has `agent` can use. A phone inside a wallet's app cannot scan what it shows, and opens
 * no page of another wallet: there the wallet's own link leads to the payment, or none does.
 */
export function offered(channels, agent) {
  const isOnPhone = isPhone(agent);
  const app = appOf(agent);
  if (isOnPhone && app !== null) return [];
  return channels.filter((channel) => (isOnPhone || !ON_PHONES.includes(channel)) && (app === null || !ON_PAGES.includes(channel)));
}

/**
 * The view that `state` asks for at `nowMs` of whoever has `agent`:
 * "pay" (a code can be scanned), "preparing" (a code is being made), "none" (there is none yet), "code_over" (the code is
 * dead, the order lives), "code_failed" (the channel refused), "time_up" (the order's time has passed, its end is not
 * decided), "in_app" (the page is open inside a wallet's app, where a link leads to the payment), "elsewhere" (it is open
 * inside an app that cannot pay it), "closing", "paid", "partially_refunded", "refunded", "expired", "cancelled", "unknown".
 */
export function viewOf(state, nowMs, agent = "") {
  switch (state.status) {
    case "paid":
    case "completed":
      return REFUNDED.includes(state.payment_status) ? state.payment_status : "paid";
    case "cancelled":
    case "expired":
    case "closing":
      return state.status;
    case "awaiting_payment":
      if (state.closing) return "closing";
      return passed(state.expires_at, nowMs) ? "time_up" : viewInApp(state, viewOfRecord(state.pay_record, nowMs), agent);
    default:
      return "unknown";
  }
}

/** The moment at which the shown code or the order ends, whichever is first; null without a code. */
export function deadline(state) {
  const ends = [state.expires_at, state.pay_record?.expires_at].filter(Boolean);
  return ends.length === 0 ? null : ends.reduce((first, other) => (Date.parse(other) < Date.parse(first) ? other : first));
}

/** Whether nothing more can happen that this page would show. */
export function isFinal(state) {
  return [...SETTLED, "cancelled"].includes(state.status);
}

/**
 * What leads from here into the wallet: what the code holds, where that is an address, else our own link, which sends a
 * browser on; null where there is neither.
 */
export function walletAddress(record) {
  return [record?.qr_content, record?.pay_url].find(isWebAddress) ?? null;
}

/** Whether there is nothing to scan: it is paid on the channel's own page, where our link leads. */
export function isPage(record) {
  return !record.qr_code && !record.qr_content && walletAddress(record) !== null;
}

/** Whether a code belongs to the sandbox, where no money moves and a web page plays the wallet. */
export function isSandbox(record) {
  const address = walletAddress(record);
  return address !== null && new URL(address).pathname.startsWith("/sandbox/");
}

/** Where the app that shows this page to whoever has `agent` pays the order; null where it does not. */
export function linkInApp(state, agent) {
  const link = state.wallet_links?.[appOf(agent)] ?? null;
  return isWebAddress(link) ? link : null;
}

function isPhone(agent) {
  return /Mobile|Android|iPhone|iPad|HarmonyOS/.test(agent);
}

/** What a phone inside a wallet's app shows instead of `view`, as long as there is something to pay. */
function viewInApp(state, view, agent) {
  if (!isPhone(agent) || appOf(agent) === null || ["closing", "unknown"].includes(view)) return view;
  return linkInApp(state, agent) === null ? "elsewhere" : "in_app";
}

function viewOfRecord(record, nowMs) {
  if (!record) return "none";
  switch (record.status) {
    case "preparing":
      return "preparing";
    case "pending":
      return passed(record.expires_at, nowMs) ? "code_over" : "pay";
    case "confirmed":
      return "closing";
    case "failed":
      return "code_failed";
    case "closing":
    case "closed":
    case "surplus":
      return "code_over";
    default:
      return "unknown";
  }
}

function passed(moment, nowMs) {
  return Boolean(moment) && Date.parse(moment) <= nowMs;
}

function isWebAddress(address) {
  if (typeof address !== "string") return false;
  try {
    return ["http:", "https:"].includes(new URL(address).protocol);
  } catch {
    return false;
  }
}
