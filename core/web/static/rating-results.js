/* The end of the rating page: who is done, and the figures once they may be seen. */

import { el } from "./dom.js";

function table(headers, rows) {
  return el("div", { class: "scroll", tabindex: "0" }, el("table", {},
    el("thead", {}, el("tr", {}, ...headers.map((text) => el("th", { scope: "col", text })))),
    el("tbody", {}, ...rows.map(([first, ...rest]) =>
      el("tr", {}, el("th", { scope: "row", text: first }), ...rest.map((value) => el("td", { text: String(value) })))))));
}

const percent = (value) => `${(100 * value).toFixed(1)} %`;
const number = (value) => (value == null ? "–" : value.toFixed(2));

/** Thanks, and how far everybody is. */
export function finished(i18n, rater, progress) {
  return [
    el("h1", { tabindex: "-1", text: i18n.t("done_title") }),
    el("p", { class: "lead", text: i18n.t("done_lead", { name: rater }) }),
    table([i18n.t("col_rater"), i18n.t("col_done")],
      Object.entries(progress.raters).map(([name, done]) => [name, `${done} / ${progress.total}`])),
  ];
}

/** Win rates or means, agreement, downloads. */
export function results(i18n, figures) {
  const pairwise = figures.mode === "pairwise";
  const headers = pairwise
    ? ["col_system", "col_rate", "col_interval", "col_wins", "col_losses", "col_ties"]
    : ["col_system", "col_mean", "col_interval", "col_ratings"];
  const rows = Object.entries(figures.systems).map(([name, row]) => pairwise
    ? [name, percent(row.win_rate.value), `${percent(row.win_rate.low)} – ${percent(row.win_rate.high)}`, row.wins, row.losses, row.ties]
    : [name, number(row.mean.value), `${number(row.mean.low)} – ${number(row.mean.high)}`, row.ratings]);
  const fleiss = figures.agreement.fleiss;
  return [
    el("h2", { text: i18n.t("results") }),
    table(headers.map((key) => i18n.t(key)), rows),
    fleiss && el("p", { text: i18n.t("agreement", { ...fleiss, kappa: number(fleiss.kappa) }) }),
    el("p", { class: "downloads" },
      el("a", { href: "/rating/export.csv", download: "", text: i18n.t("export_csv") }),
      el("a", { href: "/rating/export.json", download: "", text: i18n.t("export_json") })),
  ].filter((node) => node);
}
