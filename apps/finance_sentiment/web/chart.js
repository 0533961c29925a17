/* Charts over time, drawn by hand as SVG: bars and lines, a shaded stretch, a cursor, a brush. Knows numbers and times.
 *
 * With the pointer: move to read, click to pick a bucket, drag to choose a stretch. With the keyboard: arrows, Home and
 * End move, Shift extends the stretch, Enter picks or zooms, Escape lets go. Screen readers hear the bucket's values.
 */

import { el } from "../core/dom.js";
import { clock, day } from "./names.js";

const SVG = "http://www.w3.org/2000/svg";
const LEFT = 44;
const RIGHT = 10;
const TOP = 10;
const BOTTOM = 22;
const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;
const STEPS = [MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 90 * DAY, 365 * DAY];

function shape(tag, attributes) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) if (value != null) node.setAttribute(name, value);
  return node;
}

/** Up to five round numbers from 0 (or `low`) to `high` and a little further. */
export function ticks(high, low = 0) {
  const span = high - low || 1;
  const raw = span / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((n) => n * power).find((n) => n >= raw * 0.999);
  const found = [];
  for (let at = Math.floor(low / step) * step; at < high + step * 0.999; at += step) found.push(Number(at.toPrecision(12)));
  return found;
}

/** The instants that get a label, in local time, at most `most` of them. */
export function timeTicks(start, end, most) {
  const step = STEPS.find((s) => (end - start) / s <= most) ?? STEPS.at(-1);
  const shift = -new Date(start * 1000).getTimezoneOffset() * 60;
  const found = [];
  for (let at = Math.ceil((start + shift) / step) * step - shift; at < end; at += step) found.push(at);
  return { step, found };
}

/**
 * One chart. `say(i)` gives the words of bucket i; `pick(i)`, `brush(i, j)` and `move(i | null)` are told what the reader
 * does, where given.
 */
export class Chart {
  cursor = null;
  #anchor = null;
  #data = null;

