/* The map: who is talked about most, how badly, and when. Colour and number together; every cell leads to its texts. */

import { el } from "../core/dom.js";
import { address, Frame } from "./frame.js";
import { clock, count, day, lasting, percent, score, when } from "./names.js";
import { Span } from "./span.js";
import { MAP_WORDS } from "./trends-words.js";

const KINDS = ["entity", "topic", "source", "language"];
const SORTS = ["stories", "share_negative", "change"];
const LEVELS = [0.1, 0.25, 0.4, 0.6];
const REFRESH_SECONDS = 20;

const frame = new Frame("map", MAP_WORDS);
const { i18n, server, names } = frame;
const span = new Span(frame);
const controls = el("div", { class: "filters" });
const place = el("section", { class: "panel heat" });
const none = i18n.node("p", "empty", { class: "none", hidden: true });
frame.view.replaceChildren(controls, none, place);
let heat = null;
let asked = 0;

const kind = () => (KINDS.includes(address.get("dimension")) ? address.get("dimension") : "entity");
const sort = () => (SORTS.includes(address.get("sort")) ? address.get("sort") : "stories");
const level = (stories, share) => (stories ? LEVELS.filter((limit) => share >= limit).length + 1 : 0);

function chips(label, all, now, text, use) {
  return el("div", { class: "chips", role: "group", "aria-label": i18n.t(label) }, ...all.map((one) => el("button", {
    type: "button", class: "chip", "data-chip": `${label} ${one}`, "aria-pressed": String(one === now), text: text(one), on: { click: () => use(one) },
  })));
}

function drawControls() {
  const focused = document.activeElement?.dataset?.chip;
  controls.replaceChildren(
    chips("kinds", KINDS, kind(), (k) => i18n.t(`dimension_${k}`), (k) => {
      address.set({ dimension: k === "entity" ? null : k });
      changed();
    }),
    span.root,
    chips("sort", SORTS, sort(), (s) => i18n.t(`sort_${s}`), (s) => {
      address.set({ sort: s === "stories" ? null : s });
      drawControls();
      draw();
    }));
  if (focused) controls.querySelector(`[data-chip="${focused}"]`)?.focus();
}

function trends(value, from = heat.start, to = heat.end, at = false) {
  const live = !span.fixed && !at;
  const query = { dimension: heat.dimension, value, ...(live ? (span.name === "hour_24" ? {} : { span: span.name }) : { start: from, end: to }), ...(at ? { at: from, length: to - from } : {}) };
  return `/finance/trends?${new URLSearchParams(query)}`;
}

function sorted() {
  const key = { stories: (r) => r.stories, share_negative: (r) => r.share_negative, change: (r) => r.change.share_negative ?? -2 }[sort()];
  return heat.rows.toSorted((a, b) => key(b) - key(a) || b.stories - a.stories);
}

function draw() {
  if (!heat) return;
  none.hidden = heat.rows.length > 0;
  place.hidden = !none.hidden;
  if (place.hidden) return;
  const focused = document.activeElement?.dataset?.cell;
  const columns = heat.rows[0].cells.length;
  const every = Math.max(1, Math.ceil(columns / 12));
  const heads = Array.from({ length: columns }, (_, i) => el("th", { scope: "col", class: "hour" },
    el("span", { class: i % every ? "unseen" : "", text: i % every ? when(i18n, heat.start + i * heat.bucket) : hour(i) })));
  const table = el("table", { on: { keydown: moved } },
    el("thead", {}, el("tr", {}, i18n.node("th", "col_name", { scope: "col" }), i18n.node("th", "stories", { scope: "col", class: "end" }),
      i18n.node("th", "share_negative", { scope: "col", class: "end" }), el("th", { scope: "col", class: "end", title: i18n.t("change_hint"), text: i18n.t("col_change") }),
      i18n.node("th", "mean_score", { scope: "col", class: "end" }), ...heads)),
    el("tbody", {}, ...sorted().map(row)));
  place.replaceChildren(
    el("p", { class: "legend" }, el("span", { text: i18n.t("legend") }),
      ...["few", "< 10%", "10–25%", "25–40%", "40–60%", "≥ 60%"].map((text, n) => el("span", { class: "key-cell" }, el("i", { class: `h${n}`, "aria-hidden": "true" }), n ? text : i18n.t(text))),
      el("span", { class: "end", text: `${i18n.t("shown", { n: heat.rows.length, all: heat.values })} · ${i18n.t("over_time", { n: columns, length: lasting(i18n, heat.bucket) })}` })),
    el("div", { class: "wide" }, table), i18n.node("p", "map_hint", { class: "quiet hint" }));
  if (focused) place.querySelector(`[data-cell="${CSS.escape(focused)}"]`)?.focus();
}

