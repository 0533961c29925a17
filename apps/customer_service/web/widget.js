/*
 * The chat for any site:
 *
 *   <script src="https://support.example.com/widget.js" async data-lang="zh" data-title="Ask us"></script>
 *
 * data-lang: en or zh (default: the page's or the browser's). data-title: heading of the chat. data-side: left or right.
 * data-theme: light, dark or auto. The server must know the site: TRIPTYCH_ALLOWED_ORIGINS.
 *
 * A launcher in a shadow root; the chat itself is fetched when somebody opens it. Nothing of the host page is touched, nothing
 * is set on it but the one name TriptychWidget, and no failure of the server reaches it.
 */
(() => {
  "use strict";
  const script = document.currentScript;
  if (!script?.src || window.TriptychWidget) return;

  const base = new URL(".", script.src);
  const options = { ...script.dataset };
  const tag = options.lang || document.documentElement.lang || navigator.language;
  const zh = /^zh\b/i.test(tag);
  const words = zh
    ? { open: "咨询我们", close: "关闭对话", down: "暂时无法连接客服，请稍后再试。", again: "重试" }
    : { open: "Ask us", close: "Close the chat", down: "The chat cannot be reached now. Please try again later.", again: "Try again" };

  const STYLE = `
    .frame { all: initial; color-scheme: inherit; }
    .launcher, .fallback { position: fixed; z-index: 2147483000; bottom: max(20px, env(safe-area-inset-bottom)); right: 20px;
      font: 600 15px/1.3 system-ui, -apple-system, "Segoe UI", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; }
    .left .launcher, .left .fallback { right: auto; left: 20px; }
    .launcher { display: inline-flex; align-items: center; gap: 9px; min-height: 52px; padding: 0 22px 0 18px; border: 0;
      border-radius: 999px; background: #0f6b5c; color: #fff; cursor: pointer; box-shadow: 0 6px 24px #0003; }
    .launcher:hover { background: #0a5347; }
    .launcher:focus-visible { outline: 3px solid #0f6b5c; outline-offset: 3px; box-shadow: 0 0 0 3px #fff; }
    .launcher[aria-expanded="true"] { min-width: 52px; padding: 0; justify-content: center; }
    .launcher[aria-expanded="true"] .label { display: none; }
    .launcher svg { width: 22px; height: 22px; fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; }
    .fallback { bottom: 88px; max-width: min(300px, calc(100vw - 40px)); padding: 16px 18px; border-radius: 14px; background: #fff;
      color: #1d1f21; font-weight: 400; box-shadow: 0 6px 24px #0003; }
    .fallback p { margin: 0 0 10px; }
    .fallback button { padding: 6px 14px; border: 1px solid #85877f; border-radius: 8px; background: none; color: inherit; font: inherit; cursor: pointer; }
    [hidden] { display: none !important; }
    @media (max-width: 480px) { .launcher[aria-expanded="true"] { display: none; } }
    @media print { .launcher, .fallback { display: none; } }
  `;

  function make(tagName, attributes, ...children) {
    const node = document.createElement(tagName);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }

  function drawing(path) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
    line.setAttribute("d", path);
    svg.append(line);
    return svg;
  }

  const CHAT = "M20 11.5a7.5 7.5 0 0 1-7.5 7.5c-1.2 0-2.3-.3-3.3-.8L4 20l1.6-4.6A7.5 7.5 0 1 1 20 11.5z";
  const CLOSE = "M6 6l12 12M18 6 6 18";

  const host = document.createElement("triptych-widget");
  const shadow = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet(); // a constructed sheet is not held back by a host page's style-src
  sheet.replaceSync(STYLE);
  shadow.adoptedStyleSheets = [sheet];
  const label = make("span", { class: "label" }, options.launcher || words.open);
  const launcher = make("button", { type: "button", class: "launcher", "aria-expanded": "false", "aria-haspopup": "dialog" }, drawing(CHAT), label);
  const again = make("button", { type: "button" }, words.again);
  const fallback = make("div", { class: "fallback", role: "alert", hidden: "" }, make("p", {}, words.down), again);
  const frame = make("div", { class: options.side === "left" ? "frame left" : "frame" }, fallback, launcher);
  shadow.append(frame);

  let panel = null;
  let loading = false;
  let tries = 0;

  function show(opened) {
    launcher.setAttribute("aria-expanded", String(opened));
    launcher.replaceChildren(drawing(opened ? CLOSE : CHAT), label);
    if (opened) launcher.setAttribute("aria-label", words.close);
    else launcher.removeAttribute("aria-label");
  }

  async function open() {
    if (loading || panel?.isOpen) return;
    loading = true;
    launcher.setAttribute("aria-busy", "true");
    try {
      if (!panel) {
        tries += 1; // a module that failed to load is asked for under a new name
        const url = new URL(`static/customer-service/widget-panel.js${tries > 1 ? `?try=${tries}` : ""}`, base);
        const module = await import(url.href);
        panel = await module.mount({ shadow, frame, base, sheet, language: zh ? "zh" : "en", title: options.title, onClose: close });
        if (options.theme === "light" || options.theme === "dark") host.dataset.theme = options.theme;
      }
      fallback.hidden = true;
      panel.open();
      show(true);
    } catch (error) {
      panel = null;
      fallback.hidden = false;
      again.focus();
      console.warn(`Triptych widget: the server at ${base.origin} was not reached, or it does not name ${location.origin} in TRIPTYCH_ALLOWED_ORIGINS.`, error);
    } finally {
      loading = false;
      launcher.removeAttribute("aria-busy");
    }
  }

  function close() {
    fallback.hidden = true;
    if (!panel?.isOpen) return;
    panel.close();
    show(false);
    launcher.focus();
  }

  launcher.addEventListener("click", () => (panel?.isOpen ? close() : open()));
  again.addEventListener("click", open);
  fallback.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    fallback.hidden = true;
    launcher.focus();
  });

  Object.defineProperty(window, "TriptychWidget", { value: Object.freeze({ open, close }) });
  if (document.body) document.body.append(host);
  else addEventListener("DOMContentLoaded", () => document.body.append(host), { once: true });
})();
