/* Trends: volume and share negative over time, up to four series side by side, and the texts behind a bucket. */

import { el } from "../core/dom.js";
import { Chart } from "./chart.js";
import { address, Frame } from "./frame.js";
import { count, percent, score, when } from "./names.js";
import { Span } from "./span.js";
import { textList } from "./texts.js";
import { TREND_WORDS } from "./trends-words.js";

const MOST = 4;
const DIMENSIONS = ["all", "entity", "topic", "source", "language"];
const BUCKETS = ["auto", "60", "300", "900", "3600", "21600", "86400"];
const REFRESH_SECONDS = 15;

const frame = new Frame("trends", TREND_WORDS);
const { i18n, server, names } = frame;
const span = new Span(frame);
const say = (text) => (spoken.textContent = text);

let found = null; // the trends as they are shown
let asked = 0;
let tableDrawn = false;

const spoken = el("p", { class: "unseen", role: "status" });
const controls = el("form", { class: "filters", on: { submit: add } });
const legend = el("div", { class: "legend" });
const readout = el("p", { class: "readout", "aria-hidden": "true" });
const note = el("p", { class: "none", hidden: true });
const [volumeRoot, shareRoot] = [el("div"), el("div")];
const figures = el("details", { class: "figures", on: { toggle: drawTable } });
const texts = el("section", { class: "panel behind", hidden: true });
const charts = el("section", { class: "panel charts" }, legend, i18n.node("h2", "volume"), volumeRoot, i18n.node("h2", "share"), shareRoot, readout,
  i18n.node("p", "hint", { class: "quiet hint" }), figures);
frame.view.replaceChildren(controls, note, charts, texts, spoken);

const shared = { i18n, say: sayBucket, pick, brush: (i, j) => span.zoom(at(i), at(j + 1)) };
const volume = new Chart(volumeRoot, { ...shared, height: 190, label: () => i18n.t("volume"), move: moved(() => share) });
const share = new Chart(shareRoot, { ...shared, height: 150, label: () => i18n.t("share"), move: moved(() => volume) });

const at = (i) => found.start + i * found.bucket;
const dimension = () => (DIMENSIONS.includes(address.get("dimension")) ? address.get("dimension") : "all");
const values = () => (dimension() === "all" ? [""] : address.all("value").slice(0, MOST));
const bucket = () => (BUCKETS.includes(address.get("bucket")) ? address.get("bucket") : "auto");

/* What to look at. */

function drawControls() {
  const focused = document.activeElement?.dataset?.control;
  const typed = focused === "value" ? document.activeElement.value : "";
  const option = (value, text, now) => el("option", { value, text, selected: value === now });
  const kind = el("select", { "data-control": "kind", "aria-label": i18n.t("dimension_all"), on: { change: () => {
    address.set({ dimension: kind.value === "all" ? null : kind.value, value: null, at: null, which: null });
    changed();
  } } }, ...DIMENSIONS.map((d) => option(d, i18n.t(`dimension_${d}`), dimension())));
  const chosen = dimension() === "all" ? [] : values().map((value, s) => el("span", { class: `chip key s${s}` },
    el("span", { text: names.of(dimension(), value) }),
    el("button", { type: "button", class: "drop", "aria-label": i18n.t("remove", { name: names.of(dimension(), value) }), text: "×", on: { click: () => {
      address.set({ value: values().filter((other) => other !== value), at: null, which: null });
      changed();
    } } })));
  const input = dimension() === "all" ? null : el("input", {
    name: "value", "data-control": "value", list: "values", autocomplete: "off", maxlength: "200", placeholder: i18n.t("add_hint"), "aria-label": i18n.t("add_hint"),
  });
  if (input) input.value = typed;
  const list = el("datalist", { id: "values" }, ...names.options(dimension()).map((v) => el("option", { value: names.of(dimension(), v) })));
  const size = el("select", { "data-control": "bucket", "aria-label": i18n.t("bucket"), on: { change: () => {
    address.set({ bucket: size.value === "auto" ? null : size.value });
    changed();
  } } }, ...BUCKETS.map((b) => option(b, `${i18n.t("bucket")}: ${b === "auto" ? i18n.t("bucket_auto") : i18n.t(`b_${b}`)}`, bucket())));
  controls.replaceChildren(
    el("div", { class: "picks" }, kind, ...chosen, input ?? "", input ? list : "", input ? el("button", { class: "quiet-button outlined", text: i18n.t("add") }) : ""),
    span.root, size);
  if (focused) controls.querySelector(`[data-control="${focused}"]`)?.focus();
}

