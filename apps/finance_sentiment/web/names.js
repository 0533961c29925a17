/* What companies, topics and languages are called, numbers and times in the reader's language. Knows no server. */

const DASH = "–";

/** Names by dimension and value; the values themselves until they are loaded. */
export class Names {
  constructor(i18n) {
    this.i18n = i18n;
    this.known = { topic: new Map(), entity: new Map(), source: new Map(), language: new Map() };
  }

  take(found) {
    for (const [dimension, list] of [["topic", found.topics], ["entity", found.entities]]) {
      this.known[dimension] = new Map(list.map((name) => [name.value, name]));
    }
    for (const [dimension, list] of [["source", found.sources], ["language", found.languages]]) {
      this.known[dimension] = new Map(list.map((value) => [value, { value, en: value, zh: value }]));
    }
  }

  of(dimension, value) {
    if (dimension === "all") return this.i18n.t("all_texts");
    if (dimension === "language") return language(this.i18n.language, value);
    const name = this.known[dimension]?.get(value);
    return (name && this.i18n.pick(name)) || value;
  }

  options(dimension) {
    return [...(this.known[dimension]?.keys() ?? [])];
  }

  /** The value that somebody means who typed a name or a value; null where nothing fits. */
  find(dimension, text) {
    const wanted = text.trim().toLowerCase();
    const all = [...(this.known[dimension]?.values() ?? [])];
    const found = all.find((n) => n.value.toLowerCase() === wanted)
      ?? all.find((n) => [n.en, n.zh, this.of(dimension, n.value)].some((t) => t.toLowerCase() === wanted))
      ?? all.find((n) => n.value.toLowerCase().split(":").at(-1) === wanted);
    return found?.value ?? null;
  }
}

function language(into, code) {
  try {
    return new Intl.DisplayNames([into === "zh" ? "zh-CN" : "en"], { type: "language" }).of(code);
  } catch {
    return code;
  }
}

const locale = (i18n) => (i18n.language === "zh" ? "zh-CN" : "en-GB");
const made = new Map();

function dates(i18n, kind, options) {
  const key = `${i18n.language} ${kind}`;
  if (!made.has(key)) made.set(key, new Intl.DateTimeFormat(locale(i18n), options));
  return made.get(key);
}

const instant = (at) => new Date(typeof at === "number" ? at * 1000 : at);

/** "2 Mar, 09:00" of an RFC 3339 time or of seconds. */
export function when(i18n, at) {
  if (at == null) return DASH;
  return dates(i18n, "short", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(instant(at));
}

export function day(i18n, at) {
  return dates(i18n, "day", { day: "numeric", month: "short" }).format(instant(at));
}

export function clock(i18n, at) {
  return dates(i18n, "clock", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(instant(at));
}

/** With the year, seconds and zone: for tooltips. */
export function exact(i18n, at) {
  if (at == null) return "";
  return dates(i18n, "exact", { dateStyle: "medium", timeStyle: "long", hourCycle: "h23" }).format(instant(at));
}

/** How long ago, in one or two units. */
export function age(i18n, at, now = Date.now()) {
  if (at == null) return DASH;
  return lasting(i18n, (now - instant(at).getTime()) / 1000);
}

export function lasting(i18n, seconds) {
  const minutes = Math.floor(Math.max(0, seconds) / 60);
  if (minutes < 1) return i18n.t("age_now");
  if (minutes < 60) return i18n.t("age_minutes", { n: minutes });
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 ? i18n.t("age_hours_minutes", { n: hours, m: minutes % 60 }) : i18n.t("age_hours", { n: hours });
  const days = Math.floor(hours / 24);
  return days < 7 && hours % 24 ? i18n.t("age_days_hours", { n: days, m: hours % 24 }) : i18n.t("age_days", { n: days });
}

export const percent = (share) => `${Math.round(share * 100)}%`;

export function count(i18n, number) {
  const key = `${i18n.language} count`;
  if (!made.has(key)) made.set(key, new Intl.NumberFormat(locale(i18n), { maximumFractionDigits: 1 }));
  return made.get(key).format(number);
}

/** A signed number with two digits: "−0.41". */
export function score(number) {
  return (number > 0 ? "+" : number < 0 ? "−" : "") + Math.abs(number).toFixed(2);
}

export function figure(number) {
  if (number == null) return DASH;
  if (number !== 0 && Math.abs(number) < 0.001) return number.toExponential(1).replace(".0e", "e");
  return String(Number(number.toPrecision(3)));
}

/** The address if a page may link to it, else null. */
export function link(url) {
  try {
    const found = new URL(url);
    return found.protocol === "https:" || found.protocol === "http:" ? found.href : null;
  } catch {
    return null;
  }
}
