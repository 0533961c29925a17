/* The chat itself: the same on the page and in the widget. Knows its parts; knows nothing of where it stands. */

import { el, icon } from "../core/dom.js";
import { Offline, Refused } from "./client.js";
import { Composer } from "./composer.js";
import { Connection } from "./connection.js";
import { AnswerMessage, userMessage } from "./message.js";
import { Passage } from "./passage.js";
import { spoken } from "./text.js";

/**
 * A chat inside `root`.
 *
 * client: where to ask. i18n: with CHAT_WORDS. remember(id | null): keep the conversation's id for the next visit.
 */
export class Chat {
  constructor(root, { client, i18n, remember }) {
    this.root = root;
    this.client = client;
    this.i18n = i18n;
    this.remember = remember;
    this.id = null;
    this.answering = null; // AbortController while an answer comes
    this.unsent = null; // a question that met a dead server: {text, asked: how many came before it}
    this.connection = new Connection(client);
    this.connection.addEventListener("change", () => this.#connection());

    this.offline = el("div", { class: "banner offline", hidden: true }, icon("cloud"), el("p", { class: "what" }),
      el("button", { type: "button", class: "quiet-button outlined", on: { click: () => this.connection.retry() } },
        icon("retry"), i18n.node("span", "try_now")));
    this.problem = el("div", { class: "banner problem", hidden: true }, icon("unknown"), el("p", { class: "what" }),
      el("button", { type: "button", class: "quiet-button", "data-t-label": "dismiss", on: { click: () => this.#say(null) } }, icon("close")));
    this.welcome = el("section", { class: "welcome" }, i18n.node("h2", "welcome"), i18n.node("p", "welcome_more"));
    this.list = el("div", { class: "messages" });
    this.log = el("div", { class: "log", role: "log", "aria-live": "off", tabindex: "0", "data-t-label": "conversation" },
      this.welcome, this.list);
    this.live = el("div", { class: "unseen live", role: "status", "aria-live": "polite" });
    this.alert = el("div", { class: "unseen", role: "alert" });
    this.composer = new Composer(i18n, {
      onSend: (text) => this.ask(text),
      onStop: () => this.answering?.abort(),
      onLong: (n) => this.#say(i18n.t("too_long", { n })),
    });
    const column = el("div", { class: "column" }, this.offline, this.log, this.problem, this.composer.node);
    this.passage = new Passage(client, i18n, column);
    root.classList.add("chat");
    root.replaceChildren(column, this.passage.node, this.live, this.alert);
    i18n.fill(root);
    i18n.addEventListener("change", () => this.#connection(true));
  }

  /** Go on with a kept conversation. */
  async resume(id) {
    try {
      const conversation = await this.client.conversation(id);
      this.#use(id);
      this.#show(conversation.messages);
      if (conversation.messages.length) this.#announce(this.i18n.t("resumed"));
    } catch (error) {
      if (error instanceof Offline) {
        this.#use(id); // it may well be there when the server is
        this.connection.lost();
      } else if (error instanceof Refused && (error.status === 404 || error.status === 422)) {
        this.#use(null);
        this.#say(this.i18n.t("gone"));
      } else {
        this.#say(this.i18n.t("failed", { reason: error.message }));
      }
    }
  }

  /** Put this conversation aside and begin a new one. */
  restart() {
    this.answering?.abort();
    this.answering = null;
    this.passage.close();
    this.#use(null);
    this.#show([]);
    this.#say(null);
    this.composer.setBusy(false);
    this.#announce(this.i18n.t("new_started"));
    this.composer.focus();
  }

  async ask(text) {
    if (this.answering) return;
    const controller = new AbortController();
    this.answering = controller;
    this.#say(null);
    const before = this.#asked();
    const asked = userMessage(this.i18n, text);
    const answer = this.#answerMessage(text);
    this.welcome.hidden = true;
    this.list.append(asked, answer.node);
    this.composer.text = "";
    this.composer.setBusy(true);
    this.#follow(true);
    const mine = () => this.answering === controller;
    try {
      const last = await this.client.ask(text, {
        conversation: this.id ?? "new",
        signal: controller.signal,
        onConversation: (id) => mine() && this.#use(id),
        onText: (piece) => {
          if (!mine()) return;
          answer.grow(piece);
          requestAnimationFrame(() => this.#follow());
        },
      });
      if (!mine()) return;
      answer.finish({ action: last.action, citations: last.citations });
      this.unsent = null;
      const heading = last.action === "decline" ? this.i18n.t("declined_spoken") : "";
      this.#announce(`${heading}${spoken(answer.raw)}`);
    } catch (error) {
      if (!mine()) return;
      if (error.name === "AbortError") {
        answer.cut("stopped");
        this.#announce(this.i18n.t("stopped"));
      } else {
        asked.remove();
        answer.node.remove();
        this.welcome.hidden = this.list.childElementCount > 0;
        if (!this.composer.text) this.composer.text = text;
        this.#failed(error, { text, asked: before });
      }
    } finally {
      if (mine()) {
        this.answering = null;
        this.composer.setBusy(false);
        this.#follow();
      }
    }
  }

  #failed(error, unsent) {
    if (error instanceof Offline) {
      this.unsent = unsent;
      this.connection.lost();
    } else if (error instanceof Refused && error.status === 404 && this.id) {
      this.#use(null);
      this.#show([]);
      this.#say(this.i18n.t("gone"));
    } else if (error instanceof Refused && error.status === 429) {
      this.#say(this.i18n.t("busy", { n: error.retryAfter ?? 5 }));
    } else {
      this.#say(this.i18n.t("failed", { reason: error.message }));
    }
  }

  #answerMessage(question) {
    return new AnswerMessage(this.i18n, {
      onCitation: (citation, button) => this.passage.open(citation, button),
      onRephrase: () => {
        this.composer.text = question;
        this.composer.focus();
        this.composer.box.select();
      },
    });
  }

  #show(messages) {
    let question = "";
    const nodes = messages.map((message) => {
      if (message.role === "user") {
        question = message.content;
        return userMessage(this.i18n, message.content);
      }
      const answer = this.#answerMessage(question);
      answer.finish(message);
      return answer.node;
    });
    this.list.replaceChildren(...nodes);
    this.welcome.hidden = nodes.length > 0;
    this.#follow(true);
  }

  #asked() {
    return this.list.querySelectorAll(".asked").length;
  }

  #use(id) {
    this.id = id;
    this.remember(id);
  }

  /** Keep the newest in sight, unless the reader has scrolled up. */
  #follow(always = false) {
    const { scrollHeight, scrollTop, clientHeight } = this.log;
    if (always || scrollHeight - scrollTop - clientHeight < 120) this.log.scrollTop = scrollHeight;
  }

  #say(text) {
    this.problem.hidden = !text;
    this.problem.querySelector(".what").textContent = text ?? "";
    this.alert.textContent = text ?? "";
  }

