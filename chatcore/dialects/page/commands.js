// What is typed, as the message it means. The server knows what commands do; this only knows the names of their
// parts, so that `/kick Bob being rude` becomes {t: "kick", name: "Bob", text: "being rude"}.

// Command → its fields in order. One in [] may be missing, one that ends in … takes the rest; a room is a word with
// its #, `for` a word that looks like a time, and one with a word in capitals stands behind its own name.
const FIELDS = {
  help: ["[command]"],
  join: ["room", "[topic or key…]"],
  part: ["[#room]"],
  msg: ["to", "text…"],
  me: ["text…"],
  nick: ["alias"],
  topic: ["[text…]"],
  away: ["[text…]"],
  who: ["[#room]"],
  rooms: [],
  history: ["[limit]", "[since MOMENT]", "[before SEQ]", "[after SEQ]"],
  last: ["from", "[limit]"],
  search: ["text…"],
  quit: ["[text…]"],
  ping: [],
  oper: ["name", "password…"],
  kick: ["name", "[#room]", "[text…]"],
  ban: ["name", "[#room]", "[for]", "[text…]"],
  unban: ["name", "[#room]"],
  bans: ["[#room]"],
  mute: ["name", "[for]", "[text…]"],
  unmute: ["name"],
  announce: ["text…"],
  op: ["name", "[#room]"],
  deop: ["name", "[#room]"],
  lock: ["[key]"],
  invite: ["name", "[#room]"],
  modlog: ["[limit]"],
  lag: [],
};

const AS = { topicorkey: "topic" }; // what the server calls it: it takes one for the other, as the room needs it

// Without a room, these mean the one that is shown; the second kind only from somebody who is no operator, because an
// operator without a room means the whole server.
const IN_ROOM = new Set(["part", "topic", "history", "last", "op", "deop", "lock", "invite", "who"]);
const IN_THE_HOUSE = new Set(["kick", "ban", "unban", "bans"]);

// These mean nothing where there is none: in a conversation. (To part from one is to close it.)
export const NEED_ROOM = new Set(["topic", "history", "last", "op", "deop", "lock", "invite"]);

const SPAN = /^\d{1,6}[smhdw]$/;
const PRIVATE = /^\s*\/(msg|oper)(?=\s|$)/im; // at the beginning of any line; their words are for nobody else
const NUMBERS = { limit: /^\d{1,3}$/, before: /^\d{1,15}$/, after: /^\d{1,15}$/ };

export const names = () => Object.keys(FIELDS);

// `where`: the room that is shown, or "" and `to`, the person one talks with; whether one is an operator.
// A command stands at the very beginning: behind a space, or on a later line, it is said as it stands. Unless its words
// are private: then it is a mistake.
// {command, message} | {error}
export function parse(typed, where) {
  if (!typed.startsWith("/")) {
    const inside = typed.match(PRIVATE)?.[1].toLowerCase();
    if (inside) return { error: `This would say a /${inside} aloud. A command begins the text; to say it, put a word before it.` };
    return spoken("say", typed, where);
  }
  if (typed.startsWith("//")) return spoken("say", typed.slice(1), where);
  const [, command, rest] = typed.match(/^\/(\S*)\s*([^]*)$/);
  if (!Object.hasOwn(FIELDS, command)) return { error: `There is no command /${command}. /help lists them; //${command} says it.` };
  const message = fill(command, rest.trim());
  if (!message) return { error: `Usage: ${usage(command)}` };
  if (command === "me") return spoken("me", message.text, where);
  if (command === "join" && !message.room.startsWith("#")) message.room = `#${message.room}`;
  if (IN_ROOM.has(command) || (IN_THE_HOUSE.has(command) && !where.operator)) message.room ??= where.room || undefined;
  return { command, message };
}

function spoken(kind, text, { room, to }) {
  return { command: kind, message: to ? { t: "dm", to, text } : { t: kind, room, text } };
}

// The fields from the words; undefined if they do not fit.
function fill(command, words) {
  const message = { t: command === "msg" ? "dm" : command };
  let left = words;
  for (const field of FIELDS[command]) {
    const name = field.replace(/[^a-z]/g, "");
    const takesRest = field.includes("…");
    const [, key, rest] = / [A-Z]+\]$/.test(field) ? (left.match(/^([a-z]+)\s+([^]+)$/) ?? []) : [, name, left];
    const word = takesRest ? rest : rest?.split(/\s/, 1)[0];
    const fits = key === name && word && !(field.includes("#") && !word.startsWith("#")) &&
      !(name === "for" && !SPAN.test(word)) && !(NUMBERS[name] && !NUMBERS[name].test(word));
    if (!fits && field.startsWith("[")) continue;
    if (!fits) return undefined;
    message[AS[name] ?? name] = NUMBERS[name] ? Number(word) : word;
    left = takesRest ? "" : rest.slice(word.length).trim();
  }
  return left ? undefined : message;
}

const usage = (command) => `/${[command, ...FIELDS[command].map((field) => field.replace("…", " …"))].join(" ")}`;
