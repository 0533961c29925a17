/* One alert: what happened, the evidence that was frozen, who did what, and what to do now. */

import { el } from "../core/dom.js";
import { ACTS, actForm, drawing, focusForm, perform, titleOf } from "./acts.js";
import { ALERT_PAGE_WORDS } from "./alert-words.js";
import { evidencePanel } from "./evidence.js";
import { address, Frame } from "./frame.js";
import { age, exact, figure, when } from "./names.js";
import { ALERT_WORDS } from "./words.js";

const frame = new Frame("alert", {
  en: { ...ALERT_WORDS.en, ...ALERT_PAGE_WORDS.en },
  zh: { ...ALERT_WORDS.zh, ...ALERT_PAGE_WORDS.zh },
});
const { i18n, server, names } = frame;
const id = Number(address.get("id"));
const spoken = el("p", { class: "unseen", role: "status" });
const head = el("section", { class: "head" });
const acting = el("div", { class: "acting" });
const left = el("div", { class: "left" });
const right = el("div", { class: "right" });
frame.view.replaceChildren(head, acting, el("div", { class: "columns" }, left, right), spoken);
let alert = null;
let shown = { evidence: null, trail: null };

const time = (at) => el("time", { datetime: at, title: exact(i18n, at), text: when(i18n, at) });

function fact(label, ...value) {
  return el("div", {}, i18n.node("dt", label), el("dd", {}, ...value));
}

function drawHead() {
  const m = alert.measured ?? {};
  const series = el("a", { href: trendsLink(), text: names.of(alert.dimension, alert.value) });
  frame.title(titleOf(frame, alert));
  document.querySelector("main > h1").textContent = i18n.t("alert");
  const acts = Object.entries(ACTS).map(([act, { key, fits }]) => el("button", {
    type: "button", class: `quiet-button outlined`, "data-act": act, "aria-keyshortcuts": key, disabled: !fits(alert), title: `${i18n.t(act)} (${key})`, on: { click: () => start(act) },
  }, drawing(act), el("span", { text: i18n.t(act) })));
  head.className = `head ${alert.severity}`;
  head.replaceChildren(
    el("p", { class: "crumb" }, el("a", { href: "/finance/", text: `← ${i18n.t("back")}` })),
    el("p", { class: "marks" },
      el("span", { class: "key", text: i18n.t(`severity_${alert.severity}`) }),
      el("span", { class: `state ${alert.state}`, text: i18n.t(`state_${alert.state}`) }),
      alert.inhibited_by != null ? el("a", { class: "quiet", href: `/finance/alert?id=${alert.inhibited_by}`, text: i18n.t("inhibited", { id: alert.inhibited_by }) })
        : alert.silenced ? el("span", { class: "quiet", text: i18n.t("silenced") }) : null,
      alert.reopened ? el("span", { class: "quiet", text: i18n.t("reopened", { n: alert.reopened }) }) : null,
      el("span", { class: "quiet", text: age(i18n, alert.started_at) })),
    el("h2", { class: "name", text: titleOf(frame, alert) }),
    el("p", { class: "summary", text: i18n.pick(alert.summary) || m.reason || "" }),
    el("dl", { class: "facts" },
      fact("f_series", series),
      fact("f_value", el("strong", { title: m.reason ?? "", text: figure(m.value) })), fact("f_expected", figure(m.expected)), fact("f_limit", figure(m.limit)),
      m.p_value == null ? null : fact("f_p", el("span", { title: i18n.t("p_hint"), text: figure(m.p_value) })),
      fact("f_window", time(alert.window.start), " – ", time(alert.window.end)),
      fact("f_started", time(alert.started_at)), alert.fired_at ? fact("f_fired", time(alert.fired_at)) : null,
      alert.resolved_at ? fact("f_resolved", time(alert.resolved_at), ` ${alert.resolved_by || i18n.t("by_rule")}`) : null,
      alert.notified_at ? fact("f_notified", time(alert.notified_at)) : null,
      fact("f_owner", el("span", { class: alert.owner ? "" : "quiet", text: alert.owner || i18n.t("nobody") }))),
    el("div", { class: "row", role: "group", "aria-label": i18n.t("col_acts") }, ...acts));
}

function trendsLink() {
  const start = Math.floor(Date.parse(alert.window.start) / 1000) - 86_400;
  const end = Math.ceil(Date.parse(alert.window.end) / 1000) + 3600;
  return `/finance/trends?${new URLSearchParams({ dimension: alert.dimension, ...(alert.value ? { value: alert.value } : {}), start, end })}`;
}

