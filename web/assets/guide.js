// The payment guide: what was selected, what it costs, and the ways to pay for it.
import { call, callPublic, newKey } from "./api.js";
import { signedIn, startAccount } from "./account.js";
import { byId, show, whileBusy } from "./dom.js";
import { say, sayWords, startLanguage } from "./i18n.js";
import { isNothing, money } from "./money.js";

const selectionId = decodeURIComponent(location.pathname.split("/").filter(Boolean).pop() ?? "");
/** The wallets that this page has buttons for. */
const WALLETS = ["alipay", "wechat"];
/** Kept until the order is answered, so that a repeat after a lost answer is the same command. */
let key = null;

startLanguage();
startAccount(start);
for (const wallet of WALLETS) {
  const button = byId(`pay-${wallet}`);
  button.addEventListener("click", () => whileBusy(button, () => signedIn("sign_in.then_pay", () => order(wallet))));
}
start();

function start() {
  show(byId("guide"), false);
  signedIn("sign_in.then_pay", load);
}

async function load() {
  const { data: selection } = await call("GET", `/api/v1/course-selections/${encodeURIComponent(selectionId)}`, { after: true });
  sayWords(byId("selection-id"), selection.selection_id);
  sayWords(byId("price"), priceOf(selection));
  paintStatus(selection);
  show(byId("guide"), true);
  await paintCourse(selection.course_id);
}

function priceOf({ price_text: amountText, price_amount: amount, currency }) {
  return money({ amountText, amount, currency });
}

function paintStatus(selection) {
  const payable = selection.charge === "paid" && selection.status === "unpaid" && !isNothing(selection.price_amount);
  show(byId("methods"), payable);
  show(byId("settled"), !payable);
  if (payable) {
    paintOffer();
    return;
  }
  const open = selection.status === "active";
  say(byId("settled-words"), open ? "guide.already_open" : "guide.ended");
  say(byId("settled-link"), open ? "guide.to_courses" : "guide.to_shop");
  byId("settled-link").href = open ? "/courses" : "/";
}

/** Only what can be paid with is offered. Where that is not known, everything is: the checkout knows it again. */
async function paintOffer() {
  let offer;
  try {
    offer = (await callPublic("GET", "/checkout/offer")).data;
  } catch (problem) {
    console.warn("what can be paid with could not be read", problem.code);
  }
  const isOffered = (wallet) => offer?.wallets?.includes(wallet) ?? true;
  for (const wallet of WALLETS) show(byId(`pay-${wallet}`), isOffered(wallet));
  show(byId("no-way"), !WALLETS.some(isOffered));
}

/** The title is only for reading; paying does not wait for it. */
async function paintCourse(courseId) {
  sayWords(byId("course-title"), courseId);
  try {
    const { data: course } = await callPublic("GET", `/api/v1/products/${encodeURIComponent(courseId)}`);
    sayWords(byId("course-title"), course.title);
    sayWords(byId("course-description"), course.description ?? "");
  } catch (problem) {
    console.warn("the course could not be read", problem.code);
  }
}

/** The checkout begins with the wallet that was chosen here, and offers the other one too. */
async function order(wallet) {
  key ??= newKey();
  const body = { source: "course_selection", selection_id: selectionId, client: "web" };
  let answer;
  try {
    answer = await call("POST", "/api/v1/orders", { body, key });
  } catch (problem) {
    if (!problem.unknown) key = null;
    throw problem;
  }
  key = null;
  location.assign(`${answer.data.checkout_url}#${wallet}`);
}

// Coming back from the checkout: the selection may be paid by now.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) start();
});
