/* The suite's navigation: the apps of this server, the API, language and theme. */

import { el, icon, memory } from "./dom.js";

export const NAV_WORDS = {
  en: {
    home: "Start",
    api: "API",
    apps: "Apps",
    other_language: "中文",
    language_label: "Switch to Chinese",
    theme_auto: "Theme: as the system. Switch to light",
    theme_light: "Theme: light. Switch to dark",
    theme_dark: "Theme: dark. Switch to the system's",
  },
  zh: {
    home: "首页",
    api: "接口",
    apps: "应用",
    other_language: "English",
    language_label: "切换到英文",
    theme_auto: "主题：跟随系统。切换到浅色",
    theme_light: "主题：浅色。切换到深色",
    theme_dark: "主题：深色。切换到跟随系统",
  },
};

const THEMES = { auto: ["system", "light"], light: ["sun", "dark"], dark: ["moon", "auto"] };

/** What the server says of its apps, or null when it does not answer. A 503 is an answer too. */
export async function readiness() {
  try {
    const response = await fetch("/readyz", { signal: AbortSignal.timeout(5000) });
    return await response.json();
  } catch {
    return null;
  }
}

/** Fill a header with the navigation. `i18n` must know NAV_WORDS. */
export function mountNav(header, i18n) {
  const links = el("nav");
  const language = el("button", {
    type: "button",
    class: "quiet-button language",
    on: { click: () => i18n.use(i18n.language === "en" ? "zh" : "en") },
  });
  const theme = el("button", { type: "button", class: "quiet-button theme", on: { click: nextTheme } });
  let apps = [];

  function link(href, text) {
    const here = location.pathname === href;
    return el("a", { class: "quiet-button", href, "aria-current": here && "page", text });
  }

  function draw() {
    document.documentElement.lang = i18n.language === "zh" ? "zh-CN" : "en";
    links.setAttribute("aria-label", i18n.t("apps"));
    links.replaceChildren(
      link("/", i18n.t("home")),
      ...apps.map((app) => link(app.path, i18n.pick(app.title))),
      link("/docs", i18n.t("api")),
    );
    language.textContent = i18n.t("other_language");
    language.lang = i18n.language === "en" ? "zh-CN" : "en";
    language.setAttribute("aria-label", i18n.t("language_label"));
    const name = document.documentElement.dataset.theme ?? "auto";
    theme.replaceChildren(icon(THEMES[name][0]));
    theme.setAttribute("aria-label", i18n.t(`theme_${name}`));
    theme.title = i18n.t(`theme_${name}`);
  }

  function nextTheme() {
    const root = document.documentElement;
    const name = THEMES[root.dataset.theme ?? "auto"][1];
    if (name === "auto") delete root.dataset.theme;
    else root.dataset.theme = name;
    memory.set("triptych.theme", name === "auto" ? null : name);
    draw();
  }

  header.replaceChildren(
    el("a", { class: "brand", href: "/", "aria-label": "Triptych" },
      el("img", { src: "/static/core/icon.svg", alt: "", width: "24", height: "24" }),
      el("span", { text: "Triptych" })),
    links,
    el("div", { class: "switches" }, language, theme),
  );
  i18n.addEventListener("change", draw);
  draw();
  readiness().then((state) => {
    apps = (state?.apps ?? []).filter((app) => app.path);
    draw();
  });
}
