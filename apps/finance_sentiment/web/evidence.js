/* Frozen evidence as a panel: the series against what is usual, and the stories that weighed most. */

import { el } from "../core/dom.js";
import { Chart } from "./chart.js";
import { figure, percent, when } from "./names.js";
import { textList } from "./texts.js";

export function evidencePanel(frame, evidence, title, trends) {
  const { i18n } = frame;
  const { chart, totals } = evidence;
  const form = chart?.measure === "share_negative" ? percent : figure;
  const parts = [];
  if (chart?.values?.length) {
    const at = (i) => chart.start + i * chart.seconds;
    const say = (i) => i18n.t("say_bucket", { at: when(i18n, at(i)), value: form(chart.values[i]), expected: chart.expected[i] == null ? "–" : form(chart.expected[i]) });
    const readout = el("p", { class: "readout" });
    const root = el("div");
    const drawn = new Chart(root, { i18n, height: 220, say, label: () => i18n.t(`measure_${chart.measure}`), move: (i) => (readout.textContent = i == null ? "" : say(i)) });
    parts.push(
      el("p", { class: "legend" },
        el("strong", { text: i18n.t(`measure_${chart.measure}`) }),
        el("span", { class: "key bars-negative", text: i18n.t("key_value") }), el("span", { class: "key expected", text: i18n.t("key_expected") }), el("span", { class: "key window", text: i18n.t("key_window") })),
      root, readout, asTable(frame, chart, at, form));
    const low = Math.min(0, ...chart.values, ...chart.expected.filter((v) => v != null));
    drawn.draw({
      start: chart.start, seconds: chart.seconds, count: chart.values.length, form, low,
      shade: [chart.window_start, chart.window_end],
      layers: [
        low < 0 ? { kind: "line", values: chart.values, css: "s0" } : { kind: "bars", values: chart.values, css: "negative" },
        { kind: "line", values: chart.expected, css: "expected" },
      ],
    });
  }
  return el("section", { class: "panel evidence" },
    el("h2", {}, i18n.node("span", "evidence"), el("span", { class: "quiet", text: ` · ${i18n.t(title)} · ${i18n.t("frozen", { at: when(i18n, evidence.collected_at) })}` })),
    evidence.measured?.reason ? el("p", { class: "why", text: evidence.measured.reason }) : null,
    totals ? el("p", { class: "quiet totals" },
      i18n.t("totals", { ...totals, share: percent(totals.share_negative) }), " · ", el("a", { href: trends, text: i18n.t("in_trends") })) : null,
    ...parts,
    evidence.stories?.length ? i18n.node("h3", "top_stories") : null,
    evidence.stories?.length ? textList(frame, evidence.stories) : null,
    evidence.last_text_at ? el("p", { class: "quiet", text: i18n.t("last_text", { at: when(i18n, evidence.last_text_at) }) }) : null);
}

function asTable({ i18n }, chart, at, form) {
  const rows = chart.values.map((value, i) => el("tr", {},
    el("th", { scope: "row", text: when(i18n, at(i)) }), el("td", { class: "end", text: form(value) }), el("td", { class: "end", text: chart.expected[i] == null ? "–" : form(chart.expected[i]) })));
  return el("details", { class: "figures" }, i18n.node("summary", "as_table"),
    el("table", {}, el("thead", {}, el("tr", {}, i18n.node("th", "col_from", { scope: "col" }), i18n.node("th", "key_value", { scope: "col", class: "end" }), i18n.node("th", "key_expected", { scope: "col", class: "end" }))),
      el("tbody", {}, ...rows)));
}
