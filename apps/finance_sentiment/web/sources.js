/* The sources: whether each works, when it last brought something, and adding, pausing and polling them. */

import { el } from "../core/dom.js";
import { Frame } from "./frame.js";
import { age, count, exact, lasting } from "./names.js";
import { SOURCE_WORDS } from "./trends-words.js";

const REFRESH_SECONDS = 5;

const frame = new Frame("sources", SOURCE_WORDS);
const { i18n, server } = frame;
const spoken = el("p", { class: "unseen", role: "status" });
const told = el("p", { class: "told", hidden: true });
const body = el("tbody");
const table = el("table", { class: "sources", hidden: true }, el("thead", {}, el("tr", {},
  i18n.node("th", "col_health", { scope: "col" }), i18n.node("th", "col_source", { scope: "col" }), i18n.node("th", "col_success", { scope: "col", class: "end" }),
  i18n.node("th", "col_new", { scope: "col", class: "end" }), i18n.node("th", "col_next", { scope: "col", class: "end" }), i18n.node("th", "col_texts", { scope: "col", class: "end" }),
  el("th", { scope: "col" }, i18n.node("span", "col_acts", { class: "unseen" })))), body);
const none = el("div", { class: "none", hidden: true }, i18n.node("h2", "none"), i18n.node("p", "none_lead"));
const adding = el("section", { class: "panel adding" });
frame.view.replaceChildren(told, table, none, adding, spoken);

let items = [];
let drawn = "";
let sure = null; // the source whose removal was asked for once
const polling = new Set();

function say(key, values) {
  told.hidden = false;
  spoken.textContent = told.textContent = i18n.t(key, values);
}

const time = (at, text) => el("time", { datetime: at ?? "", title: exact(i18n, at), text });
const past = (at) => {
  const since = age(i18n, at);
  return time(at, !at || since === i18n.t("age_now") ? since : i18n.t("ago", { time: since }));
};
const figure = (label, ...content) => el("td", { class: "end", "data-label": i18n.t(label) }, ...content);

function due(source) {
  if (!source.next_due_at) return "–";
  const seconds = (Date.parse(source.next_due_at) - Date.now()) / 1000;
  return time(source.next_due_at, seconds <= 60 ? i18n.t("due_now") : i18n.t("in_time", { time: lasting(i18n, seconds) }));
}

function button(source, act, label, disabled = false) {
  return el("button", {
    type: "button", class: "quiet-button outlined", "data-do": `${act} ${source.name}`, disabled, "aria-label": `${label}: ${source.name}`, text: label, on: { click: () => DO[act](source) },
  });
}

function row(source) {
  const trouble = source.last_error || source.problem;
  const busy = polling.has(source.name);
  return el("tr", { class: source.health },
    el("td", { class: "health" }, el("span", { class: `light ${source.health}`, text: i18n.t(`health_${source.health}`) })),
    el("th", { scope: "row" },
      el("a", { class: "name", href: `/finance/trends?${new URLSearchParams({ dimension: "source", value: source.name })}`, text: source.name }),
      el("span", { class: "location", text: source.location }),
      trouble ? el("span", { class: "trouble", text: source.failures > 1 ? `${i18n.t("failures", { n: source.failures })} · ${trouble}` : trouble }) : null),
    figure("col_success", past(source.last_success_at)), figure("col_new", past(source.last_new_at)), figure("col_next", due(source)),
    figure("col_texts", count(i18n, source.texts)),
    el("td", { class: "do" }, el("div", { class: "row" },
      button(source, "poll", i18n.t(busy ? "polling" : "poll"), busy || !source.enabled), source.enabled ? button(source, "pause", i18n.t("pause")) : button(source, "resume", i18n.t("resume")),
      button(source, "remove", i18n.t(sure === source.name ? "remove_sure" : "remove")))));
}