  constructor(root, { i18n, label, height = 200, say, pick, brush, move }) {
    Object.assign(this, { i18n, height, say, pick, brush, move });
    this.svg = shape("svg", { class: "chart-svg", "aria-hidden": "true" });
    this.over = el("div", { class: "chart-over", tabindex: "0", role: "slider", "aria-valuemin": "0" });
    this.label = label;
    this.root = root;
    root.classList.add("chart");
    root.replaceChildren(this.svg, this.over);
    this.over.addEventListener("pointermove", (event) => this.#moved(event));
    this.over.addEventListener("pointerleave", () => this.#anchor == null && this.show(null, { tell: true }));
    this.over.addEventListener("pointerdown", (event) => this.#pressed(event));
    this.over.addEventListener("pointerup", (event) => this.#released(event));
    this.over.addEventListener("pointercancel", () => this.#letGo());
    this.over.addEventListener("keydown", (event) => this.#typed(event));
    this.over.addEventListener("blur", () => this.#letGo());
    new ResizeObserver(() => this.#data && this.#paint()).observe(root);
  }

  /** data: {start, seconds, count, layers: [{kind: "bars"|"line", values, css}], high, low, form, shade: [from, to]} */
  draw(data) {
    this.#data = data;
    this.over.setAttribute("aria-label", this.label());
    this.over.setAttribute("aria-valuemax", String(Math.max(0, data.count - 1)));
    if (this.cursor != null && this.cursor >= data.count) this.cursor = null;
    this.#paint();
  }

  /** Put the cursor on a bucket, or nowhere. */
  show(i, { tell = false } = {}) {
    this.cursor = i;
    if (this.#data) this.#mark();
    this.over.setAttribute("aria-valuenow", String(i ?? 0));
    this.over.setAttribute("aria-valuetext", i == null ? "" : this.say(i));
    if (tell) this.move?.(i);
  }

  #x(i) {
    return LEFT + (i / this.#data.count) * this.inner;
  }

  #paint() {
    const { start, seconds, count, layers, form, shade, low = 0 } = this.#data;
    const width = Math.max(160, this.root.clientWidth);
    this.inner = width - LEFT - RIGHT;
    const bottom = this.height - BOTTOM;
    const all = layers.flatMap((layer) => layer.values).filter((v) => v != null);
    const marks = ticks(this.#data.high ?? Math.max(1, ...all), low < 0 ? Math.min(low, ...all) : 0);
    const [floor, top] = [marks[0], marks.at(-1)];
    const y = (v) => bottom - ((v - floor) / (top - floor)) * (bottom - TOP);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${this.height}`);
    this.svg.setAttribute("width", width);
    this.svg.setAttribute("height", this.height);
    const parts = [];
    if (shade) {
      const [from, to] = shade.map((at) => LEFT + Math.min(1, Math.max(0, (at - start) / (seconds * count))) * this.inner);
      parts.push(shape("rect", { class: "shade", x: from, y: TOP, width: Math.max(2, to - from), height: bottom - TOP }));
    }
    for (const mark of marks) {
      parts.push(shape("line", { class: mark === 0 ? "base" : "grid", x1: LEFT, x2: width - RIGHT, y1: y(mark), y2: y(mark) }));
      const text = shape("text", { class: "tick", x: LEFT - 8, y: y(mark) + 3.5, "text-anchor": "end" });
      text.textContent = form(mark);
      parts.push(text);
    }
    const { step, found } = timeTicks(start, start + seconds * count, this.inner / 84);
    for (const at of found) {
      const x = LEFT + ((at - start) / (seconds * count)) * this.inner;
      const local = new Date(at * 1000);
      const text = shape("text", { class: "tick", x, y: this.height - 5, "text-anchor": x < LEFT + 16 ? "start" : x > width - 30 ? "end" : "middle" });
      text.textContent = step >= DAY || (!local.getHours() && !local.getMinutes()) ? day(this.i18n, at) : clock(this.i18n, at);
      parts.push(text);
    }
    for (const layer of layers) parts.push(layer.kind === "bars" ? this.#bars(layer, y) : this.#line(layer, y));
    this.band = shape("rect", { class: "band", y: TOP, height: bottom - TOP, visibility: "hidden" });
    this.hair = shape("line", { class: "hair", y1: TOP, y2: bottom, visibility: "hidden" });
    this.dots = layers.filter((layer) => layer.kind === "line").map((layer) => [layer, shape("circle", { class: `dot ${layer.css}`, r: 3.5, visibility: "hidden" })]);
    this.y = y;
    this.svg.replaceChildren(...parts, this.band, this.hair, ...this.dots.map(([, dot]) => dot));
    this.#mark();
  }

  #bars({ values, css }, y) {
    const wide = this.inner / this.#data.count;
    const gap = wide > 6 ? Math.min(3, wide * 0.18) : wide > 3 ? 0.6 : 0;
    let d = "";
    values.forEach((v, i) => {
      if (!v) return;
      d += `M${(this.#x(i) + gap / 2).toFixed(2)} ${y(0).toFixed(2)}V${y(v).toFixed(2)}h${Math.max(0.7, wide - gap).toFixed(2)}V${y(0).toFixed(2)}z`;
    });
    return shape("path", { class: `bars ${css}`, d });
  }

  #line({ values, css }, y) {
    let d = "";
    let pen = false;
    const alone = [];
    values.forEach((v, i) => {
      if (v == null) {
        pen = false;
        return;
      }
      const [x, at] = [this.#x(i + 0.5).toFixed(2), y(v).toFixed(2)];
      if (!pen && values[i + 1] == null) alone.push(`M${x} ${at}h.01`);
      d += `${pen ? "L" : "M"}${x} ${at}`;
      pen = true;
    });
    const group = shape("g", { class: `line ${css}` });
    group.append(shape("path", { d }), shape("path", { class: "alone", d: alone.join("") }));
    return group;
  }

  #mark() {
    const i = this.cursor;
    const at = i == null ? "hidden" : "visible";
    this.hair.setAttribute("visibility", at);
    if (i != null) for (const end of ["x1", "x2"]) this.hair.setAttribute(end, this.#x(i + 0.5));
    for (const [layer, dot] of this.dots) {
      const v = i == null ? null : layer.values[i];
      dot.setAttribute("visibility", v == null ? "hidden" : "visible");
      if (v == null) continue;
      dot.setAttribute("cx", this.#x(i + 0.5));
      dot.setAttribute("cy", this.y(v));
    }
    const stretch = this.#stretch();
    this.band.setAttribute("visibility", stretch ? "visible" : "hidden");
    if (!stretch) return;
    this.band.setAttribute("x", this.#x(stretch[0]));
    this.band.setAttribute("width", this.#x(stretch[1] + 1) - this.#x(stretch[0]));
  }

  #stretch() {
    if (this.#anchor == null || this.cursor == null || this.#anchor === this.cursor) return null;
    return [Math.min(this.#anchor, this.cursor), Math.max(this.#anchor, this.cursor)];
  }

  #at(event) {
    const x = event.clientX - this.root.getBoundingClientRect().left - LEFT;
    return Math.min(this.#data.count - 1, Math.max(0, Math.floor((x / this.inner) * this.#data.count)));
  }

  #moved(event) {
    if (this.#data) this.show(this.#at(event), { tell: true });
  }

  #pressed(event) {
    if (!this.#data || event.button !== 0) return;
    this.over.setPointerCapture(event.pointerId);
    this.#anchor = this.#at(event);
    this.show(this.#anchor, { tell: true });
  }

  #released() {
    if (this.#anchor != null) this.#chosen();
  }

  #chosen() {
    const stretch = this.#stretch();
    const i = this.cursor;
    this.#letGo();
    if (stretch) this.brush?.(...stretch);
    else if (i != null) this.pick?.(i);
  }

  #letGo() {
    this.#anchor = null;
    if (this.#data) this.#mark();
  }

  #typed(event) {
    if (!this.#data || event.ctrlKey || event.metaKey || event.altKey) return;
    const last = this.#data.count - 1;
    const now = this.cursor ?? (event.key === "ArrowRight" ? -1 : last + 1);
    const to = { ArrowLeft: now - 1, ArrowRight: now + 1, PageUp: now - 10, PageDown: now + 10, Home: 0, End: last }[event.key];
    if (to !== undefined) {
      if (event.shiftKey) this.#anchor ??= this.cursor ?? to;
      else this.#anchor = null;
      this.show(Math.min(last, Math.max(0, to)), { tell: true });
    } else if (event.key === "Enter" || event.key === " ") this.#chosen();
    else if (event.key === "Escape") {
      this.#letGo();
      this.show(null, { tell: true });
    } else return;
    event.preventDefault();
  }
}
