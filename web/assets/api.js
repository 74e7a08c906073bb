// Calls of the public API. What fails is thrown as a Problem, which has words for people.
import { language, text } from "./i18n.js";
import { endSession, keepPosition, lastPosition, session } from "./session.js";

const TIMEOUT_MS = 20000;
/** How often a read is repeated while its view is behind this tab's own command. */
const VIEW_BEHIND_TRIES = 3;

/** Something that did not work: an RFC 9457 answer, or none at all (`code` "offline", `status` 0). */
export class Problem extends Error {
  constructor({ status, code, detail, retryAfterMs = 0 }) {
    super(detail);
    this.status = status;
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }

  /** Whether nobody knows yet what became of the request, so that it should be repeated as it was. */
  get unknown() {
    return this.status === 0 || this.status >= 500 || this.code === "idempotency_in_progress";
  }
}

/**
 * Asks the server. `options`: `body` (sent as JSON), `key` (Idempotency-Key), `after` (wait for this tab's own command),
 * `anonymous` (no bearer token). Answers `{status, data}`.
 */
export async function call(method, path, options = {}) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await once(method, path, options);
    } catch (problem) {
      if (problem.code !== "view_behind" || attempt === VIEW_BEHIND_TRIES) throw problem;
      await new Promise((resolve) => setTimeout(resolve, problem.retryAfterMs || 1000));
    }
  }
}

/** Asks like `call`, and without the token if the token is no longer good: for what everybody may read. */
export async function callPublic(method, path) {
  try {
    return await call(method, path);
  } catch (problem) {
    if (problem.status !== 401) throw problem;
    endSession();
    return call(method, path, { anonymous: true });
  }
}

/** A fresh Idempotency-Key. `crypto.randomUUID` is missing on plain http, this is not. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What to tell people about something caught. */
export function wordsOf(error) {
  return error instanceof Problem ? error.message : text("problem.unexpected");
}

async function once(method, path, options) {
  const answer = await send(method, path, options);
  keepPosition(answer.headers.get("Paystream-Position"));
  const data = await readBody(answer);
  if (!answer.ok) throw problemOf(answer, data);
  return { status: answer.status, data };
}

async function send(method, path, { body, key, after, anonymous }) {
  const headers = { Accept: "application/json", "Accept-Language": language() };
  const signedIn = anonymous ? null : session();
  if (signedIn) headers.Authorization = `Bearer ${signedIn.access_token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (key) headers["Idempotency-Key"] = key;
  if (after && lastPosition()) headers["Paystream-After"] = lastPosition();
  try {
    return await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    throw new Problem({ status: 0, code: "offline", detail: text("problem.offline") });
  }
}

async function readBody(answer) {
  try {
    const words = await answer.text();
    return words === "" ? null : JSON.parse(words);
  } catch {
    if (answer.ok) throw new Problem({ status: 0, code: "offline", detail: text("problem.offline") });
    return null;
  }
}

function problemOf(answer, document) {
  const fields = (document?.errors ?? []).map((error) => error.message).filter(Boolean);
  const detail = document?.detail ?? document?.title ?? text("problem.unexpected");
  return new Problem({
    status: answer.status,
    code: document?.code ?? "unexpected",
    detail: fields.length === 0 ? detail : `${detail} ${fields.join(" ")}`,
    retryAfterMs: retryAfterMs(answer.headers.get("Retry-After")),
  });
}

function retryAfterMs(seconds) {
  return /^\d{1,4}$/.test(seconds ?? "") ? Number(seconds) * 1000 : 0;
}
