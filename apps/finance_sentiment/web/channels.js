/* Where alerts are sent: channels with how delivery goes, adding, testing and forgetting them. */

import { el } from "../core/dom.js";
import { exact } from "./names.js";

const KINDS = ["webhook", "slack", "dingtalk", "feishu", "wecom", "email"];

/** The section of the channels. `say` tells what was done; `button` makes one of a row. */
export function channelsPart(frame, say, button) {
  const { i18n, server } = frame;
  const list = el("div");
  const adding = el("div", { class: "panel adding" });
  let items = null;

  function row(channel) {
    const state = channel.last_error ? "failing" : channel.last_delivered_at ? "works" : "unused";
    return el("tr", { class: channel.enabled ? "" : "disabled" },
      el("td", { class: "health" }, el("span", { class: `light ${{ failing: "failing", works: "ok", unused: "never" }[state]}`, text: i18n.t(state) })),
      el("th", { scope: "row" }, el("span", { class: "name", text: channel.name }), el("span", { class: "location", text: `${channel.kind} · ${channel.target}` }),
        channel.last_error ? el("span", { class: "trouble", text: channel.last_error }) : null),
      el("td", { text: i18n.t(`severity_${channel.min_severity}`) }),
      el("td", { class: "end", text: String(channel.waiting), title: exact(i18n, channel.last_delivered_at) }),
      el("td", { class: "do" }, el("div", { class: "row" },
        button(i18n.t("test"), () => test(channel), channel.name), button(i18n.t("remove"), () => forget(channel), channel.name))));
  }


  function draw() {
    if (items === null) {
      list.replaceChildren(el("p", { class: "empty" }, i18n.node("span", "needs_key"), " ",
        el("button", { type: "button", class: "quiet-button outlined", text: i18n.t("show"), on: { click: load } })));
      return;
    }
    list.replaceChildren(items.length === 0 ? i18n.node("p", "no_channels", { class: "empty" })
      : el("table", { class: "sources" }, frame.head("col_health", "col_channel", "least", "col_waiting", "col_acts"), el("tbody", {}, ...items.map(row))));
  }

  async function load() {
    const found = await frame.go(() => server.send("GET", "channels"));
    items = found?.items ?? items;
    draw();
  }

  /** The first look asks nobody for a key. */
  async function peek() {
    items = (await server.get("channels", {}, { ask: false }).catch(() => null))?.items ?? null;
    draw();
  }

  async function test(channel) {
    const found = await frame.go(() => server.send("POST", `channels/${channel.name}/test`, {}, { seconds: 60 }));
    if (found) say("tested", { name: channel.name, detail: found.detail || i18n.t(found.delivered ? "works" : "failing") });
    await load();
  }

  async function forget(channel) {
    const done = await frame.go(() => server.send("DELETE", `channels/${channel.name}`));
    if (done !== undefined) say("gone_channel", { name: channel.name });
    await load();
  }

  function drawForm() {
    const field = (name, options = {}) => el("label", { class: "field", "data-for": options.mail ? "email" : options.web ? "web" : "" },
      i18n.node("span", options.label ?? name), el("input", { name, autocomplete: "off", spellcheck: "false", type: options.type ?? "text", required: options.required ?? false, value: options.value ?? "" }));
    const kind = el("select", { name: "kind" }, ...KINDS.map((k) => el("option", { value: k, text: k })));
    const least = el("select", { name: "min_severity" }, ...["info", "warning", "critical"].map((k) => i18n.node("option", `severity_${k}`, { value: k })));
    const form = el("form", { class: "act", on: { submit: async (event) => {
      event.preventDefault();
      const given = Object.fromEntries(new FormData(form));
      const mail = given.kind === "email";
      const body = {
        kind: given.kind, min_severity: given.min_severity, language: i18n.language, secret: given.secret,
        ...(mail ? { to: given.to.split(",").map((each) => each.trim()).filter(Boolean), smtp: { host: given.host.trim(), port: Number(given.port), sender: given.sender.trim(), username: given.username.trim() } } : { url: given.url.trim() }),
      };
      const made = await frame.go(() => server.send("PUT", `channels/${encodeURIComponent(given.name.trim())}`, body));
      if (!made) return;
      form.reset();
      shape();
      say("added", { name: made.name });
      await load();
    } } },
    field("name", { required: true }), el("label", { class: "field" }, i18n.node("span", "kind"), kind), field("url", { web: true }),
    field("to", { mail: true }), field("host", { mail: true }), field("port", { mail: true, type: "number", value: "587" }), field("sender", { mail: true }), field("username", { mail: true }),
    field("secret", { type: "password" }), el("label", { class: "field" }, i18n.node("span", "least"), least),
    el("div", { class: "row" }, i18n.node("button", "add", { class: "button" })));
    const shape = () => {
      for (const label of form.querySelectorAll("[data-for]")) {
        if (label.dataset.for) label.hidden = (label.dataset.for === "email") !== (kind.value === "email");
      }
    };
    kind.addEventListener("change", shape);
    shape();
    adding.replaceChildren(i18n.node("h2", "add_channel"), form);
  }

  i18n.addEventListener("change", () => {
    draw();
    drawForm();
  });
  draw();
  drawForm();
  peek();
  return el("section", { class: "desk" }, i18n.node("h2", "channels"), list, adding);
}