function draw() {
  const now = JSON.stringify([i18n.language, items, [...polling], sure, Math.floor(Date.now() / 30_000)]);
  if (now === drawn) return; // keeps the focus where it is
  drawn = now;
  const focused = document.activeElement?.dataset?.do;
  table.hidden = items.length === 0;
  none.hidden = items.length > 0;
  body.replaceChildren(...items.map(row));
  if (focused) (body.querySelector(`[data-do="${CSS.escape(focused)}"]`) ?? body.querySelector(`[data-do="${CSS.escape(focused.replace(/^(pause|resume)/, (a) => (a === "pause" ? "resume" : "pause")))}"]`))?.focus();
}

async function load() {
  const found = await frame.go(() => server.get("sources"));
  if (!found) return;
  items = found.items;
  draw();
  document.body.dataset.loaded = "true";
}

/** Do something to a source and look again; a refusal is shown. */
async function change(method, path, sent, seconds) {
  let answer;
  try {
    answer = await server.send(method, `sources${path}`, sent, { seconds });
    frame.refused.hidden = true;
  } catch (error) {
    frame.refused.textContent = error.status ? error.message : i18n.t("gone");
    frame.refused.hidden = false;
    answer = undefined;
  }
  const found = await server.get("sources").catch(() => null);
  if (found) items = found.items;
  draw();
  return answer;
}

const at = (source) => `/${encodeURIComponent(source.name)}`;
const DO = {
  async poll(source) {
    polling.add(source.name);
    draw();
    const answer = await change("POST", `${at(source)}/poll`, {}, 120);
    polling.delete(source.name);
    draw();
    if (answer) say("polled", { name: source.name, found: answer.found, new: answer.new });
  },
  async pause(source) {
    if ((await change("PUT", at(source), { enabled: false })) !== undefined) say("paused", { name: source.name });
  },
  async resume(source) {
    if ((await change("PUT", at(source), { enabled: true })) !== undefined) say("resumed", { name: source.name });
  },
  async remove(source) {
    if (sure !== source.name) {
      sure = source.name;
      setTimeout(() => {
        if (sure === source.name) sure = null;
        draw();
      }, 5000);
      return draw();
    }
    sure = null;
    if ((await change("DELETE", at(source))) !== undefined) say("removed", { name: source.name });
  },
};

function drawForm() {
  const kept = adding.querySelector("form") ? Object.fromEntries(new FormData(adding.querySelector("form"))) : {};
  const field = (name, label, options) => el("label", { class: "field" }, i18n.node("span", label), el("input", { name, autocomplete: "off", required: true, ...options, value: kept[name] ?? options.value ?? "" }));
  const kind = el("select", { name: "kind" }, ...["feed", "folder"].map((k) => i18n.node("option", `kind_${k}`, { value: k, selected: k === kept.kind })));
  const location = field("location", "location", { maxlength: 2000, placeholder: "https://", spellcheck: "false" });
  kind.addEventListener("change", () => {
    const folder = kind.value === "folder";
    location.querySelector("span").dataset.t = folder ? "location_folder" : "location";
    location.querySelector("span").textContent = i18n.t(folder ? "location_folder" : "location");
    location.querySelector("input").placeholder = folder ? "/" : "https://";
  });
  const form = el("form", { class: "act", on: { submit: async (event) => {
    event.preventDefault();
    const values = Object.fromEntries(new FormData(form));
    const answer = await change("POST", "", { name: values.name.trim(), kind: values.kind, location: values.location.trim(), interval_seconds: Number(values.interval_seconds) });
    if (answer === undefined) return;
    form.reset();
    say("added", { name: answer.name });
  } } },
  field("name", "name", { maxlength: 80, pattern: "[A-Za-z0-9._\\-]{1,80}", title: i18n.t("name_hint") }),
  el("label", { class: "field" }, i18n.node("span", "kind"), kind), location,
  field("interval_seconds", "interval", { type: "number", min: 1, max: 86400, value: "300" }),
  el("div", { class: "row" }, i18n.node("button", "add", { class: "button" })));
  adding.replaceChildren(i18n.node("h2", "add_source"), form);
}

i18n.addEventListener("change", () => {
  drawForm();
  draw();
});
drawForm();
frame.begin(load, { seconds: REFRESH_SECONDS });
