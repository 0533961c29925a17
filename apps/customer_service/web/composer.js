/* The box a question is written in, with the button that sends it or stops the answer. */

import { el, icon } from "../core/dom.js";

const LIMIT = 8000;

/** `onSend(text)`, `onStop()`; `long(n)` is called for a text over the limit, which is not sent. */
export class Composer {
  constructor(i18n, { onSend, onStop, onLong }) {
    this.i18n = i18n;
    this.onSend = onSend;
    this.onStop = onStop;
    this.onLong = onLong;
    this.busy = false;
    this.box = el("textarea", {
      rows: "1", "data-t-label": "question_label", "data-t-hint": "question_hint", "aria-describedby": "keys",
      enterkeyhint: "send", autocomplete: "off",
    });
    this.button = el("button", { type: "submit", class: "send" });
    this.node = el("form", { class: "composer" },
      el("div", { class: "field" }, this.box, this.button),
      i18n.node("p", "keys", { class: "keys", id: "keys" }));
    this.node.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.busy) this.onStop();
      else this.#send();
    });
    this.box.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      if (!this.busy) this.#send();
    });
    this.box.addEventListener("input", () => this.#fit());
    i18n.addEventListener("change", () => this.#label());
    this.setBusy(false);
  }

  get text() {
    return this.box.value;
  }

  set text(value) {
    this.box.value = value;
    this.#fit();
  }

  setBusy(busy) {
    this.busy = busy;
    this.button.replaceChildren(icon(busy ? "stop" : "send"));
    this.button.classList.toggle("stops", busy);
    this.#label();
    this.#fit();
  }

  focus() {
    this.box.focus();
  }

  #label() {
    const text = this.i18n.t(this.busy ? "stop" : "send");
    this.button.setAttribute("aria-label", text);
    this.button.title = text;
  }

  #send() {
    const text = this.box.value.trim();
    const length = [...text].length;
    if (!text) this.focus();
    else if (length > LIMIT) this.onLong(length);
    else this.onSend(text);
  }

  #fit() {
    this.box.style.height = ""; // one row; an empty box stays so, whatever its hint would need
    if (this.box.value) this.box.style.height = `${Math.min(this.box.scrollHeight, 200)}px`;
    this.button.disabled = !this.busy && !this.box.value.trim();
  }
}