  #announce(text) {
    this.live.textContent = "";
    setTimeout(() => (this.live.textContent = text), 50); // an emptied region is read again even if the text is the same
  }

  async #connection(redraw = false) {
    const { online, seconds } = this.connection;
    const was = !this.offline.hidden;
    if (online) {
      this.offline.hidden = true;
      if (!was || redraw) return;
      this.#announce(this.i18n.t("online_again"));
      await this.#catchUp();
      return;
    }
    const what = this.i18n.t(this.unsent ? "offline_kept" : "offline");
    const next = seconds > 0 ? this.i18n.t("next_try", { n: seconds }) : this.i18n.t("trying");
    this.offline.querySelector(".what").replaceChildren(el("strong", { text: what }), " ", el("span", { text: next }));
    this.offline.hidden = false;
    if (!was) this.alert.textContent = what;
  }

  /** After an outage: what the server has kept is what counts; a question it did answer need not be asked again. */
  async #catchUp() {
    const unsent = this.unsent;
    this.unsent = null;
    this.alert.textContent = "";
    if (!this.id || this.answering) return;
    try {
      const { messages } = await this.client.conversation(this.id);
      if (this.answering) return;
      this.#show(messages);
      if (unsent && this.#asked() > unsent.asked && this.composer.text === unsent.text) this.composer.text = "";
    } catch (error) {
      if (error instanceof Offline) this.connection.lost();
      else if (error instanceof Refused && error.status === 404) {
        this.#use(null);
        this.#show([]);
        this.#say(this.i18n.t("gone"));
      }
    }
  }
}
