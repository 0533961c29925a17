/* A list of texts with their scores: of an alert's evidence, or behind a bucket. Knows both shapes' common fields. */

import { el } from "../core/dom.js";
import { exact, link, score, when } from "./names.js";

const word = (number) => (number > 0.1 ? "positive" : number < -0.1 ? "negative" : "neutral");

/** texts: objects with title, excerpt or body, source, url, language, copies, score, topics, mentions, and a time. */
export function textList(frame, texts) {
  const most = Math.max(0, ...texts.map((text) => text.influence ?? 0));
  return el("ol", { class: "texts" }, ...texts.map((text) => one(frame, text, most)));
}

function one(frame, text, most) {
  const { i18n, names } = frame;
  const url = link(text.url);
  const title = text.title || text.excerpt || text.body || "–";
  const mood = text.sentiment ?? word(text.score);
  const at = text.event_at ?? text.published_at ?? text.received_at;
  const topics = Object.entries(text.topics ?? {}).sort((a, b) => b[1] - a[1]).map(([topic]) => names.of("topic", topic));
  const companies = (text.mentions ?? []).slice(0, 6).map((m) => el("a", {
    href: `/finance/trends?${new URLSearchParams({ dimension: "entity", value: m.entity })}`, title: `${m.entity} ${score(m.score)}`, text: names.known.entity.get(m.entity) ? names.of("entity", m.entity) : m.name,
  }));
  const share = text.influence == null ? null : el("span", { class: "influence", title: frame.t("influence", { n: Math.round(text.influence * 100) }) });
  if (share) share.style.inlineSize = `${Math.max(4, (100 * text.influence) / (most || 1))}%`;
  return el("li", {},
    el("span", { class: `sentiment ${mood}`, title: i18n.t(mood) }, score(text.score), el("span", { class: "unseen", text: ` ${i18n.t(mood)}` }), share),
    el("div", {},
      el("div", { class: "headline", lang: text.language || null }, url
        ? el("a", { href: url, target: "_blank", rel: "noopener noreferrer", text: title }, el("span", { class: "unseen", text: ` (${i18n.t("opens_new")})` }))
        : el("span", { text: title })),
      text.title && (text.excerpt || text.body) ? el("p", { class: "excerpt", lang: text.language || null, text: text.excerpt || text.body }) : null,
      el("p", { class: "facts" },
        el("span", { text: text.source }), el("time", { title: exact(i18n, at), text: when(i18n, at) }),
        text.copies > 1 ? el("span", { title: i18n.t("copies_hint"), text: i18n.t("copies", { n: text.copies }) }) : null,
        text.time_mark ? el("span", { text: i18n.t(`mark_${text.time_mark}`) }) : null,
        topics.length ? el("span", { text: topics.join(", ") }) : null, ...companies)));
}