async function add(event) {
  event.preventDefault();
  await naming;
  const input = controls.elements.value;
  const text = input?.value.trim();
  if (!text) return;
  const value = names.find(dimension(), text);
  const now = values();
  if (!value) return say(refuse(i18n.t("unknown", { text })));
  if (now.length >= MOST) return say(refuse(i18n.t("too_many")));
  address.set({ value: [...new Set([...now, value])], at: null, which: null });
  input.value = "";
  changed();
  controls.elements.value.focus();
}

function refuse(text) {
  frame.refused.textContent = text;
  frame.refused.hidden = false;
  return "";
}

function changed() {
  frame.refused.hidden = true;
  drawControls();
  load();
}

/* Charts. */

function moved(other) {
  return (i) => {
    other().show(i);
    readout.replaceChildren(...(i == null ? [] : words(i)));
  };
}

function words(i) {
  const time = el("strong", { text: `${when(i18n, at(i))} – ${when(i18n, at(i + 1))}` });
  return [time, ...found.series.map((series, s) => el("span", { class: `key s${s}`, text: one(series, i) }))];
}

function one({ value, buckets }, i) {
  const b = buckets[i];
  return i18n.t("say_one", { name: names.of(found.dimension, value), stories: count(i18n, b.stories), share: b.stories ? percent(b.share_negative) : "–" });
}

function sayBucket(i) {
  return i18n.t("say", { at: when(i18n, at(i)), rest: found.series.map((series) => one(series, i)).join("; ") });
}

function draw() {
  drawLegend();
  if (!found) return;
  const { start, bucket: seconds, series } = found;
  const base = { start, seconds, count: series[0]?.buckets.length ?? 0 };
  const single = series.length === 1;
  const total = series.reduce((sum, s) => sum + s.buckets.reduce((n, b) => n + b.stories, 0), 0);
  note.hidden = total > 0;
  note.textContent = i18n.t("empty_span");
  const chosen = address.get("at") ? Number(address.get("at")) : null;
  const shade = chosen == null ? null : [chosen, chosen + seconds];
  volume.draw({
    ...base, shade, form: (v) => count(i18n, v), high: Math.max(4, ...series.flatMap((s) => s.buckets.map((b) => b.stories))),
    layers: single
      ? [{ kind: "bars", css: "all", values: series[0].buckets.map((b) => b.stories) }, { kind: "bars", css: "negative", values: series[0].buckets.map((b) => b.negative) }]
      : series.map((s, n) => ({ kind: "line", css: `s${n}`, values: s.buckets.map((b) => b.stories) })),
  });
  share.draw({
    ...base, shade, high: 1, form: percent,
    layers: series.map((s, n) => ({ kind: "line", css: `s${n}`, values: s.buckets.map((b) => (b.stories ? b.share_negative : null)) })),
  });
  tableDrawn = false;
  drawTable();
}

function drawLegend() {
  charts.hidden = values().length === 0;
  if (charts.hidden) {
    note.hidden = false;
    note.textContent = i18n.t("choose");
  }
  const all = found?.series ?? [];
  const sum = (s) => s.buckets.reduce(([n, m], b) => [n + b.stories, m + b.negative], [0, 0]);
  legend.replaceChildren(...all.map((s, n) => {
    const [stories, negative] = sum(s);
    return el("span", { class: `key s${n}` }, el("strong", { text: names.of(found.dimension, s.value) }),
      el("span", { text: i18n.t("sum", { stories: count(i18n, stories), share: stories ? percent(negative / stories) : "–" }) }));
  }), ...(all.length === 1 ? [el("span", { class: "key bars-all", text: i18n.t("key_all") }), el("span", { class: "key bars-negative", text: i18n.t("key_negative") })] : []));
}

