/* Which alerts are wanted: the filters above the list, kept in the address, and whether an alert passes them. */

import { el } from "../core/dom.js";
import { address } from "./frame.js";

const OPEN = ["pending", "firing", "acknowledged", "no_data"];
const STATES = ["open", "firing", "acknowledged", "no_data", "pending", "silenced", "resolved", "any"];
const SEVERITIES = ["critical", "warning", "info"];
const RANK = { critical: 2, warning: 1, info: 0 };

/** The filters in force. Fires "change" when somebody changes them. */
export class Filters extends EventTarget {
  constructor(frame) {
    super();
    this.frame = frame;
    this.counts = null;
    this.root = el("form", { class: "filters", role: "search", on: { submit: (event) => event.preventDefault() } });
    this.draw();
  }

  get state() {
    const state = address.get("state", "open");
    return STATES.includes(state) ? state : "open";
  }

  get severity() {
    return address.all("severity").filter((one) => SEVERITIES.includes(one));
  }

  get order() {
    return address.get("order") === "severity" ? "severity" : "newest";
  }

  /** "any", "none", or a name. */
  get owner() {
    return address.get("owner", "any");
  }

  get plain() {
    return !["state", "severity", "owner", "rule", "dimension", "value"].some((name) => new URLSearchParams(location.search).has(name));
  }

  /** As the server wants it. */
  query() {
    return {
      state: this.state === "any" ? null : this.state,
      severity: this.severity,
      order: this.order,
      rule: address.get("rule") || null,
      dimension: address.get("dimension") || null,
      value: address.get("value") || null,
      owner: this.owner === "any" ? null : this.owner === "none" ? "" : this.owner,
    };
  }

  passes(alert) {
    const { state, severity, rule, dimension, value, owner } = this.query();
    return (state == null ? alert.state !== "inactive"
      : state === "open" ? OPEN.includes(alert.state)
      : state === "silenced" ? OPEN.includes(alert.state) && alert.silenced
      : alert.state === state)
      && (!severity.length || severity.includes(alert.severity))
      && (rule == null || alert.rule.id === rule)
      && (dimension == null || alert.dimension === dimension)
      && (value == null || alert.value === value)
      && (owner == null || alert.owner === owner);
  }

  /** Whether `a` stands before `b` in the list. */
  before(a, b) {
    if (this.order === "severity" && a.severity !== b.severity) return RANK[a.severity] > RANK[b.severity];
    return a.started_at === b.started_at ? a.id > b.id : a.started_at > b.started_at;
  }

  change(values) {
    address.set(values);
    this.draw();
    this.dispatchEvent(new Event("change"));
  }

  /** How many there are of each; written in place, so that nobody is disturbed. */
  tally(counts) {
    this.counts = counts;
    for (const node of this.root.querySelectorAll("[data-n]")) {
      const [kind, name] = node.dataset.n.split(" ");
      const n = kind === "state" ? this.#count(name) : counts?.by_severity?.[name];
      node.textContent = n == null ? "" : String(n);
      node.hidden = n == null;
    }
  }

  draw() {
    const { i18n, names, by } = this.frame;
    const focused = document.activeElement?.dataset?.filter;
    const typed = focused === "value" ? document.activeElement.value : null;
    const number = (name) => el("span", { class: "n", "data-n": name });
    const states = STATES.map((state) => el("button", {
      type: "button", class: "chip", "data-filter": `state ${state}`, "aria-pressed": String(this.state === state),
      on: { click: () => this.change({ state: state === "open" ? null : state }) },
    }, i18n.node("span", `state_${state}`), number(`state ${state}`)));
    const severities = SEVERITIES.map((severity) => {
      const on = this.severity.includes(severity);
      const next = on ? this.severity.filter((one) => one !== severity) : [...this.severity, severity];
      return el("button", {
        type: "button", class: `chip severity ${severity}`, "data-filter": `severity ${severity}`, "aria-pressed": String(on),
        on: { click: () => this.change({ severity: next }) },
      }, i18n.node("span", `severity_${severity}`), number(`severity ${severity}`));
    });
    const select = (name, label, options, value, changed) => el("label", { class: "pick" }, i18n.node("span", label, { class: "unseen" }),
      el("select", { "data-filter": name, on: { change: (event) => changed(event.target.value) } },
        ...options.map(([key, text]) => el("option", { value: key, selected: key === value, text }))));
    const owners = [["any", i18n.t("owner_any")], ["none", i18n.t("owner_none")]];
    if (by) owners.push([by, `${i18n.t("owner_mine")} (${by})`]);
    if (!owners.some(([key]) => key === this.owner)) owners.push([this.owner, this.owner]);
    const dimension = address.get("dimension");
    const about = [["", i18n.t("about_any")], ...["all", "entity", "topic", "source", "language"].map((d) => [d, i18n.t(`dimension_${d}`)])];
    const list = el("datalist", { id: "values" }, ...names.options(dimension).slice(0, 2000).map((v) => el("option", { value: names.of(dimension, v) })));
    const value = el("input", {
      type: "search", "data-filter": "value", list: "values", autocomplete: "off", maxlength: "200",
      value: address.get("value") && names.of(dimension, address.get("value")),
      on: { change: () => this.change({ value: value.value.trim() ? names.find(dimension, value.value) ?? value.value.trim() : null }) },
    });
    const rule = address.get("rule");
    this.root.replaceChildren(
      el("div", { class: "chips", role: "group", "aria-label": i18n.t("state") }, ...states),
      el("div", { class: "chips", role: "group", "aria-label": i18n.t("severity") }, ...severities),
      el("div", { class: "picks" },
        select("dimension", "about", about, dimension, (d) => this.change({ dimension: d || null, value: null })),
        dimension && dimension !== "all" ? el("label", { class: "pick" }, i18n.node("span", "about_value", { class: "unseen" }), value, list) : null,
        select("owner", "owner", owners, this.owner, (o) => this.change({ owner: o === "any" ? null : o })),
        select("order", "order", [["newest", i18n.t("order_newest")], ["severity", i18n.t("order_severity")]], this.order,
          (o) => this.change({ order: o === "newest" ? null : o })),
        rule ? el("button", { type: "button", class: "chip", "data-filter": "rule", on: { click: () => this.change({ rule: null }) } },
          el("span", { text: i18n.t("of_rule", { rule }) }), el("span", { class: "cross", "aria-hidden": "true", text: "×" })) : null));
    if (value.isConnected) value.setAttribute("placeholder", i18n.t("about_value"));
    if (typed != null) value.value = typed;
    this.tally(this.counts);
    if (focused) this.root.querySelector(`[data-filter="${CSS.escape(focused)}"]`)?.focus();
  }

  #count(state) {
    const counts = this.counts;
    if (!counts || state === "any" || state === "resolved") return null;
    if (state === "silenced") return counts.silenced;
    return state === "open" ? OPEN.reduce((sum, one) => sum + (counts.by_state[one] ?? 0), 0) : counts.by_state[state] ?? 0;
  }
}
