/* The rules: which are in force, switching, changing and adding them; below them silences and channels. */

import { el } from "../core/dom.js";
import { channelsPart } from "./channels.js";
import { Frame } from "./frame.js";
import { exact } from "./names.js";
import { RULE_WORDS } from "./rules-words.js";

const frame = new Frame("rules", RULE_WORDS);
const { i18n, server } = frame;
const told = el("p", { class: "told", role: "status", hidden: true });
const rulesBody = el("tbody");
const silences = el("div");
let rules = [];
let quiet = [];
let sure = null;


function say(key, values) {
  told.hidden = false;
  told.textContent = i18n.t(key, values);
}

const button = (label, act, name) => el("button", {
  type: "button", class: "quiet-button outlined", "aria-label": `${label}: ${name}`, text: label, on: { click: act } });

function series({ dimension, value }) {
  if (dimension === "all") return i18n.t("all_texts");
  const kind = i18n.t(`dimension_${dimension}`);
  return value === "*" ? i18n.t("each", { dimension: kind }) : `${kind}: ${frame.names.of?.(dimension, value) ?? value}`;
}

function ruleRow({ rule, shipped }) {
  return el("tr", { class: rule.enabled ? "" : "disabled" },
    el("td", { class: "health" }, el("span", { class: `light ${rule.enabled ? "ok" : "off"}`, text: i18n.t(rule.enabled ? "on" : "off") })),
    el("th", { scope: "row" }, el("span", { class: "name", text: rule.name }), el("span", { class: "location", text: `${rule.id} · ${i18n.t(`severity_${rule.severity}`)}` })),
    el("td", { text: series(rule.series) }),
    el("td", { text: i18n.t(`kind_${rule.kind}`) }),
    el("td", { class: "do" }, el("div", { class: "row" },
      button(i18n.t(rule.enabled ? "switch_off" : "switch_on"), () => put({ ...rule, enabled: !rule.enabled }), rule.name),
      button(i18n.t("edit"), () => edit(rule), rule.name),
      shipped ? button(i18n.t("reset"), () => change("POST", `rules/${rule.id}/reset`, {}, "saved", { id: rule.id }), rule.name)
        : button(i18n.t(sure === rule.id ? "remove_sure" : "remove"), () => remove(rule), rule.name))));
}

function silenceRow(silence) {
  const what = silence.matchers.map((m) => `${m.field} ${m.value}`).join(" · ");
  return el("tr", {},
    el("th", { scope: "row" }, el("span", { class: "name", text: what }), el("span", { class: "location", text: silence.author })),
    el("td", { text: i18n.t(`state_${silence.state}`) }),
    el("td", {}, el("time", { datetime: silence.ends_at, text: exact(i18n, silence.ends_at) })),
    el("td", { text: silence.reason }),
    el("td", { class: "do" }, silence.state === "expired" ? null : button(i18n.t("end_now"), () => end(silence), what)));
}

function draw() {
  rulesBody.replaceChildren(...rules.map(ruleRow));
  silences.replaceChildren(quiet.length === 0 ? i18n.node("p", "no_silences", { class: "empty" })
    : el("table", { class: "sources" }, frame.head("col_what", "col_state", "col_until", "col_why", "col_acts"), el("tbody", {}, ...quiet.map(silenceRow))));
}

async function load() {
  const found = await frame.go(() => Promise.all([server.get("rules"), server.get("silences")]));
  if (!found) return;
  [rules, quiet] = [found[0].items, found[1].items.filter((s) => s.state !== "expired")];
  draw();
  document.body.dataset.loaded = "true";
}

async function change(method, path, body, key, values) {
  const answer = await frame.go(() => server.send(method, path, body));
  if (answer !== undefined) say(key, values);
  await load();
  return answer;
}

const put = (rule) => change("PUT", `rules/${encodeURIComponent(rule.id)}`, rule, "saved", { id: rule.id });

function remove(rule) {
  if (sure === rule.id) return change("DELETE", `rules/${rule.id}`, undefined, "deleted", { id: rule.id });
  sure = rule.id;
  setTimeout(() => {
    sure = null;
    draw();
  }, 5000);
  return draw();
}

async function end(silence) {
  const name = frame.by || prompt(i18n.t("by"));
  if (!name) return;
  frame.by = name;
  await change("DELETE", `silences/${silence.id}?${new URLSearchParams({ by: name })}`, undefined, "ended");
}

/** The rule in a dialog, as JSON; what the server refuses stays there with the reason. */
function edit(rule) {
  const area = el("textarea", { class: "rule", spellcheck: "false", "aria-label": i18n.t("edit_lead") });
  area.value = JSON.stringify(rule, null, 2);
  const wrong = el("p", { class: "wrong", role: "alert", hidden: true });
  const refuse = (text) => {
    wrong.hidden = false;
    wrong.textContent = text;
  };
  const dialog = el("dialog", { class: "ask editing", "aria-label": rule.name, on: { close: () => dialog.remove() } },
    el("form", { on: { submit: async (event) => {
      event.preventDefault();
      let body;
      try {
        body = JSON.parse(area.value);
      } catch (error) {
        return refuse(i18n.t("not_json", { why: error.message }));
      }
      if (!body?.id) return refuse(i18n.t("needs_id"));
      try {
        await server.send("PUT", `rules/${encodeURIComponent(body.id)}`, body);
      } catch (error) {
        return refuse(error.status ? error.message : i18n.t("gone"));
      }
      dialog.close();
      say("saved", { id: body.id });
      return load();
    } } },
    i18n.node("p", "edit_lead"), area, wrong,
    el("div", { class: "row" }, i18n.node("button", "save", { class: "button" }),
      el("button", { class: "quiet-button", type: "button", text: i18n.t("cancel"), on: { click: () => dialog.close() } }))));
  document.body.append(dialog);
  dialog.showModal();
  area.setSelectionRange(0, 0);
  area.scrollTop = 0;
}

const EXAMPLE = {
  id: "", name: "", kind: "absolute", series: { dimension: "entity", value: "*" }, measure: "negative",
  window_seconds: 3600, parameters: { limit: 5 }, severity: "warning",
};

frame.view.replaceChildren(told,
  el("section", { class: "desk" },
    el("table", { class: "sources" }, frame.head("col_state", "col_rule", "col_series", "col_kind", "col_acts"), rulesBody),
    el("p", {}, i18n.node("button", "add_rule", { class: "button", type: "button" }))),
  el("section", { class: "desk" }, i18n.node("h2", "silences"), silences),
  channelsPart(frame, say, button));
frame.view.querySelector("section .button").addEventListener("click", () => edit(EXAMPLE));
i18n.addEventListener("change", draw);
frame.begin(load, { seconds: 30 });
