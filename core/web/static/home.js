/* The start page: the apps of this server and whether they can work, asked again every ten seconds. */

import { el } from "./dom.js";
import { I18n } from "./i18n.js";
import { mountNav, NAV_WORDS, readiness } from "./nav.js";

const WORDS = {
  en: {
    ...NAV_WORDS.en,
    skip: "Skip to the content",
    headline: "Answers from your own texts, on your own machine",
    lead: "Models, documents and conversations stay where you run them.",
    asking: "Asking the server…",
    all_ready: "Everything is ready.",
    some_wrong: "Something is not ready; see below.",
    offline: "The server does not answer. This page asks again by itself.",
    open: "Open",
    state_ok: "ok",
    api_link: "API description",
    metrics_link: "Metrics",
    ready_link: "Readiness",
  },
  zh: {
    ...NAV_WORDS.zh,
    skip: "跳到正文",
    headline: "用您自己的文本作答，在您自己的机器上",
    lead: "模型、文档和对话都留在您自己运行它们的地方。",
    asking: "正在询问服务器……",
    all_ready: "一切就绪。",
    some_wrong: "有部件尚未就绪，详见下方。",
    offline: "服务器没有响应，本页会自动重试。",
    open: "打开",
    state_ok: "正常",
    api_link: "接口说明",
    metrics_link: "指标",
    ready_link: "就绪状态",
  },
};

const i18n = new I18n(WORDS);
const line = document.querySelector(".state");
const list = document.querySelector(".apps");
let state; // undefined: not asked yet; null: no answer
let drawn = "";

function card(app) {
  const parts = Object.entries(app.parts).map(([name, text]) => {
    const ok = text === "ok";
    const shown = ok ? name : `${name}: ${text}`;
    return el("li", { class: ok ? "ok" : "wrong" },
      el("span", { class: `dot ${ok ? "ok" : "wrong"}`, "aria-hidden": "true" }),
      el("span", { text: shown }), ok ? el("span", { class: "unseen", text: i18n.t("state_ok") }) : null);
  });
  return el("article", { class: "app" },
    el("h2", { text: i18n.pick(app.title) }),
    el("p", { text: i18n.pick(app.summary) }),
    el("ul", {}, ...parts),
    el("a", { class: "open", href: app.path, "aria-label": `${i18n.t("open")}: ${i18n.pick(app.title)}`, text: i18n.t("open") }));
}

function draw() {
  const now = JSON.stringify([i18n.language, state ?? String(state)]);
  if (now === drawn) return; // keeps the focus where it is
  drawn = now;
  const [kind, key] =
    state === undefined ? ["", "asking"]
    : state === null ? ["wrong", "offline"]
    : state.status === "ok" ? ["ok", "all_ready"]
    : ["wrong", "some_wrong"];
  line.replaceChildren(el("span", { class: `dot ${kind}`, "aria-hidden": "true" }), i18n.t(key));
  if (state) list.replaceChildren(...state.apps.filter((app) => app.path).map(card));
}

async function ask() {
  state = await readiness();
  draw();
  setTimeout(ask, document.hidden ? 30_000 : 10_000);
}

i18n.fill(document);
i18n.addEventListener("change", draw);
mountNav(document.querySelector(".suite"), i18n);
draw();
ask();
