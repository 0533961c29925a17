/* Whether the server is there. Asks again by itself, less and less often, and at once when the network comes back. */

const WAITS = [1, 2, 4, 8, 15, 30];
const HEARTBEAT = 30_000;

/** Fires "change" when `online` or `seconds` (until the next try) change. */
export class Connection extends EventTarget {
  constructor(client) {
    super();
    this.client = client;
    this.online = true;
    this.seconds = 0;
    this.tries = 0;
    this.timer = null;
    addEventListener("online", () => this.online || this.retry());
    document.addEventListener("visibilitychange", () => document.hidden || this.check());
    setInterval(() => document.hidden || this.check(), HEARTBEAT);
  }

  /** Somebody met a dead server: say so and begin to ask. */
  lost() {
    if (!this.online) return;
    this.online = false;
    this.tries = 0;
    this.#wait();
  }

  /** Ask now; while the server is there this notices when it goes. */
  async check() {
    if (!this.online) return;
    if (!(await this.client.alive())) this.lost();
  }

  /** Ask now instead of later. */
  async retry() {
    clearTimeout(this.timer);
    this.seconds = 0;
    this.#tell();
    if (await this.client.alive()) {
      this.online = true;
      this.#tell();
    } else {
      this.tries += 1;
      this.#wait();
    }
  }

  #wait() {
    this.seconds = WAITS[Math.min(this.tries, WAITS.length - 1)];
    clearTimeout(this.timer);
    const tick = () => {
      if (this.seconds <= 0) {
        this.retry();
        return;
      }
      this.#tell();
      this.seconds -= 1;
      this.timer = setTimeout(tick, 1000);
    };
    tick();
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }
}
