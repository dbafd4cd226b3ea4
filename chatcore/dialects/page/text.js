// What texts look like: times, names, links. Pure functions; the only place that knows what is unsafe to show.

// Control characters and everything that reorders text would let one line forge another.
const UNSAFE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

export function safe(text) {
  return text.replace(UNSAFE, (each) => (each === "\t" ? "    " : "\ufffd"));
}

// http and https only: a javascript: or data: address is text like any other. Quotation marks end one, and so does the
// punctuation of Chinese and Japanese, which stands without a space: 「https://example.org/」。
const ADDRESS = /\bhttps?:\/\/[^\s<>"'`{}|\\^“”„«»\u3001-\u3003\u3008-\u3011\u3014-\u301b\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f\uff61-\uff64]+/gi;
const TRAILING = ".,:;!?)]}…";

// The text in parts: strings, and {address} for what can be opened.
export function linked(text) {
  const parts = [];
  let at = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const address = trimmed(match[0]);
    if (!openable(address)) continue;
    if (match.index > at) parts.push(text.slice(at, match.index));
    parts.push({ address });
    at = match.index + address.length;
  }
  if (at < text.length) parts.push(text.slice(at));
  return parts;
}

// Without the punctuation of the sentence it stands in; a bracket that was opened inside belongs to it: /Room_(chat)
function trimmed(address) {
  const opened = address.split("(").length;
  while (TRAILING.includes(address.at(-1)) && !(address.at(-1) === ")" && address.split(")").length <= opened)) {
    address = address.slice(0, -1);
  }
  return address;
}

function openable(address) {
  try {
    const url = new URL(address);
    return (url.protocol === "http:" || url.protocol === "https:") && url.hostname !== "" && url.username === "";
  } catch {
    return false;
  }
}

const clockFormat = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const dayFormat = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const dateFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

export const clock = (time) => clockFormat.format(new Date(time));
export const dateTime = (time) => dateFormat.format(new Date(time));
export const dayKey = (time) => new Date(time).toDateString();

export function dayName(time) {
  const then = new Date(time);
  const today = new Date();
  if (then.toDateString() === today.toDateString()) return "Today";
  today.setDate(today.getDate() - 1);
  return then.toDateString() === today.toDateString() ? "Yesterday" : dayFormat.format(then);
}

// Names are compared case-folded; the server does it exactly, this is for finding only.
export const fold = (name) => name.normalize("NFC").toLowerCase();

// Without case and accents, as one types when in a hurry.
export const bare = (name) => fold(name).normalize("NFD").replace(/\p{M}/gu, "");

const HUES = 12;

// A steady colour for a name: one of twelve hues, whose lightness the style sheet chooses for light and dark.
export function hue(name) {
  let sum = 7;
  for (const each of fold(name)) sum = (sum * 31 + each.codePointAt(0)) % 65521;
  return sum % HUES;
}

// Is the name said in the text, as a word of its own?
export function mentions(text, name) {
  if (!name) return false;
  const words = fold(text);
  const wanted = fold(name);
  for (let at = words.indexOf(wanted); at >= 0; at = words.indexOf(wanted, at + 1)) {
    const before = words.slice(0, at).at(-1) ?? " ";
    const after = words.at(at + wanted.length) ?? " ";
    if (!isWord(before) && !isWord(after)) return true;
  }
  return false;
}

const isWord = (character) => /[\p{L}\p{N}_]/u.test(character);

export function count(number, one, many) {
  return `${number.toLocaleString()} ${number === 1 ? one : many}`;
}

const TEXT_BYTES = 4_096; // docs/PROTOCOL.md, "Limits"
const TEXT_LINES = 256;

// Why a text cannot be sent; empty if it can.
export function tooLong(text) {
  const bytes = new TextEncoder().encode(text).length;
  if (bytes > TEXT_BYTES) return `This is ${bytes.toLocaleString()} bytes long; one message holds ${TEXT_BYTES.toLocaleString()}. Send it in parts.`;
  const lines = text.split("\n").length;
  return lines > TEXT_LINES ? `This has ${lines.toLocaleString()} lines; one message holds ${TEXT_LINES}. Send it in parts.` : "";
}
