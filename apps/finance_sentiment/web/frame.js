/* What every page of the monitor has: navigation, the rooms, whether it is live, the reader's name, refusals. */

import { el, memory } from "../core/dom.js";
import { I18n } from "../core/i18n.js";
import { mountNav, NAV_WORDS } from "../core/nav.js";
import { Names } from "./names.js";
import { Gone, Live, Server } from "./server.js";
import { FRAME_WORDS } from "./words.js";

const ROOMS = [["alerts", "/finance/"], ["trends", "/finance/trends"], ["map", "/finance/map"], ["sources", "/finance/sources"], ["rules", "/finance/rules"]];
const BY = "triptych.finance.by";

/** The page's frame. `name`: its key in the words; `words`: those of the page itself. */
export class Frame {
  constructor(name, words) {
    this.i18n = new I18n({
      en: { ...NAV_WORDS.en, ...FRAME_WORDS.en, ...words.en },
      zh: { ...NAV_WORDS.zh, ...FRAME_WORDS.zh, ...words.zh },
    });
    this.name = name;
    this.server = new Server();
    this.server.askKey = () => this.#askKey();
    this.live = new Live();
    this.names = new Names(this.i18n);
    this.view = document.querySelector("#view");
    this.refused = document.querySelector(".refused");
    this.offline = document.querySelector(".offline");
    this.#mount();
  }

  t(key, values) {
    return this.i18n.t(key, values);
  }

  /** Who acts; empty until said. */
  get by() {
    return memory.get(BY) ?? "";
  }

  set by(name) {
    memory.set(BY, name.trim() || null);
  }

  /** The head of a table; the column of acts is named for screen readers alone. */
  head(...keys) {
    return el("thead", {}, el("tr", {}, ...keys.map((key) => key === "col_acts"
      ? el("th", { scope: "col" }, this.i18n.node("span", key, { class: "unseen" }))
      : this.i18n.node("th", key, { scope: "col" }))));
  }

  title(text) {
    this.text = text;
    document.title = `${text ? `${text} · ` : ""}${this.t(this.name)} · Triptych`;
  }

  /** Do something with the server; a refusal is shown, and undefined comes back. */
  async go(work) {
    try {
      const found = await work();
      this.refused.hidden = true;
      return found;
    } catch (error) {
      if (error.name === "AbortError" || error instanceof Gone) return undefined;
      this.refused.textContent = error.message;
      this.refused.hidden = false;
      return undefined;
    }
  }

  /** Begin: `load` runs now, whenever the stream opens, and every `seconds` while somebody looks, where given. */
  begin(load, { seconds = 0 } = {}) {
    this.live.addEventListener("ready", load);
    this.live.start();
    if (seconds) setInterval(() => document.hidden || load(), seconds * 1000);
    return load();
  }

  #mount() {
    const { i18n } = this;
    const here = this.name === "alert" ? "/finance/" : location.pathname;
    const links = el("nav", { "data-t-label": "rooms" }, ...ROOMS.map(([key, href]) =>
      i18n.node("a", key, { href, "aria-current": href === here && "page" })));
    this.lamp = el("span", { class: "lamp", role: "status" });
    document.querySelector(".rooms").replaceChildren(links, this.lamp);
    mountNav(document.querySelector(".suite"), i18n);
    const home = () => document.querySelector('.suite nav a[href="/finance/"]')?.setAttribute("aria-current", "true");
    new MutationObserver(home).observe(document.querySelector(".suite nav"), { childList: true });
    i18n.fill(document);
    const say = () => {
      this.title(this.text ?? "");
      this.#tell();
    };
    i18n.addEventListener("change", say);
    this.server.addEventListener("change", () => this.#tell());
    this.live.addEventListener("change", () => this.#tell());
    say();
  }

  #tell() {
    this.lamp.className = `lamp ${this.live.open ? "on" : ""}`;
    this.lamp.textContent = this.t(this.live.open ? "live" : "connecting");
    this.offline.hidden = this.server.online;
    this.offline.textContent = this.server.online ? "" : this.t("gone");
  }

  #askKey() {
    return new Promise((resolve) => {
      const input = el("input", { type: "password", required: true, autocomplete: "off", "aria-label": this.t("key") });
      const dialog = el("dialog", { class: "ask", on: { close: () => {
        dialog.remove();
        resolve(dialog.returnValue === "ok" ? input.value : null);
      } } },
      el("form", { method: "dialog" },
        el("p", { text: this.t("key_lead") }), input,
        el("div", { class: "row" },
          el("button", { class: "button", value: "ok", text: this.t("go_on") }),
          el("button", { class: "quiet-button", value: "", formnovalidate: true, text: this.t("cancel") }))));
      document.body.append(dialog);
      dialog.showModal();
    });
  }
}

/** The query of the address, as an object of arrays kept in step with it. */
export const address = {
  get(name, fallback = "") {
    return new URLSearchParams(location.search).get(name) ?? fallback;
  },
  all(name) {
    return new URLSearchParams(location.search).getAll(name);
  },
  /** Write values (null leaves one out); `push` makes a step that "back" undoes. */
  set(values, { push = false } = {}) {
    const url = new URL(location.href);
    for (const [name, value] of Object.entries(values)) {
      url.searchParams.delete(name);
      for (const one of Array.isArray(value) ? value : [value]) if (one != null) url.searchParams.append(name, one);
    }
    if (url.href === location.href) return;
    history[push ? "pushState" : "replaceState"](null, "", url);
  },
};
