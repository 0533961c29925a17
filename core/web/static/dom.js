/* Making elements without markup: texts become text nodes, nothing is ever parsed. */

const SVG = "http://www.w3.org/2000/svg";

const PATHS = {
  send: ["M12 19V5", "M5.5 11.5 12 5l6.5 6.5"],
  stop: ["M7.5 7.5h9v9h-9z"],
  close: ["M6 6l12 12", "M18 6 6 18"],
  plus: ["M12 5v14", "M5 12h14"],
  chat: ["M20 11.5a7.5 7.5 0 0 1-7.5 7.5c-1.2 0-2.3-.3-3.3-.8L4 20l1.6-4.6A7.5 7.5 0 1 1 20 11.5z"],
  document: ["M7 3.5h7l4 4v13H7z", "M14 3.5v4h4", "M10 12h5", "M10 15.5h5"],
  unknown: ["M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17z", "M12 8v5", "M12 16.2v.1"],
  cloud: ["M4 4l16 16", "M8 9.2A4.5 4.5 0 0 0 7.5 18H16", "M11 6.6A5 5 0 0 1 17 11a3.5 3.5 0 0 1 2.6 5.8"],
  retry: ["M19 12a7 7 0 1 1-2.2-5.1", "M19 4v4h-4"],
  sun: ["M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z", "M12 3v1.5", "M12 19.5V21", "M3 12h1.5", "M19.5 12H21", "M5.6 5.6l1.1 1.1", "M17.3 17.3l1.1 1.1", "M18.4 5.6l-1.1 1.1", "M6.7 17.3l-1.1 1.1"],
  moon: ["M19.5 14.2A7.8 7.8 0 0 1 9.8 4.5a7.8 7.8 0 1 0 9.7 9.7z"],
  system: ["M4 5.5h16v10H4z", "M9 19.5h6", "M12 15.5v4"],
  edit: ["M5 19l.8-3.6L15.6 5.6a1.6 1.6 0 0 1 2.3 0l.5.5a1.6 1.6 0 0 1 0 2.3L8.6 18.2z"],
};

/** An element. `options.on` are listeners, `options.text` its text, the rest attributes; false and null leave one out. */
export function el(tag, options = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (name === "text") node.textContent = value;
    else if (name === "on") for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else if (value !== false && value != null) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child != null));
  return node;
}

/** A drawing from the suite's small set, hidden from screen readers. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  for (const d of PATHS[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

/** What this browser remembers; forgets quietly where storage is forbidden. */
export const memory = {
  get(key) {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  },
  set(key, value) {
    try {
      if (value == null) localStorage.removeItem(key);
      else localStorage.setItem(key, value);
    } catch {
      // Nothing to do: the page works without.
    }
  },
};
