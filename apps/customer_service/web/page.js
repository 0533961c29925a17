/* The chat page: the conversation's id lives in the URL and in this browser's memory. */

import { icon, memory } from "../core/dom.js";
import { I18n } from "../core/i18n.js";
import { mountNav, NAV_WORDS } from "../core/nav.js";
import { Chat } from "./chat.js";
import { Client } from "./client.js";
import { CHAT_WORDS } from "./words.js";

const KEY = "triptych.customer-service.conversation";

const i18n = new I18n({
  en: { ...NAV_WORDS.en, ...CHAT_WORDS.en },
  zh: { ...NAV_WORDS.zh, ...CHAT_WORDS.zh },
});

function remember(id) {
  memory.set(KEY, id);
  const url = new URL(location.href);
  if (id) url.searchParams.set("conversation", id);
  else url.searchParams.delete("conversation");
  if (url.href !== location.href) history.replaceState(null, "", url);
}

const root = document.querySelector("#chat");
const begin = document.querySelector(".new");
begin.append(icon("plus"), i18n.node("span", "new_conversation"));

i18n.fill(document);
mountNav(document.querySelector(".suite"), i18n);
const title = () => (document.title = `${i18n.t("chat_title")} · Triptych`);
i18n.addEventListener("change", title);
title();

const chat = new Chat(root, { client: new Client(new URL("/", location.href)), i18n, remember });
begin.addEventListener("click", () => chat.restart());
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  chat.composer.focus();
});
addEventListener("keydown", (event) => {
  if (event.key === "Escape") chat.passage.close();
});

const id = new URLSearchParams(location.search).get("conversation") || memory.get(KEY);
if (id) await chat.resume(id);
if (matchMedia("(hover: hover)").matches) chat.composer.focus();
