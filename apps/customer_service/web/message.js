/* One message on the page. Text is set with textContent only; [n] becomes a button where there is such a citation. */

import { el, icon } from "../core/dom.js";
import { pieces } from "./text.js";

/** What a person asked. */
export function userMessage(i18n, text) {
  return el("article", { class: "message asked" },
    i18n.node("h3", "you_asked", { class: "unseen" }),
    el("p", { class: "bubble", text }));
}

/** An answer, first growing, then finished. `onCitation(citation, button)`, `onRephrase()`. */
export class AnswerMessage {
  constructor(i18n, { onCitation, onRephrase }) {
    this.i18n = i18n;
    this.onCitation = onCitation;
    this.onRephrase = onRephrase;
    this.raw = "";
    this.frame = 0;
    this.text = el("p", { class: "text" });
    this.waiting = el("p", { class: "waiting" },
      el("span", { class: "pulse", "aria-hidden": "true" }), i18n.node("span", "thinking"));
    this.node = el("article", { class: "message answered", "aria-busy": "true" },
      i18n.node("h3", "answer", { class: "unseen" }), this.waiting, this.text);
  }

  /** Add a piece; drawn once a frame however fast they come. */
  grow(text) {
    this.raw += text;
    this.waiting.remove();
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.#draw([]);
    });
  }

  /** Put up the whole of it: {content, action, citations}. */
  finish({ content = this.raw, action, citations = [] }) {
    this.raw = content;
    this.#settle();
    this.#draw(citations);
    this.node.dataset.action = action ?? "answer";
    if (action === "decline") this.#decline();
    else if (citations.length) this.node.append(this.#sources(citations));
  }

  /** End without the rest, saying why. */
  cut(key) {
    this.#settle();
    this.#draw([]);
    this.node.append(this.i18n.node("p", key, { class: "note" }));
  }

  #settle() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.waiting.remove();
    this.node.removeAttribute("aria-busy");
  }

  #draw(citations) {
    const byIndex = new Map(citations.map((citation) => [citation.index, citation]));
    const parts = pieces(this.raw.trimStart()).map((piece) => {
      if (typeof piece === "string") return piece;
      const citation = byIndex.get(piece);
      return citation ? this.#marker(citation) : citations.length ? `[${piece}]` : el("span", { class: "marker", text: piece });
    });
    this.text.replaceChildren(...parts);
  }

  #marker(citation) {
    return this.#button(citation, "marker", String(citation.index));
  }

  #button(citation, kind, ...children) {
    const label = this.i18n.t("show_source", { n: citation.index, title: citation.title });
    const button = el("button", { type: "button", class: kind, "aria-label": label, title: citation.title }, ...children);
    button.addEventListener("click", () => this.onCitation(citation, button));
    return button;
  }

  #sources(citations) {
    const items = citations.map((citation) => {
      const path = [citation.title, ...citation.headings.filter((heading) => heading !== citation.title)].join(" › ");
      return el("li", {}, this.#button(citation, "source",
        el("span", { class: "number", text: String(citation.index) }), el("span", { class: "where", text: path })));
    });
    return el("section", { class: "sources" },
      this.i18n.node("h4", "sources"), el("ul", {}, ...items));
  }

  #decline() {
    this.text.before(el("p", { class: "verdict" }, icon("unknown"), this.i18n.node("strong", "declined")));
    const again = el("button", { type: "button", class: "quiet-button outlined", on: { click: this.onRephrase } },
      icon("edit"), this.i18n.node("span", "rephrase"));
    this.node.append(again);
  }
}
