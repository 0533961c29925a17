/* The stretch of time a page looks at: the last hours or days, which go on with the clock, or fixed bounds. In the address. */

import { el } from "../core/dom.js";
import { address } from "./frame.js";
import { when } from "./names.js";

export const SPANS = { hour_1: 3600, hour_6: 21_600, hour_24: 86_400, day_7: 604_800, day_30: 2_592_000, day_90: 7_776_000 };

export class Span extends EventTarget {
  constructor(frame) {
    super();
    this.frame = frame;
    this.root = el("div", { class: "chips span", role: "group" });
    this.draw();
  }

  get name() {
    const name = address.get("span", "hour_24");
    return Object.hasOwn(SPANS, name) ? name : "hour_24";
  }

  /** Fixed bounds in seconds, or null while the span goes on with the clock. */
  get fixed() {
    const [start, end] = [Number(address.get("start")), Number(address.get("end"))];
    return Number.isInteger(start) && Number.isInteger(end) && start > 0 && end > start ? [start, end] : null;
  }

  query() {
    const [start, end] = this.fixed ?? [Math.floor(Date.now() / 1000) - SPANS[this.name], null];
    return { start, end };
  }

  zoom(start, end) {
    address.set({ start, end, at: null, which: null }, { push: true });
    this.changed();
  }

  use(name) {
    address.set({ span: name === "hour_24" ? null : name, start: null, end: null, at: null, which: null }, { push: true });
    this.changed();
  }

  changed() {
    this.draw();
    this.dispatchEvent(new Event("change"));
  }

  draw() {
    const { i18n } = this.frame;
    const focused = this.root.contains(document.activeElement) ? document.activeElement.dataset.span : null;
    this.root.setAttribute("aria-label", i18n.t("span"));
    const { fixed } = this;
    this.root.replaceChildren(
      ...Object.keys(SPANS).map((name) => el("button", {
        type: "button", class: "chip", "data-span": name, "aria-pressed": String(!fixed && name === this.name), text: i18n.t(name), on: { click: () => this.use(name) },
      })),
      fixed ? el("span", { class: "quiet fixed", text: `${when(i18n, fixed[0])} – ${when(i18n, fixed[1])}` }) : "");
    if (focused) this.root.querySelector(`[data-span="${focused}"]`)?.focus();
  }
}
