/* The chat inside the widget's shadow root; loaded by widget.js when the launcher is pressed for the first time. */

import { el, icon, memory } from "../core/dom.js";
import { I18n } from "../core/i18n.js";
import { Chat } from "./chat.js";
import { Client } from "./client.js";
import { CHAT_WORDS } from "./words.js";

const STYLES = ["static/core/tokens.css", "static/customer-service/chat.css", "static/customer-service/widget.css"];
const KEY = "triptych.widget.conversation";

/** A rem is the host page's; here it must be 16 px. */
function inPixels(css) {
  return css.replace(/([\d.]+)rem\b/g, (whole, number) => `${16 * number}px`);
}

async function sheetOf(url) {
  const response = await fetch(url, { credentials: "omit" });
  if (!response.ok) throw new Error(`${url}: HTTP ${response.status}`);
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(inPixels(await response.text()));
  return sheet;
}

/** Build the chat; nothing is shown until `open()`. Rejects when the server's files cannot be fetched. */
export async function mount({ shadow, frame, base, sheet, language, title, onClose }) {
  const sheets = await Promise.all(STYLES.map((path) => sheetOf(new URL(path, base))));
  shadow.adoptedStyleSheets = [sheet, ...sheets];
  const i18n = new I18n(CHAT_WORDS, { language });
  const heading = el("h2", { id: "chat-title", text: title || i18n.t("chat_title") });
  const begin = el("button", { type: "button", class: "quiet-button", "data-t-label": "new_conversation" }, icon("plus"));
  const shut = el("button", { type: "button", class: "quiet-button", "data-t-label": "close_chat", on: { click: onClose } }, icon("close"));
  const root = el("div", {});
  const node = el("section", { class: "panel", role: "dialog", "aria-labelledby": "chat-title", lang: language, hidden: true },
    el("header", { class: "top" }, heading, begin, shut), root);
  i18n.fill(node);
  const remember = (id) => memory.set(KEY, id);
  const chat = new Chat(root, { client: new Client(base), i18n, remember });
  begin.addEventListener("click", () => chat.restart());
  node.addEventListener("keydown", (event) => {
    event.stopPropagation(); // the host page's shortcuts are not for what is typed here
    if (event.key === "Escape") onClose();
  });
  frame.prepend(node);
  let resumed = false;

  return {
    get isOpen() {
      return !node.hidden;
    },
    open() {
      node.hidden = false;
      chat.composer.focus();
      const id = memory.get(KEY);
      if (id && !resumed) chat.resume(id);
      resumed = true;
    },
    close() {
      chat.passage.close();
      node.hidden = true;
    },
  };
}