/** The head of a column: the time of day, or the day where it begins. */
function hour(i) {
  const at = heat.start + i * heat.bucket;
  const local = new Date(at * 1000);
  return heat.bucket >= 86_400 || (!local.getHours() && !local.getMinutes()) ? day(i18n, at) : clock(i18n, at);
}

function row(r) {
  const name = names.of(heat.dimension, r.value);
  const change = r.change.share_negative;
  const whole = Math.round((change ?? 0) * 100);
  const points = change == null ? "–" : `${whole > 0 ? "+" : whole < 0 ? "−" : "±"}${Math.abs(whole)}`;
  return el("tr", {},
    el("th", { scope: "row" }, el("a", { href: trends(r.value), "data-cell": `${r.value} -1`, text: name, title: r.value })),
    el("td", { class: "end", text: count(i18n, r.stories) }),
    el("td", { class: `end level h${level(r.stories, r.share_negative)}`, text: percent(r.share_negative) }),
    el("td", { class: `end ${change > 0.05 ? "worse" : change < -0.05 ? "better" : "quiet"}`, text: points }),
    el("td", { class: "end quiet", text: score(r.mean_score) }),
    ...r.cells.map(([stories, negative], i) => cell(r.value, name, stories, negative, i)));
}

function cell(value, name, stories, negative, i) {
  const from = heat.start + i * heat.bucket;
  if (!stories) return el("td", { class: "cell h0" }, el("span", { class: "unseen", text: "0" }));
  const words = i18n.t("cell", { name, at: when(i18n, from), stories, negative });
  return el("td", { class: `cell h${level(stories, negative / stories)}` },
    el("a", { href: trends(value, from, from + heat.bucket, true), tabindex: "-1", "data-cell": `${value} ${i}`, title: words, "aria-label": words, text: stories > 999 ? "999+" : String(stories) }));
}

/** Arrows go from link to link; empty cells are passed over. */
function moved(event) {
  const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
  const from = event.target.closest("a");
  if (!step || !from) return;
  event.preventDefault();
  let tr = from.closest("tr");
  let column = [...tr.children].indexOf(from.closest("td, th"));
  do {
    column += step[1];
    if (step[0]) tr = step[0] < 0 ? tr.previousElementSibling : tr.nextElementSibling;
    const link = tr?.children[column]?.querySelector("a");
    if (link) return link.focus();
  } while (tr && column >= 0 && column < tr.children.length);
}

async function load() {
  const mine = (asked += 1);
  const answer = await frame.go(() => server.get("heatmap", { dimension: kind(), limit: 40, ...span.query() }));
  if (mine !== asked || !answer) return;
  heat = answer;
  draw();
  document.body.dataset.loaded = "true";
}

function changed() {
  drawControls();
  load();
}

span.addEventListener("change", changed);
addEventListener("popstate", () => span.changed());
i18n.addEventListener("change", () => {
  span.draw();
  drawControls();
  draw();
});
drawControls();
frame.begin(() => (heat && span.fixed ? undefined : load()), { seconds: REFRESH_SECONDS });
const known = await server.get("names").catch(() => null);
if (known) {
  names.take(known);
  draw();
}
