/* Text arithmetic. Knows strings only. */

/** The UTF-16 index of a code point offset: the server counts code points, strings here count UTF-16 units. */
export function utf16Offset(text, codePoints) {
  let at = 0;
  for (let left = codePoints; left > 0 && at < text.length; left -= 1) at += text.codePointAt(at) > 0xffff ? 2 : 1;
  return at;
}

/** Where a citation's quote stands in its document's text, as UTF-16 [start, end]; null if the text no longer has it. */
export function locate(text, { start, end, quote }) {
  const from = utf16Offset(text, start);
  const to = from + utf16Offset(text.slice(from), end - start);
  if (text.slice(from, to) === quote) return [from, to];
  const found = quote ? text.indexOf(quote) : -1;
  return found < 0 ? null : [found, found + quote.length];
}

/** Split an answer at its markers: strings, and numbers for [n]. */
export function pieces(text) {
  const found = [];
  let last = 0;
  for (const match of text.matchAll(/\[(\d{1,3})\]/g)) {
    if (match.index > last) found.push(text.slice(last, match.index));
    found.push(Number(match[1]));
    last = match.index + match[0].length;
  }
  if (last < text.length) found.push(text.slice(last));
  return found;
}

/** The answer as it is read aloud: without markers. */
export function spoken(text) {
  return pieces(text).filter((piece) => typeof piece === "string").join("").replace(/\s+/g, " ").trim();
}
