// Who is signed in, for as long as the tab lives, and how far this tab's own commands have written.

const SESSION_KEY = "paystream.session";
const POSITION_KEY = "paystream.position";

/** What the browser refuses to store lasts as long as the page. */
const unstored = new Map();

/** The session `{access_token, username}`, or null. */
export function session() {
  try {
    const kept = JSON.parse(read(SESSION_KEY) ?? "null");
    return kept && typeof kept.access_token === "string" ? kept : null;
  } catch {
    return null;
  }
}

/** Keeps what a sign-in answered. What another account has written before is no longer waited for. */
export function keepSession(username, answer) {
  write(POSITION_KEY, null);
  write(SESSION_KEY, JSON.stringify({ access_token: answer.access_token, username }));
}

/** Forgets the session. */
export function endSession() {
  write(SESSION_KEY, null);
}

/** The log position of this tab's last command, a string of digits, or null. */
export function lastPosition() {
  return read(POSITION_KEY);
}

/** Remembers the log position that a command answered; what is read next waits for it. */
export function keepPosition(position) {
  if (position) write(POSITION_KEY, position);
}

function read(key) {
  if (unstored.has(key)) return unstored.get(key);
  try {
    return window.sessionStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key, value) {
  try {
    if (value === null) window.sessionStorage.removeItem(key);
    else window.sessionStorage.setItem(key, value);
    unstored.delete(key);
  } catch {
    unstored.set(key, value);
  }
}
