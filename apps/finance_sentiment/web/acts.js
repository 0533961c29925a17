/* What people do with alerts: which acts a state allows, and the small form of each. Knows the alerts' interface. */

import { el } from "../core/dom.js";
import { Refused } from "./server.js";

const OPEN = ["pending", "firing", "acknowledged", "no_data"];
const SVG = "http://www.w3.org/2000/svg";

/** Act -> key on the keyboard, where it is possible, and its drawing. */
export const ACTS = {
  acknowledge: { key: "a", fits: (a) => ["firing", "no_data"].includes(a.state), paths: ["M5 12.5l4.5 4.5L19 7.5"] },
  assign: { key: "o", fits: (a) => OPEN.includes(a.state), paths: ["M12 4.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7z", "M5 19.5c.6-3.4 3.4-5 7-5s6.4 1.6 7 5"] },
  silence: { key: "s", fits: (a) => OPEN.includes(a.state) && a.silence_id == null, paths: ["M4 4l16 16", "M8.2 7.2A5.5 5.5 0 0 0 6.5 11c0 4-1.5 5-1.5 6h12", "M10.5 5.2A5.5 5.5 0 0 1 17.5 11c0 1.6.3 2.8.6 3.6", "M10.5 20h3"] },
  comment: { key: "c", fits: () => true, paths: ["M20 11.5a7.5 7.5 0 0 1-7.5 7.5c-1.2 0-2.3-.3-3.3-.8L4 20l1.6-4.6A7.5 7.5 0 1 1 20 11.5z"] },
  resolve: { key: "r", fits: (a) => ["firing", "acknowledged", "no_data"].includes(a.state), paths: ["M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17z", "M8.2 12.3l2.7 2.7 5-5.5"] },
};

export function drawing(act) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  for (const d of ACTS[act].paths) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

/** "Negative surge · Apple" */
export function titleOf(frame, alert) {
  return `${alert.rule.name} · ${frame.names.of(alert.dimension, alert.value)}`;
}

/** Do an act. On a conflict the alert is fetched anew and the act is not repeated. -> the alert as it is now, or null. */
export async function perform(frame, alert, act, fields) {
  const path = `alerts/${alert.id}`;
  const { server } = frame;
  try {
    const found = await server.send("POST", `${path}/${act}`, act === "silence" || act === "comment" ? fields : { version: alert.version, ...fields });
    frame.refused.hidden = true;
    return { alert: act === "silence" ? found.alert : found, done: true };
  } catch (error) {
    frame.refused.textContent = error.status ? error.message : frame.t("gone");
    frame.refused.hidden = false;
    if (!(error instanceof Refused) || error.status !== 409) return null;
    const now = await server.get(path).catch(() => null);
    return now && { alert: now, done: false };
  }
}

const FIELDS = {
  acknowledge: () => [["comment", "note", { rows: 2, maxlength: 2000 }]],
  resolve: () => [["comment", "note", { rows: 2, maxlength: 2000 }]],
  comment: () => [["text", "text", { rows: 3, maxlength: 2000, required: true }]],
  assign: (alert) => [["owner", "new_owner", { maxlength: 80, value: alert.owner }]],
  silence: () => [["reason", "why", { rows: 2, maxlength: 2000, required: true }]],
};

/**
 * The form of an act. `done(alert, performed)` is called with the alert as it is afterwards, `close()` when it was closed.
 */
export function actForm(frame, alert, act, { done, close }) {
  const { i18n } = frame;
  const field = (name, label, options) => {
    const { rows, value, ...rest } = options;
    const input = rows ? el("textarea", { name, rows, ...rest }) : el("input", { name, autocomplete: "off", ...rest });
    input.value = value ?? "";
    return el("label", { class: "field" }, i18n.node("span", label), input);
  };
  const fields = FIELDS[act](alert).map((one) => field(...one));
  if (act === "silence") {
    const choices = [30, 120, 480, 1440, 4320, 10080].map((m) => i18n.node("option", `m_${m}`, { value: m, selected: m === 120 }));
    fields.push(el("label", { class: "field" }, i18n.node("span", "minutes"), el("select", { name: "minutes" }, ...choices)));
  }
  const submit = i18n.node("button", act, { class: "button", type: "submit" });
  const take = act === "assign" && i18n.node("button", "take", { class: "quiet-button outlined", type: "button", on: { click: () => {
    if (!form.elements.by.reportValidity()) return;
    form.elements.owner.value = form.elements.by.value.trim();
    form.requestSubmit();
  } } });
  const form = el("form", { class: `act ${act}`, "data-t-label": act, on: { submit: async (event) => {
    event.preventDefault();
    const by = form.elements.by.value.trim();
    if (!by) return form.elements.by.focus();
    frame.by = by;
    const values = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, name === "minutes" ? Number(value) : value.trim()]));
    form.inert = true;
    const found = await perform(frame, alert, act, { ...values, by });
    form.inert = false;
    if (found) done(found.alert, found.done);
  } } },
  ...fields,
  field("by", "by", { maxlength: 80, required: true, value: frame.by }),
  el("div", { class: "row" }, submit, take || null, i18n.node("button", "cancel", { class: "quiet-button", type: "button", on: { click: close } })));
  form.setAttribute("aria-label", frame.t(act));
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      close();
    } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  return form;
}

/** Into the first field that is empty and needed. */
export function focusForm(form) {
  const wanted = [...form.elements].find((field) => field.required && !field.value) ?? form.querySelector("textarea, input");
  wanted.focus();
}
