/* The rating page: who rates, what is rated, and at the end what came of it. The rater's name lives in the URL. */

import { el } from "./dom.js";
import { I18n } from "./i18n.js";
import { mountNav, NAV_WORDS } from "./nav.js";
import { RATING_WORDS } from "./rating-words.js";
import { finished, results } from "./rating-results.js";
import { Server } from "./rating-server.js";

const i18n = new I18n({
  en: { ...NAV_WORDS.en, ...RATING_WORDS.en },
  zh: { ...NAV_WORDS.zh, ...RATING_WORDS.zh },
});
const server = new Server();
const view = document.querySelector("#view");
const offline = document.querySelector(".offline");
const refused = document.querySelector(".refused");

let task = null;
let rater = new URLSearchParams(location.search).get("rater") ?? "";
let place = null; // {done, total}
let unit = null; // what is shown
let seen = []; // units rated or left for later in this visit, for "back"
let busy = false;
let draw = () => view.replaceChildren(i18n.node("p", "asking"));

const SIDES = ["left", "equal", "right"];

/** Do something with the server; a refusal is shown and the page stays as it is. */
async function go(work) {
  if (busy) return;
  busy = true;
  view.setAttribute("aria-busy", "true");
  refused.hidden = true;
  try {
    await work();
  } catch (error) {
    refused.textContent = error.message;
    refused.hidden = false;
  } finally {
    busy = false;
    view.removeAttribute("aria-busy");
  }
}

function remember(name) {
  rater = name;
  const url = new URL(location.href);
  if (name) url.searchParams.set("rater", name);
  else url.searchParams.delete("rater");
  history.replaceState(null, "", url);
}

function show(painter) {
  draw = painter;
  draw();
}

/* Who rates. */

function drawWho() {
  const begin = (name) => go(async () => {
    const found = await server.next(name);
    remember(name);
    seen = [];
    await take(found);
  });
  let choice;
  if (task.raters.length) {
    const buttons = task.raters.map((name) =>
      el("button", { type: "button", class: "choice", text: name, on: { click: () => begin(name) } }));
    choice = el("div", { class: "raters" }, ...buttons);
  } else {
    const input = el("input", { id: "name", maxlength: "40", autocomplete: "name", required: true, value: rater });
    choice = el("form", {
      class: "raters",
      on: {
        submit: (event) => {
          event.preventDefault();
          begin(input.value.trim());
        },
      },
    },
    el("label", { for: "name", text: i18n.t("your_name") }), input,
    el("button", { class: "choice", text: i18n.t("begin") }));
  }
  view.replaceChildren(
    el("h1", { text: i18n.t("who") }), el("p", { class: "lead", text: i18n.t("who_lead") }), choice);
}

/* What is rated. */

async function take(next) {
  place = { done: next.done, total: next.total };
  unit = next.unit;
  if (unit) showUnit();
  else await showDone();
}

function showUnit() {
  show(drawUnit);
  scrollTo(0, 0);
  view.querySelector("h1").focus({ preventScroll: true });
}

function text(label, body, name) {
  const id = `text-${name}`;
  return el("section", { class: `text ${name}`, "aria-labelledby": id },
    el("h2", { id, text: label }),
    el("div", { class: "body", tabindex: "0", role: "group", "aria-labelledby": id, text: body }));
}

function verdicts() {
  const pairwise = task.mode === "pairwise";
  const all = pairwise
    ? SIDES.map((side) => [side, i18n.t(side), { left: "←", equal: "=", right: "→" }[side]])
    : Array.from({ length: task.steps }, (_, i) => [i + 1, i18n.t(`step_${i + 1}`), String(i + 1)]);
  const buttons = all.map(([verdict, words, key]) =>
    el("button", {
      type: "button",
      class: "choice verdict",
      "aria-pressed": String(unit.verdict === verdict),
      "data-verdict": verdict,
      on: { click: () => rate(verdict) },
    }, el("kbd", { "aria-hidden": "true", text: key }), el("span", { text: words })));
  return el("div", { class: `verdicts ${task.mode}`, role: "group", "aria-labelledby": "asked" }, ...buttons);
}

