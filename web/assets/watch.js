// Following a checkout live: server-sent events where they come through, and asking now and then where they do not.
import { language, text } from "./i18n.js";
import { Problem } from "./api.js";

const REOPEN_MS = [500, 1000, 2000, 5000, 10000];
/** One end of a stream is usual (a restart, a proxy's limit); only the next one is worth a word. */
const TELL_AFTER_FAILURES = 2;
/** After so many attempts to open the stream in vain the state is also asked for. */
const ASK_AFTER_FAILURES = 2;
const ASK_TIMEOUT_MS = 10000;
/** An address that is not of a checkout stays so; asking again is of no use. */
const FINAL_STATUSES = [400, 401, 403, 404, 410];

/**
 * Follows the events `state` of the stream at `path`.
 * `onState(state)` for each; `onConnection(word)` with "live", "reconnecting", "asking" or "offline" when that changes;
 * `onGone(problem)` once, if there is no such checkout, after which nothing follows.
 * Answers `{refresh, stop}`: `refresh` opens the stream anew at once, `stop` ends it for good.
 */
export function watch(path, { onState, onConnection, onGone }) {
  let source = null;
  let timer = null;
  let failures = 0;
  let stopped = false;
  let connection = null;

  function connect() {
    close();
    if (stopped) return;
    source = new EventSource(path);
    source.addEventListener("state", (event) => {
      failures = 0;
      report("live");
      deliver(event.data);
    });
    source.addEventListener("error", failed);
  }

  /** A browser reopens a broken stream by itself, but not one that was refused; here both are reopened the same way. */
  async function failed() {
    close();
    if (stopped) return;
    failures += 1;
    if (navigator.onLine === false) report("offline");
    else if (failures >= TELL_AFTER_FAILURES) report("reconnecting");
    const wait = REOPEN_MS[Math.min(failures, REOPEN_MS.length) - 1];
    clearTimeout(timer);
    timer = setTimeout(connect, wait);
    if (failures >= ASK_AFTER_FAILURES) await ask();
  }

  async function ask() {
    try {
      const data = await firstState(path);
      if (stopped) return;
      if (connection !== "live") report("asking");
      deliver(data);
    } catch (problem) {
      if (stopped || !FINAL_STATUSES.includes(problem.status)) return;
      stop();
      onGone(problem);
    }
  }

  function deliver(data) {
    let state;
    try {
      state = JSON.parse(data);
    } catch {
      console.warn("a state of the checkout could not be read");
      return;
    }
    onState(state);
  }

  function report(word) {
    if (word === connection) return;
    connection = word;
    onConnection(word);
  }

  function close() {
    source?.close();
    source = null;
  }

  function refresh() {
    if (stopped) return;
    failures = 0;
    clearTimeout(timer);
    connect();
  }

  function stop() {
    stopped = true;
    clearTimeout(timer);
    close();
    forget();
  }

  // A sleeping phone or a lost network leaves a stream that looks open and says nothing more.
  const wake = () => {
    if (!document.hidden) refresh();
  };
  const restore = (event) => {
    if (event.persisted) refresh();
  };
  const lose = () => report("offline");
  document.addEventListener("visibilitychange", wake);
  window.addEventListener("pageshow", restore);
  window.addEventListener("pagehide", close);
  window.addEventListener("online", wake);
  window.addEventListener("offline", lose);
  function forget() {
    document.removeEventListener("visibilitychange", wake);
    window.removeEventListener("pageshow", restore);
    window.removeEventListener("pagehide", close);
    window.removeEventListener("online", wake);
    window.removeEventListener("offline", lose);
  }

  connect();
  return { refresh, stop };
}

/** Reads a stream's first state and hangs up. Works where a proxy ends long answers early. */
async function firstState(path) {
  const abort = new AbortController();
  const limit = setTimeout(() => abort.abort(), ASK_TIMEOUT_MS);
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
