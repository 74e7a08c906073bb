// The time that is left, by the server's clock. The device's own clock may be wrong, or be set while the page is open.

/** A clock that shows the server's time, set by what the server said last and moved on by the page's own stopwatch. */
export class ServerClock {
  #serverMs = null;
  #readAtMs = 0;

  /** Sets it. `now`: RFC 3339. */
  set(now) {
    const serverMs = Date.parse(now);
    if (Number.isNaN(serverMs)) return;
    this.#serverMs = serverMs;
    this.#readAtMs = performance.now();
  }

  /** Milliseconds since 1970. Before it was ever set it shows the device's time. */
  now() {
    if (this.#serverMs === null) return Date.now();
    return this.#serverMs + (performance.now() - this.#readAtMs);
  }
}

/** Whole seconds until `moment` (RFC 3339), never below 0. */
export function secondsLeft(moment, nowMs) {
  return Math.max(0, Math.ceil((Date.parse(moment) - nowMs) / 1000));
}

/** Seconds as people read a clock: "29:05", "1:00:00". */
export function clockText(seconds) {
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const rest = two(seconds % 60);
  return hours > 0 ? `${hours}:${two(minutes)}:${rest}` : `${two(minutes)}:${rest}`;
}