function drawUnit() {
  const pairwise = task.mode === "pairwise";
  const now = Math.min(place.done + (unit.verdict == null ? 1 : 0), place.total);
  const texts = pairwise
    ? [text(i18n.t("answer_left"), unit.answers[0], "left"), text(i18n.t("answer_right"), unit.answers[1], "right")]
    : [text(i18n.t("answer"), unit.answers[0], "single")];
  view.replaceChildren(
    el("div", { class: "place" },
      el("h1", { tabindex: "-1", text: i18n.t("place", { now, total: place.total }) }),
      el("progress", { max: place.total, value: place.done, "aria-label": i18n.t("progress") }),
      el("span", { class: "rater", text: i18n.t("rating_as", { name: rater }) }),
      el("button", { type: "button", class: "quiet-button", text: i18n.t("other_rater"), on: { click: leave } })),
    text(i18n.t("prompt"), unit.prompt, "prompt"),
    unit.context ? text(i18n.t("context"), unit.context, "context") : "",
    el("div", { class: `answers ${task.mode}` }, ...texts),
    el("h2", { id: "asked", class: "asked", text: i18n.t(pairwise ? "which" : "how_good") }),
    verdicts(),
    el("div", { class: "steps" },
      el("button", { type: "button", class: "quiet-button outlined", text: i18n.t("back"), disabled: !seen.length, on: { click: back } }),
      el("button", { type: "button", class: "quiet-button outlined", text: i18n.t("later"), on: { click: later } }),
      el("span", { class: "keys", text: i18n.t(pairwise ? "keys_pairwise" : "keys_scale") })));
}

const rate = (verdict) => go(async () => {
  const { unit: key } = unit;
  const next = await server.rate(rater, key, verdict);
  seen = [...seen.filter((other) => other !== key), key];
  await take(next);
});

const back = () => go(async () => {
  const key = seen.at(-1);
  if (!key) return;
  const found = await server.unit(rater, key);
  seen = seen.slice(0, -1);
  unit = found;
  showUnit();
});

const later = () => go(async () => {
  const { unit: key } = unit;
  const next = await server.next(rater, key);
  seen = [...seen.filter((other) => other !== key), key];
  await take(next);
});

function leave() {
  remember("");
  unit = null;
  show(drawWho);
}

/* What came of it. */

async function showDone() {
  const [progress, figures] = [await server.progress(), await server.results()];
  show(() => view.replaceChildren(
    ...finished(i18n, rater, progress),
    ...(figures === "waiting" ? [i18n.node("p", "waiting", { class: "lead" })] : figures ? results(i18n, figures) : []),
    el("div", { class: "steps" },
      el("button", { type: "button", class: "quiet-button outlined", text: i18n.t("back"), disabled: !seen.length, on: { click: back } }),
      el("button", { type: "button", class: "quiet-button outlined", text: i18n.t("other_rater"), on: { click: leave } }))));
  view.querySelector("h1").focus();
}

/* Keys. */

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea, select")) return;
  if (event.key.toLowerCase() === "b" && seen.length && rater) return void back();
  if (!unit || draw !== drawUnit) return;
  if (event.key.toLowerCase() === "l") return void later();
  const buttons = [...view.querySelectorAll(".verdict")];
  const digit = Number(event.key);
  if (digit >= 1 && digit <= buttons.length) return void rate(task.mode === "pairwise" ? SIDES[digit - 1] : digit);
  if (task.mode === "pairwise") {
    const verdict = { ArrowLeft: "left", ArrowRight: "right", "=": "equal", 0: "equal" }[event.key];
    if (verdict) {
      event.preventDefault();
      rate(verdict);
    }
  } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
    event.preventDefault();
    const at = buttons.indexOf(document.activeElement);
    const step = event.key === "ArrowRight" ? 1 : -1;
    buttons[at < 0 ? (step > 0 ? 0 : buttons.length - 1) : (at + step + buttons.length) % buttons.length].focus();
  }
}

server.addEventListener("change", () => {
  offline.hidden = server.online;
  offline.textContent = server.online ? "" : i18n.t(server.keeping ? "offline_kept" : "offline");
});
addEventListener("keydown", (event) => event.repeat || pressed(event));
i18n.fill(document);
mountNav(document.querySelector(".suite"), i18n);
const title = () => (document.title = `${i18n.t("title")} · Triptych`);
i18n.addEventListener("change", () => {
  title();
  draw();
  if (!server.online) offline.textContent = i18n.t(server.keeping ? "offline_kept" : "offline");
});
title();
draw();
await go(async () => {
  task = await server.task();
  if (!rater) return show(drawWho);
  show(drawWho);
  await take(await server.next(rater));
});
