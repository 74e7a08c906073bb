// Following a checkout live: server-sent events where they come through, and asking now and then where they do not.
import { language, text } from "./i18n.js";
import { Problem } from "./api.js";

const REOPEN_MS = [500, 1000, 2000, 5000, 10000];
/** One end of a stream is usual (a restart, a proxy's limit); only the next one is worth a word. */
const TELL_AFTER_FAILURES = 2;
/** A stream that has stayed open for so long comes through. */
const STEADY_MS = 2000;
const ASK_TIMEOUT_MS = 10000;
/** An address that is not of a checkout stays so; asking again is of no use. */
const FINAL_STATUSES = [400, 401, 403, 404, 410];

/**
 * Follows the events `state` of the stream at `path`.
 * `onState(state)` for each; `onConnection(word)` with "live", "reconnecting", "asking" or "offline" when that changes;
 * `onGone(problem)` once, if there is no such checkout, after which nothing follows.
 * Answers an object with `refresh()`, which opens the stream anew at once, and `stop()`, which ends it for good.
 */
export function watch(path, listeners) {
  const watching = new Watch(path, listeners);
  watching.refresh();
  return watching;
}

class Watch {
  #path;
  #listeners;
  #source = null;
  #reopening = null;
  #steady = null;
  /** Streams that ended in a row, none of which came through. */
  #failures = 0;
  /** Whether the stream that is open, or was last, has brought a state. */
  #delivered = false;
  #connection = null;
  /** Its abort takes away what listens to the window, and says that all is over. */
  #end = new AbortController();

  constructor(path, listeners) {
    this.#path = path;
    this.#listeners = listeners;
    const { signal } = this.#end;
    // A sleeping phone or a lost network leaves a stream that looks open and says nothing more.
    const wake = () => {
      if (!document.hidden) this.refresh();
    };
    document.addEventListener("visibilitychange", wake, { signal });
    window.addEventListener("online", wake, { signal });
    window.addEventListener("pageshow", (event) => event.persisted && this.refresh(), { signal });
    window.addEventListener("offline", () => this.#report("offline"), { signal });
    window.addEventListener("pagehide", () => this.#close(), { signal });
  }

  refresh() {
    this.#failures = 0;
    this.#open();
  }

  stop() {
    this.#end.abort();
    this.#close();
  }

  #open() {
    this.#close();
    if (this.#end.signal.aborted) return;
    this.#delivered = false;
    this.#source = new EventSource(this.#path);
    this.#source.addEventListener("open", () => this.#opened());
    this.#source.addEventListener("state", (event) => this.#arrived(event.data));
    this.#source.addEventListener("error", () => this.#failed());
  }

  #close() {
    clearTimeout(this.#reopening);
    clearTimeout(this.#steady);
    this.#source?.close();
    this.#source = null;
  }

  #opened() {
    if (this.#failures === 0) this.#report("live");
    this.#steady = setTimeout(() => {
      this.#failures = 0;
      this.#report("live");
    }, STEADY_MS);
  }

  #arrived(data) {
    this.#delivered = true;
    this.#deliver(data);
  }

  /** A browser reopens a broken stream by itself, but not one that was refused; here both are reopened the same way. */
  async #failed() {
    this.#close();
    if (this.#end.signal.aborted) return;
    this.#failures += 1;
    const told = this.#failures >= TELL_AFTER_FAILURES;
    if (navigator.onLine === false) this.#report("offline");
    else if (told) this.#report(this.#delivered ? "asking" : "reconnecting");
    this.#reopening = setTimeout(() => this.#open(), REOPEN_MS[Math.min(this.#failures, REOPEN_MS.length) - 1]);
    // A refused stream tells no reason, so a page that has never seen a state asks for one at once.
    if (!this.#delivered && (told || this.#connection === null)) await this.#ask();
  }

  async #ask() {
    try {
      const data = await firstState(this.#path, this.#end.signal);
      if (this.#end.signal.aborted) return;
      if (this.#failures > 0) this.#report("asking");
      this.#deliver(data);
    } catch (problem) {
      if (this.#end.signal.aborted || !FINAL_STATUSES.includes(problem.status)) return;
      this.stop();
      this.#listeners.onGone(problem);
    }
  }

  #deliver(data) {
    let state;
    try {
      state = JSON.parse(data);
    } catch {
      console.warn("a state of the checkout could not be read");
      return;
    }
    this.#listeners.onState(state);
  }

  #report(word) {
    if (word === this.#connection) return;
    this.#connection = word;
    this.#listeners.onConnection(word);
  }
}

/** Reads a stream's first state and hangs up. Works where a proxy ends long answers early. */
async function firstState(path, end) {
  const abort = new AbortController();
  const limit = setTimeout(() => abort.abort(), ASK_TIMEOUT_MS);
  end.addEventListener("abort", () => abort.abort(), { once: true });
  try {
    const answer = await fetch(path, {
      headers: { Accept: "text/event-stream", "Accept-Language": language() },
      cache: "no-store",
      signal: abort.signal,
    });
    if (!answer.ok) throw await refusal(answer);
    return await firstData(answer.body.getReader());
  } finally {
    clearTimeout(limit);
    abort.abort();
  }
}

async function refusal(answer) {
  let document = null;
  try {
    document = await answer.json();
  } catch {
    // An answer from in between, a proxy's for instance; its status says enough.
  }
  const detail = document?.detail ?? text("problem.unexpected");
  return new Problem({ status: answer.status, code: document?.code ?? "unexpected", detail });
}

async function firstData(reader) {
  const decoder = new TextDecoder();
  let received = "";
  for (;;) {
    const { done, value } = await reader.read();
    received += decoder.decode(value, { stream: !done });
    const data = dataOfFirstState(received);
    if (data !== null) return data;
    if (done) throw new Problem({ status: 0, code: "offline", detail: text("problem.offline") });
  }
}

function dataOfFirstState(received) {
  const blocks = received.replace(/\r\n?/g, "\n").split("\n\n");
  for (const block of blocks.slice(0, -1)) {
    const lines = block.split("\n");
    if (!lines.some((line) => /^event: ?state$/.test(line))) continue;
    return lines.filter((line) => line.startsWith("data:")).map((line) => line.replace(/^data: ?/, "")).join("\n");
  }
  return null;
}
