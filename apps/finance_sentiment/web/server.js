/* The finance monitor's HTTP interface, and the stream of what happens. Knows JSON, no elements. */

const KEY = "triptych.admin-key";

/** The server said no. `status` is HTTP's; the message is the server's own. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** The server did not answer. */
export class Gone extends Error {}

/** Fires "change" when `online` does. `askKey` gives the admin key, or null, when the server wants one. */
export class Server extends EventTarget {
  online = true;
  askKey = async () => null;

  get(path, query = {}, options = {}) {
    const pairs = Object.entries(query).flatMap(([name, value]) =>
      (Array.isArray(value) ? value : [value]).filter((one) => one != null).map((one) => [name, String(one)]));
    const search = new URLSearchParams(pairs).toString();
    return this.send("GET", search ? `${path}?${search}` : path, undefined, options);
  }

  async send(method, path, body, { signal, seconds = 20, ask = true } = {}) {
    let response;
    try {
      response = await fetch(`/finance/${path}`, {
        method,
        cache: "no-cache",
        signal: signal ?? AbortSignal.timeout(seconds * 1000),
        headers: {
          Accept: "application/json",
          ...(body === undefined ? {} : { "Content-Type": "application/json" }),
          ...(adminKey() ? { Authorization: `Bearer ${adminKey()}` } : {}),
        },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      this.tell(false);
      throw new Gone(error.message);
    }
    if (response.status === 502 || response.status === 504) {
      this.tell(false);
      throw new Gone(`HTTP ${response.status}`);
    }
    this.tell(true);
    if (response.status === 204) return null;
    const found = await response.json().catch(() => ({}));
    if (response.status === 401 && ask) {
      const key = await this.askKey();
      if (key) {
        keepKey(key);
        return this.send(method, path, body, { seconds });
      }
    }
    if (!response.ok) throw new Refused(response.status, found.detail ?? `HTTP ${response.status}`);
    return found;
  }

  tell(online) {
    if (online === this.online) return;
    this.online = online;
    this.dispatchEvent(new Event("change"));
  }
}

function adminKey() {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function keepKey(key) {
  try {
    sessionStorage.setItem(KEY, key);
  } catch {
    // The key is asked for again.
  }
}

const WAITS = [1, 2, 4, 8, 15];
const HIDDEN_SECONDS = 60;

/**
 * Everything that happens to alerts, as it happens. Fires "ready" whenever the stream (re)opens, "alert" with the message
 * in `detail`, and "change" when `open` does. A tab that nobody looks at lets go of its connection.
 */
export class Live extends EventTarget {
  open = false;
  #source = null;
  #failures = 0;
  #timer = 0;

  start() {
    this.#connect();
    document.addEventListener("visibilitychange", () => {
      clearTimeout(this.#timer);
      if (document.hidden) this.#timer = setTimeout(() => this.#close(), HIDDEN_SECONDS * 1000);
      else if (!this.#source) this.#connect();
    });
    addEventListener("online", () => this.#again(0));
  }

  #connect() {
    const source = (this.#source = new EventSource("/finance/alerts/stream"));
    source.addEventListener("ready", () => {
      this.#failures = 0;
      this.#tell(true);
      this.dispatchEvent(new Event("ready"));
    });
    source.addEventListener("alert", (event) =>
      this.dispatchEvent(new CustomEvent("alert", { detail: JSON.parse(event.data) })));
    source.addEventListener("error", () => {
      this.#tell(false);
      if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
      this.#again(WAITS[Math.min(this.#failures++, WAITS.length - 1)]);
    });
  }

  #again(seconds) {
    if (this.open) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#close();
      this.#connect();
    }, seconds * 1000);
  }

  #close() {
    this.#source?.close();
    this.#source = null;
    this.#tell(false);
  }

  #tell(open) {
    if (open === this.open) return;
    this.open = open;
    this.dispatchEvent(new Event("change"));
  }
}