function drawTable() {
  if (!figures.firstChild) figures.append(i18n.node("summary", "as_table"));
  if (!figures.open || tableDrawn || !found) return;
  tableDrawn = true;
  const heads = found.series.flatMap(({ value }) => ["stories", "negative", "share_negative", "mean_score"].map((key) => el("th", {
    scope: "col", class: "end", text: found.series.length > 1 ? `${names.of(found.dimension, value)}: ${i18n.t(key)}` : i18n.t(key),
  })));
  const rows = found.series[0].buckets.map((_, i) => el("tr", {}, el("th", { scope: "row", text: when(i18n, at(i)) }),
    ...found.series.flatMap(({ buckets: b }) => [b[i].stories, b[i].negative, b[i].stories ? percent(b[i].share_negative) : "–", b[i].stories ? score(b[i].mean_score) : "–"]
      .map((text) => el("td", { class: "end", text: String(text) })))));
  figures.replaceChildren(figures.firstChild, el("div", { class: "wide", tabindex: "0" },
    el("table", {}, el("thead", {}, el("tr", {}, i18n.node("th", "col_from", { scope: "col" }), ...heads)), el("tbody", {}, ...rows))));
}

async function load() {
  const mine = (asked += 1);
  const wanted = values();
  if (!wanted.length) {
    found = null;
    texts.hidden = true;
    return drawLegend();
  }
  const query = { dimension: dimension(), value: dimension() === "all" ? null : wanted, bucket: bucket(), ...span.query() };
  const answer = await frame.go(() => server.get("trends", query));
  if (mine !== asked || !answer) return;
  found = answer;
  draw();
  document.body.dataset.loaded = "true";
  await loadTexts();
}

/* Texts behind a bucket. */

function pick(i) {
  address.set({ at: at(i), length: found.bucket });
  draw();
  loadTexts().then(() => texts.scrollIntoView({ block: "nearest" }));
}

async function loadTexts({ focus = null } = {}) {
  const start = Number(address.get("at"));
  if (!start || !found) {
    texts.hidden = true;
    return;
  }
  const length = Number(address.get("length")) || found.bucket;
  const which = values().includes(address.get("which")) ? address.get("which") : values()[0];
  const sentiment = ["negative", "neutral", "positive"].includes(address.get("sentiment")) ? address.get("sentiment") : null;
  const order = address.get("order") === "most_negative" ? "most_negative" : "latest";
  const query = { dimension: dimension(), value: which || null, start, end: start + length, sentiment, order, limit: 50 };
  const answer = await frame.go(() => server.get("texts", query));
  if (!answer || Number(address.get("at")) !== start) return;
  const choose = (name, options, now) => {
    const select = el("select", { "data-control": name, "aria-label": i18n.t(name === "which" ? `dimension_${dimension()}` : name), on: { change: () => {
      address.set({ [name]: select.value || null });
      loadTexts({ focus: name });
    } } }, ...options.map(([value, text]) => el("option", { value, text, selected: value === (now ?? "") })));
    return select;
  };
  texts.hidden = false;
  texts.replaceChildren(
    el("h2", { text: i18n.t("texts_of", { name: names.of(dimension(), which), from: when(i18n, start), to: when(i18n, start + length) }) }),
    el("div", { class: "picks" },
      values().length > 1 ? choose("which", values().map((v) => [v, names.of(dimension(), v)]), which) : "",
      choose("sentiment", [["", i18n.t("any_sentiment")], ...["negative", "neutral", "positive"].map((s) => [s, i18n.t(s)])], sentiment),
      choose("order", [["latest", i18n.t("latest")], ["most_negative", i18n.t("most_negative")]], order),
      el("button", { type: "button", class: "quiet-button", text: i18n.t("stop"), on: { click: () => {
        address.set({ at: null, length: null, which: null });
        texts.hidden = true;
        draw();
      } } })),
    answer.texts.length ? textList(frame, answer.texts) : i18n.node("p", "no_texts", { class: "quiet" }));
  if (focus) texts.querySelector(`[data-control="${focus}"]`)?.focus();
}

/* Begin. */

span.addEventListener("change", changed);
addEventListener("popstate", () => span.changed());
i18n.addEventListener("change", () => {
  span.draw();
  drawControls();
  draw();
  loadTexts();
});
drawControls();
const naming = server.get("names").then((known) => {
  names.take(known);
  drawControls();
}, () => {});
frame.begin(() => (found && span.fixed ? undefined : load()), { seconds: REFRESH_SECONDS });
frame.live.addEventListener("alert", () => span.fixed || load());
await naming;
draw();
loadTexts();
