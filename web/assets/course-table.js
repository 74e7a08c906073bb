// The learner's course table: what was selected for nothing or paid for, and is open.
import { call, callPublic } from "./api.js";
import { signedIn } from "./account.js";
import { byId, make, show } from "./dom.js";
import { dateAndTime, onLanguage } from "./i18n.js";
import { session } from "./session.js";

/** A course just paid for stands here once its payment was consumed, so the table is read again: first often, then seldom. */
const READ_AGAIN_MS = [1000, 2000, 3000, 5000, 10000];
const THEN_EVERY_MS = 30000;
const PAGE_LIMIT = 100;
/** A table longer than this is cut; nobody owns a thousand courses. */
const MOST_PAGES = 10;

const titles = new Map();
let rows = [];
let options = { reason: null, emptyText: false, fresh: null, onRows: () => {} };
let reads = 0;
let timer = null;

/**
 * Keeps the table on this page up to date for whoever is signed in.
 * `reason`: with it, who is not signed in is asked to, for this reason; without it the table stays away.
 * `emptyText`: whether an empty table is shown, with words that say so. `fresh`: the course whose row is marked.
 * `onRows(rows)` after each reading. Answers a function to call when someone has signed in or out.
 */
export function startCourseTable(wanted) {
  options = { ...options, ...wanted };
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && session()) readQuietly();
  });
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) startReading();
  });
  onLanguage(() => {
    if (session()) paint();
  });
  startReading();
  return startReading;
}

function startReading() {
  reads = 0;
  clearTimeout(timer);
  if (session() || options.reason) {
    signedIn(options.reason, read);
  }
  if (!session()) {
    rows = [];
    show(byId("table-card"), false);
    options.onRows(rows);
  }
}

async function read() {
  try {
    rows = await readAll();
    await readTitles();
    paint();
    options.onRows(rows);
  } finally {
    readAgainLater();
  }
}

function readAgainLater() {
  const wait = READ_AGAIN_MS[reads] ?? THEN_EVERY_MS;
  reads += 1;
  clearTimeout(timer);
  timer = setTimeout(() => {
    if (!document.hidden && session()) readQuietly();
  }, wait);
}

/** Reads again in the background: what fails leaves the table as it is, but for a session that has ended. */
async function readQuietly() {
  try {
    await read();
  } catch (problem) {
    if (problem.status === 401) signedIn(options.reason, read);
    else console.warn("the course table could not be read again", problem.code);
  }
}

async function readAll() {
  const items = [];
  let cursor = null;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const query = cursor ? `&cursor=${encodeURIComponent(cursor)}` : "";
    const { data } = await call("GET", `/api/v1/course-table?limit=${PAGE_LIMIT}${query}`, { after: true });
    items.push(...data.items);
    cursor = data.next_cursor;
    if (!cursor) break;
  }
  return items;
}

/** A course whose title cannot be read is shown by its id. */
async function readTitles() {
  const unknown = new Set(rows.map((row) => row.course_id).filter((id) => !titles.has(id)));
  for (const id of unknown) {
    try {
      const { data } = await callPublic("GET", `/api/v1/products/${encodeURIComponent(id)}`);
      titles.set(id, data.title);
    } catch (problem) {
      console.warn("a course could not be read", problem.code);
    }
  }
}

function paint() {
  const empty = rows.length === 0;
  show(byId("table-card"), !empty || options.emptyText);
  show(byId("table"), !empty);
  show(byId("no-rows"), empty);
  show(byId("opened"), options.fresh !== null && rows.some((row) => row.course_id === options.fresh));
  byId("rows").replaceChildren(...rows.map(line));
}

function line(row) {
  return make(
    "tr",
    { "data-testid": `course-row-${row.course_id}`, class: row.course_id === options.fresh ? "fresh" : null },
    make("th", { scope: "row", text: titles.get(row.course_id) ?? row.course_id }),
    cell("courses.order", row.order_id ? make("span", { class: "id", text: row.order_id }) : make("span", { say: "courses.free" })),
    cell("courses.opened_at", make("span", { text: dateAndTime(row.opened_at) })),
    cell("courses.ends_at", row.ends_at ? make("span", { text: dateAndTime(row.ends_at) }) : make("span", { say: "courses.no_end" })),
  );
}

/** A cell that also shows its column's name, for narrow screens where each row stands as a card. */
function cell(key, content) {
  return make("td", {}, make("span", { class: "cell-label", "aria-hidden": "true", say: key }), content);
}
