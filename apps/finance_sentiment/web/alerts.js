/* The list of alerts: what stands is first, changes come in by themselves, everything can be done from the keyboard. */

import { el } from "../core/dom.js";
import { ACTS, actForm, drawing, focusForm, perform, titleOf } from "./acts.js";
import { Filters } from "./alert-filters.js";
import { Frame } from "./frame.js";
import { age, exact } from "./names.js";
import { ALERT_WORDS } from "./words.js";

const PAGE = 50;
const MOST_ROWS = 1000;

const frame = new Frame("alerts", ALERT_WORDS);
const { i18n, server, names } = frame;
const filters = new Filters(frame);
const rows = new Map(); // id -> {alert, tr, parts}
let next = null;
let complete = false; // whether the list ends with its last row
let asked = null; // the request under way
let opened = null; // {id, act, tr}: the form that is open

const body = el("tbody");
const table = el("table", { class: "alerts" },
  el("thead", {}, el("tr", {},
    i18n.node("th", "state", { scope: "col" }), i18n.node("th", "col_alert", { scope: "col" }), i18n.node("th", "col_age", { scope: "col", class: "end" }),
    i18n.node("th", "col_owner", { scope: "col" }), el("th", { scope: "col" }, i18n.node("span", "col_acts", { class: "unseen" })))), body);
const more = i18n.node("button", "more", { type: "button", class: "quiet-button outlined more", hidden: true, on: { click: () => load(next) } });
const none = el("div", { class: "none", hidden: true });
const spoken = el("p", { class: "unseen", role: "status" });
const keys = el("details", { class: "keys" }, i18n.node("summary", "keys"), i18n.node("p", "keys_lead"));
frame.view.replaceChildren(filters.root, table, none, more, keys, spoken);

/* Rows. */

function build(alert) {
  const parts = {
    severity: el("span", { class: "unseen" }), state: el("span"), mute: el("span", { class: "mute" }),
    title: el("a", { class: "title", href: `/finance/alert?id=${alert.id}` }),
    reason: el("p", { class: "reason" }), age: el("time"), owner: el("span"),
  };
  const acts = el("div", { class: "acts" }, ...Object.entries(ACTS).map(([act, { key }]) => (parts[act] = el("button", {
    type: "button", class: "act-button", "data-act": act, "aria-keyshortcuts": key, on: { click: () => start(alert.id, act) },
  }, drawing(act)))));
  const tr = el("tr", { "data-id": alert.id },
    el("td", { class: "what" }, el("span", { class: "bar", "aria-hidden": "true" }), parts.severity, parts.state, parts.mute),
    el("th", { scope: "row" }, parts.title, parts.reason),
    el("td", { class: "age end" }, parts.age), el("td", { class: "owner" }, parts.owner), el("td", { class: "do" }, acts));
  return { alert, tr, parts };
}

function paint(row) {
  const { alert, tr, parts } = row;
  tr.className = `alert ${alert.severity} ${alert.state}`;
  tr.classList.toggle("out", !filters.passes(alert));
  parts.severity.textContent = `${i18n.t(`severity_${alert.severity}`)}, `;
  parts.state.className = `state ${alert.state}`;
  parts.state.textContent = i18n.t(`state_${alert.state}`);
  const muted = alert.inhibited_by != null ? i18n.t("inhibited", { id: alert.inhibited_by }) : alert.silenced ? i18n.t("silenced") : "";
  parts.mute.textContent = alert.reopened ? [muted, i18n.t("reopened", { n: alert.reopened })].filter(Boolean).join(" · ") : muted;
  parts.title.textContent = titleOf(frame, alert);
  parts.reason.textContent = i18n.pick(alert.summary) || alert.measured?.reason || "";
  parts.reason.title = alert.measured?.reason ?? "";
  parts.owner.textContent = alert.owner || i18n.t("nobody");
  parts.owner.className = alert.owner ? "" : "quiet";
  for (const act of Object.keys(ACTS)) {
    const label = `${i18n.t(act)}: ${titleOf(frame, alert)}`;
    parts[act].setAttribute("aria-label", label);
    parts[act].title = `${i18n.t(act)} (${ACTS[act].key})`;
    parts[act].disabled = !ACTS[act].fits(alert);
  }
  aged(row);
}

function aged({ alert, parts }) {
  const since = alert.state === "resolved" ? alert.resolved_at ?? alert.updated_at : alert.started_at;
  parts.age.textContent = age(i18n, since);
  parts.age.dateTime = since;
  parts.age.title = exact(i18n, since);
}

/** Put an alert where it belongs: a new row, or a changed one. */
function take(alert, { fresh = false } = {}) {
  const known = rows.get(alert.id);
  if (known) {
    if (alert.version < known.alert.version) return;
    known.alert = alert;
    paint(known);
    return;
  }
  if (!filters.passes(alert)) return;
  const all = [...body.querySelectorAll("tr.alert")];
  const after = all.find((tr) => filters.before(alert, rows.get(Number(tr.dataset.id)).alert));
  if (!after && fresh && !complete) return; // it belongs further down than was loaded
  const row = build(alert);
  rows.set(alert.id, row);
  paint(row);
  if (fresh) row.tr.classList.add("fresh");
  body.insertBefore(row.tr, after ?? null);
  if (rows.size > MOST_ROWS && fresh) drop(Number(all.at(-1).dataset.id));
  empty();
}