function told(entry) {
  const detail = { ...entry.detail };
  const action = entry.action === "assigned" && !detail.owner ? "unassigned" : entry.action;
  if (detail.channels) detail.channels = detail.channels.join(", ") || i18n.t("no_channel");
  for (const key of ["before", "after"]) if (entry.action === "severity") detail[key] = i18n.t(`severity_${detail[key]}`);
  const actor = ["rule", "system"].includes(entry.actor) ? i18n.t(`actor_${entry.actor}`) : entry.actor;
  const more = entry.detail.comment || entry.detail.reason || entry.detail.text;
  return el("li", { class: entry.to_state },
    el("span", { class: "act-name", text: i18n.t(`a_${action}`, detail) }), el("span", { class: "quiet" }, ` · ${actor} · `, time(entry.at)),
    more ? el("p", { class: "said", text: more }) : null);
}

function drawTrail() {
  const now = JSON.stringify([i18n.language, alert.audit, alert.notifications]);
  if (shown.trail === now) return;
  shown.trail = now;
  const comments = alert.comments.map((c) => el("li", {}, el("p", { class: "said", text: c.text }), el("p", { class: "quiet" }, `${c.author} · `, time(c.at))));
  const sent = alert.notifications.map((n) => el("li", {},
    el("span", { text: `${n.channel} · ` }), el("span", { class: `sent ${n.state}`, text: i18n.t(`n_${n.state}`) }),
    el("span", { class: "quiet" }, n.attempts > 1 ? ` · ${i18n.t("n_attempts", { n: n.attempts })}` : "", " · ", time(n.delivered_at ?? n.created_at)),
    n.error ? el("p", { class: "said quiet", text: n.error }) : null));
  right.replaceChildren(
    el("section", { class: "panel comments" }, i18n.node("h2", "comments"),
      comments.length ? el("ul", { class: "entries" }, ...comments) : i18n.node("p", "no_comments", { class: "quiet" })),
    el("section", { class: "panel trail" }, i18n.node("h2", "trail"), el("ol", { class: "entries" }, ...alert.audit.toReversed().map(told))),
    sent.length ? el("section", { class: "panel" }, i18n.node("h2", "notifications"), el("ul", { class: "entries" }, ...sent)) : "");
}

function drawEvidence() {
  const now = JSON.stringify([i18n.language, alert.evidence?.collected_at, alert.latest_evidence?.collected_at, names.known.entity.size]);
  if (shown.evidence === now) return;
  shown.evidence = now;
  left.replaceChildren(
    ...(alert.latest_evidence ? [evidencePanel(frame, alert.latest_evidence, "evidence_latest", trendsLink())] : []),
    alert.evidence ? evidencePanel(frame, alert.evidence, "evidence_first", trendsLink())
      : el("section", { class: "panel" }, i18n.node("h2", "evidence"), i18n.node("p", "no_evidence", { class: "quiet" })));
}

function draw() {
  if (!alert) return;
  const focused = document.activeElement?.dataset?.act;
  drawHead();
  drawEvidence();
  drawTrail();
  if (focused) head.querySelector(`[data-act="${focused}"]`)?.focus();
  document.body.dataset.loaded = "true";
}

async function load() {
  if (!Number.isSafeInteger(id) || id < 1) {
    frame.refused.textContent = i18n.t("missing");
    frame.refused.hidden = false;
    return;
  }
  const found = await frame.go(() => server.get(`alerts/${id}`));
  if (!found) return;
  alert = found;
  draw();
}

function shut() {
  acting.replaceChildren();
}

async function finished(act, performed) {
  shut();
  await load();
  if (performed) spoken.textContent = i18n.t(`done_${act}`, { title: titleOf(frame, alert) });
  head.querySelector(`[data-act="${act}"]:not(:disabled), [data-act="comment"]`)?.focus();
}

async function start(act) {
  if (!alert) return;
  if (!ACTS[act].fits(alert)) {
    spoken.textContent = i18n.t("not_now", { state: i18n.t(`state_${alert.state}`) });
    return;
  }
  if (act === "acknowledge" && frame.by) {
    const found = await perform(frame, alert, act, { by: frame.by, comment: "" });
    if (found) await finished(act, found.done);
    return;
  }
  const form = actForm(frame, alert, act, { done: (_, performed) => finished(act, performed), close: () => {
    shut();
    head.querySelector(`[data-act="${act}"]`)?.focus();
  } });
  acting.replaceChildren(form);
  focusForm(form);
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog, .chart-over")) return;
  const act = Object.keys(ACTS).find((name) => ACTS[name].key === event.key);
  if (!act) return;
  event.preventDefault();
  start(act);
});
frame.live.addEventListener("alert", ({ detail }) => detail.alert.id === id && load());
i18n.addEventListener("change", draw);
frame.begin(load);
const known = await server.get("names").catch(() => null);
if (known) {
  names.take(known);
  draw();
}
