// The shop: the courses, selecting one, and below them what the learner has already.
import { call, callPublic, newKey } from "./api.js";
import { signedIn, startAccount } from "./account.js";
import { startCourseTable } from "./course-table.js";
import { byId, make, show, whileBusy } from "./dom.js";
import { say, sayWords, startLanguage } from "./i18n.js";
import { isNothing, money } from "./money.js";
import { complain } from "./notice.js";

const COVERS = 6;
const FIRST_PAGE = "/api/v1/products?kind=course";

/** The places of the cards' buttons by course, each to be filled anew when the course table changes. */
const actions = new Map();
let owned = new Set();
/** One Idempotency-Key a course until its selection is answered, so that a repeat after a lost answer is the same command. */
const keys = new Map();

startLanguage();
startAccount(() => readTable());
const readTable = startCourseTable({ onRows: paintOwned });
load();

async function load() {
  try {
    await loadPage(FIRST_PAGE);
  } catch (problem) {
    complain(problem, load);
  }
}

async function loadPage(path) {
  const { data } = await callPublic("GET", path);
  byId("courses").removeAttribute("aria-busy");
  for (const placeholder of document.querySelectorAll("[data-placeholder]")) placeholder.remove();
  byId("courses").append(...data.items.map(card));
  show(byId("no-courses"), byId("courses").childElementCount === 0);
  offerMore(data.next_cursor);
}

function offerMore(cursor) {
  const more = byId("more");
  show(more, Boolean(cursor));
  more.onclick = () =>
    whileBusy(more, async () => {
      try {
        await loadPage(`${FIRST_PAGE}&cursor=${encodeURIComponent(cursor)}`);
      } catch (problem) {
        complain(problem);
      }
    });
}

function paintOwned(rows) {
  const now = new Set(rows.filter(isOpen).map((row) => row.course_id));
  const changed = [...actions.keys()].filter((id) => now.has(id) !== owned.has(id));
  owned = now;
  for (const id of changed) actions.get(id)();
}

function isOpen(row) {
  return !row.ends_at || Date.parse(row.ends_at) > Date.now();
}

function card(course) {
  const title = make("h3", { class: "course-title", id: `title-${course.product_id}`, text: course.title });
  return make(
    "article",
    { class: "course card", "data-testid": `course-${course.product_id}`, "aria-labelledby": title.id },
    make("div", { class: `cover cover-${coverOf(course.product_id)}`, "aria-hidden": "true" }, make("span", { text: initial(course.title) })),
    make(
      "div",
      { class: "course-body" },
      title,
      course.description ? make("p", { class: "course-description", text: course.description }) : null,
      make("div", { class: "course-foot" }, priceOf(course), actionOf(course)),
    ),
  );
}

function priceOf(course) {
  const price = make("p", { class: "price", "data-testid": `price-${course.product_id}` });
  if (isNothing(course.price_amount)) {
    say(price, "shop.free");
    price.classList.add("free");
  } else {
    sayWords(price, money({ amountText: course.price_text, amount: course.price_amount, currency: course.currency }));
  }
  return price;
}

function actionOf(course) {
  const place = make("div", { class: "course-action" });
  const paint = () => place.replaceChildren(owned.has(course.product_id) ? ownedLink(course) : selectButton(course));
  actions.set(course.product_id, paint);
  paint();
  return place;
}

function ownedLink(course) {
  return make("a", { class: "button quiet", href: "/courses", "data-testid": `owned-${course.product_id}`, say: "shop.owned" });
}

function selectButton(course) {
  const button = make("button", {
    class: "button primary",
    type: "button",
    "data-testid": `select-${course.product_id}`,
    "aria-describedby": `title-${course.product_id}`,
    say: isNothing(course.price_amount) ? "shop.select_free" : "shop.select",
  });
  button.addEventListener("click", () => whileBusy(button, () => signedIn("sign_in.then_select", () => select(course.product_id))));
  return button;
}

/** A free course is open at once; a paid one goes on to the payment guide. */
async function select(courseId) {
  const key = keys.get(courseId) ?? newKey();
  keys.set(courseId, key);
  let selection;
  try {
    ({ data: selection } = await call("POST", "/api/v1/course-selections", { body: { course_id: courseId }, key }));
  } catch (problem) {
    if (!problem.unknown) keys.delete(courseId);
    throw problem;
  }
  keys.delete(courseId);
  const open = selection.charge === "free" || selection.status === "active";
  location.assign(open ? `/courses?opened=${encodeURIComponent(courseId)}` : `/guide/${encodeURIComponent(selection.selection_id)}`);
}

/** One of the covers, always the same for a course. */
function coverOf(id) {
  let sum = 0;
  for (const character of String(id)) sum = (sum * 31 + character.codePointAt(0)) % 9973;
  return (sum % COVERS) + 1;
}

function initial(title) {
  return Array.from(String(title).trim())[0] ?? "·";
}