function drop(id) {
  if (opened?.id === id) shut();
  rows.get(id)?.tr.remove();
  rows.delete(id);
}

function empty() {
  none.hidden = rows.size > 0 || asked != null;
  table.hidden = rows.size === 0;
  if (!none.hidden) {
    none.replaceChildren(...(filters.plain
      ? [i18n.node("h2", "none"), i18n.node("p", "none_lead")]
      : [i18n.node("h2", "none_match"), i18n.node("button", "clear", { type: "button", class: "quiet-button outlined", on: { click: clear } })]));
  }
}

const clear = () => filters.change({ state: null, severity: null, owner: null, rule: null, dimension: null, value: null });

/* From the server. */

/** The first page, or the one after a cursor. Rows that are there stay and change; those that went are dropped. */
async function load(after = null) {
  asked?.abort();
  const mine = (asked = new AbortController());
  const length = after ? PAGE : Math.min(200, Math.max(PAGE, rows.size));
  const found = await frame.go(() => server.get("alerts", { ...filters.query(), limit: length, after }, { signal: mine.signal }));
  if (asked !== mine) return;
  asked = null;
  if (found) {
    if (!after) {
      const there = new Set(found.items.map((alert) => alert.id));
      const last = found.items.at(-1);
      for (const [id, { alert, tr }] of rows) {
        const beyond = found.next && last && filters.before(last, alert); // loaded earlier, further down
        if (!there.has(id) && !(beyond && filters.passes(alert)) && !tr.contains(document.activeElement)) drop(id);
      }
    }
    for (const alert of found.items) take(alert);
    if (after || rows.size <= length) next = found.next;
    complete = next == null;
    more.hidden = complete;
  }
  document.body.dataset.loaded = "true";
  empty();
}

let counting = 0;
function count() {
  clearTimeout(counting);
  counting = setTimeout(async () => {
    const counts = await server.get("alerts/counts").catch(() => null);
    if (counts) filters.tally(counts);
  }, filters.counts ? 400 : 0);
}

/* Acts. */

function shut({ focus = false } = {}) {
  if (!opened) return;
  const { id, tr } = opened;
  opened = null;
  tr.remove();
  if (focus) rows.get(id)?.parts.title.focus();
}

function finished(alert, act, performed) {
  shut({ focus: true });
  take(alert);
  count();
  if (performed) spoken.textContent = i18n.t(`done_${act}`, { title: titleOf(frame, alert) });
}

/** Acknowledging needs no form once the reader's name is known. */
async function start(id, act) {
  const { alert, tr } = rows.get(id);
  shut();
  if (!ACTS[act].fits(alert)) {
    spoken.textContent = i18n.t("not_now", { state: i18n.t(`state_${alert.state}`) });
    return;
  }
  if (act === "acknowledge" && frame.by) {
    const found = await perform(frame, alert, act, { by: frame.by, comment: "" });
    if (found) finished(found.alert, act, found.done);
    return;
  }
  const form = actForm(frame, alert, act, { done: (now, performed) => finished(now, act, performed), close: () => shut({ focus: true }) });
  opened = { id, act, tr: el("tr", { class: "act-row" }, el("td", { colspan: "5" }, form)) };
  tr.after(opened.tr);
  focusForm(form);
}

/* Keys: the focused row, or the first one. */

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog")) return;
  if (event.key === "Escape") return shut({ focus: true });
  const all = [...body.querySelectorAll("tr.alert")];
  const at = all.indexOf(document.activeElement?.closest("tr.alert"));
  if (event.key === "j" || event.key === "k") {
    const to = all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + (event.key === "j" ? 1 : -1)))];
    if (!to) return;
    event.preventDefault();
    const { title } = rows.get(Number(to.dataset.id)).parts;
    title.focus();
    to.scrollIntoView({ block: "nearest" });
    return;
  }
  const act = Object.keys(ACTS).find((name) => ACTS[name].key === event.key);
  if (!act || at < 0) return;
  event.preventDefault();
  start(Number(all[at].dataset.id), act);
}

/* Begin. */

frame.live.addEventListener("alert", ({ detail }) => {
  take(detail.alert, { fresh: true });
  count();
  if (["firing", "no_data", "reopened", "resolved"].includes(detail.event.action) && filters.passes(detail.alert)) {
    spoken.textContent = i18n.t("changed_state", { title: titleOf(frame, detail.alert), state: i18n.t(`state_${detail.alert.state}`) });
  }
});
filters.addEventListener("change", () => {
  shut();
  next = null;
  for (const id of [...rows.keys()]) drop(id);
  load();
  count();
});
i18n.addEventListener("change", () => {
  filters.draw();
  rows.forEach(paint);
});
addEventListener("keydown", pressed);
addEventListener("popstate", () => filters.change({}));
setInterval(() => rows.forEach(aged), 20_000);
frame.begin(() => {
  load();
  count();
});
const known = await server.get("names").catch(() => null);
if (known) {
  names.take(known);
  filters.draw();
  rows.forEach(paint);
}
