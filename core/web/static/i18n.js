/* English and Chinese. Knows dictionaries and elements; the words belong to the pages. */

import { el, memory } from "./dom.js";

const KEY = "triptych.language";
export const LANGUAGES = ["en", "zh"];

/** "zh" for any kind of Chinese, "en" for the rest. */
export function nearest(tag) {
  return /^zh\b/i.test(tag ?? "") ? "zh" : "en";
}

/**
 * The words of a page in the language in force.
 *
 * words: {en: {key: "text with {name}"}, zh: {...}}. language: forced, as by a widget's data-lang; otherwise ?lang=, what
 * was chosen before, or the browser's. With `language` given nothing is stored.
 */
export class I18n extends EventTarget {
  constructor(words, { language = null } = {}) {
    super();
    this.words = words;
    this.forced = language != null;
    const asked = new URLSearchParams(location.search).get("lang");
    const chosen = LANGUAGES.includes(asked) ? asked : memory.get(KEY);
    this.language = this.forced ? nearest(language) : LANGUAGES.includes(chosen) ? chosen : nearest(navigator.language);
  }

  /** The text of a key, with {names} filled in. */
  t(key, values = {}) {
    const text = this.words[this.language][key] ?? this.words.en[key] ?? key;
    return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
  }

  /** Of {en, zh} the one in force. */
  pick(texts) {
    return texts?.[this.language] ?? texts?.en ?? "";
  }

  use(language) {
    this.language = nearest(language);
    if (!this.forced) memory.set(KEY, this.language);
    this.dispatchEvent(new Event("change"));
  }

  /** An element whose text is the key's, in the language in force; `fill` keeps it so. */
  node(tag, key, options = {}) {
    return el(tag, { ...options, "data-t": key, text: this.t(key) });
  }

  /** Fill what is in `root` and carries data-t (text), data-t-label (aria-label and tooltip) or data-t-hint (placeholder),
   * now and at every change. */
  fill(root) {
    const write = () => {
      for (const node of root.querySelectorAll("[data-t]")) node.textContent = this.t(node.dataset.t);
      for (const node of root.querySelectorAll("[data-t-label]")) {
        node.setAttribute("aria-label", this.t(node.dataset.tLabel));
        if (node.matches("button")) node.title = this.t(node.dataset.tLabel);
      }
      for (const node of root.querySelectorAll("[data-t-hint]")) node.setAttribute("placeholder", this.t(node.dataset.tHint));
    };
    write();
    this.addEventListener("change", write);
  }
}
