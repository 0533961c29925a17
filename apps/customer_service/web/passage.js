/* The passage an answer quotes, shown in its document with the quote marked. */

import { el, icon } from "../core/dom.js";
import { Refused } from "./client.js";
import { locate } from "./text.js";

/** A panel inside the chat. `behind`: what it covers when it is not beside it. */
export class Passage {
  constructor(client, i18n, behind) {
    this.client = client;
    this.i18n = i18n;
    this.behind = behind;
    this.opener = null;
    this.turn = 0;
    this.title = el("h2", { id: "passage-title", tabindex: "-1" });
    this.where = el("p", { class: "where" });
    this.body = el("div", { class: "body", tabindex: "0", role: "region", "aria-labelledby": "passage-title" });
    const close = el("button", { type: "button", class: "quiet-button", "data-t-label": "close_passage", on: { click: () => this.close() } },
      icon("close"));
    this.node = el("dialog", { class: "passage", "aria-labelledby": "passage-title" },
      el("header", {}, el("div", { class: "heading" }, i18n.node("p", "passage", { class: "kind" }), this.title, this.where), close),
      this.body);
    this.node.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      event.preventDefault();
      this.close();
    });
  }

  get covers() {
    return getComputedStyle(this.node).getPropertyValue("--beside").trim() !== "1";
  }

  async open(citation, opener) {
    this.turn += 1;
    const turn = this.turn;
    this.opener = opener;
    this.title.textContent = citation.title;
    const headings = citation.headings.filter((heading) => heading !== citation.title);
    this.where.textContent = [...headings, citation.source].join(" › ");
    this.body.replaceChildren(quote(citation), this.i18n.node("p", "loading_document", { class: "note" }));
    if (!this.node.open) this.node.show();
    this.node.parentNode.classList.add("with-passage");
    this.behind.inert = this.covers;
    this.title.focus();
    let parts;
    try {
      const document = await this.client.document(citation.document_id);
      parts = this.#document(document.text ?? "", citation);
    } catch (error) {
      const key = error instanceof Refused && error.status === 404 ? "no_document" : "offline_document";
      parts = [this.i18n.node("p", key, { class: "note" }), quote(citation)];
    }
    if (turn !== this.turn) return; // another one was opened meanwhile
    this.body.replaceChildren(...parts);
    const mark = this.body.querySelector("mark");
    if (mark) this.body.scrollTop += mark.getBoundingClientRect().top - this.body.getBoundingClientRect().top - this.body.clientHeight / 3;
  }

  close() {
    if (!this.node.open) return;
    this.turn += 1;
    this.behind.inert = false;
    this.node.parentNode.classList.remove("with-passage");
    this.node.close();
    if (this.opener?.isConnected) this.opener.focus();
  }

  #document(text, citation) {
    const place = locate(text, citation);
    const heading = this.i18n.node("h3", "in_document");
    if (!place) {
      const changed = this.i18n.node("p", "changed_document", { class: "note" });
      return [changed, quote(citation), heading, el("div", { class: "document", text })];
    }
    const [start, end] = place;
    const mark = el("mark", { text: text.slice(start, end) });
    const whole = el("div", { class: "document" }, text.slice(0, start), mark, text.slice(end));
    return [heading, whole];
  }
}

function quote(citation) {
  return el("blockquote", { text: citation.quote });
}
