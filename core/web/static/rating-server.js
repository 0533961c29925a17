/* The rating page's HTTP interface. A call that meets no server waits for it and is made again: ratings are never lost. */

const WAITS = [1, 2, 4, 8, 15];

/** The server said no. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Fires "change" when `online` does. `keeping` is true while a rating waits for the server. */
export class Server extends EventTarget {
  online = true;
  keeping = false;

  task() {
    return this.#call("task");
  }

  next(rater, after = null) {
    return this.#call(`next?${new URLSearchParams(after ? { rater, after } : { rater })}`);
  }

  unit(rater, key) {
    return this.#call(`units/${encodeURIComponent(key)}?${new URLSearchParams({ rater })}`);
  }

  rate(rater, unit, verdict) {
    return this.#call("ratings", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ rater, unit, verdict }),
    });
  }

  progress() {
    return this.#call("progress");
  }

  /** The results; "waiting" until every rater is done; null where they are not for everybody. */
  async results() {
    try {
      return await this.#call("results");
    } catch (error) {
      if (error instanceof Refused) return error.status === 409 ? "waiting" : null;
      throw error;
    }
  }

  async #call(path, init = {}) {
    for (let attempt = 0; ; attempt += 1) {
      try {
        const response = await fetch(`/rating/${path}`, { ...init, cache: "no-store", signal: AbortSignal.timeout(15_000) });
        if (response.status !== 502 && response.status !== 504) {
          const body = await response.json();
          this.#tell(true, false);
          if (!response.ok) throw new Refused(response.status, body.detail ?? `HTTP ${response.status}`);
          return body;
        }
      } catch (error) {
        if (error instanceof Refused) throw error;
      }
      this.#tell(false, init.method === "POST");
      await pause(WAITS[Math.min(attempt, WAITS.length - 1)] * 1000);
    }
  }

  #tell(online, keeping) {
    if (online === this.online && keeping === this.keeping) return;
    this.online = online;
    this.keeping = keeping;
    this.dispatchEvent(new Event("change"));
  }
}

/** Resolves after some milliseconds, or as soon as the network comes back. */
function pause(milliseconds) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      removeEventListener("online", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    addEventListener("online", end);
  });
}
