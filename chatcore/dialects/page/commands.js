// What begins with a slash. The server knows what commands mean; this only knows the names of their parts, so that
// `/kick Bob being rude` becomes {t: "kick", name: "Bob", text: "being rude"}.

const REST = "…";

// Command → its fields in order; a field that ends in … takes the rest, one in [] may be missing.
const FIELDS = {
  join: ["room", "[topic…]"],
  part: ["[room]"],
  msg: ["to", "text…"],
  me: ["text…"],
  nick: ["alias"],
  topic: ["[text…]"],
  away: ["[text…]"],
  who: [],
  rooms: [],
  help: ["[command]"],
  last: ["from", "[limit]"],
  search: ["text…"],
  quit: ["[text…]"],
  ping: [],
  oper: ["name", "password"],
  kick: ["name", "[text…]"],
  ban: ["name", "[for]", "[text…]"],
  unban: ["name"],
  bans: [],
  mute: ["name", "[for]", "[text…]"],
  unmute: ["name"],
  announce: ["text…"],
  op: ["name"],
  deop: ["name"],
  lock: ["[key]"],
  invite: ["name"],
  modlog: ["[limit]"],
  lag: [],
};

const IN_ROOM = new Set(["part", "topic", "last", "op", "deop", "lock", "invite"]);
const DURATION = /^\d+[smhdw]$/;

export const names = () => Object.keys(FIELDS);

// {say: text} | {command, message} | {error}
export function parse(text, room) {
  if (text.startsWith("//")) return { say: text.slice(1) };
  if (!text.startsWith("/")) return { say: text };
  const [, command, rest] = text.match(/^\/(\S*)\s*([^]*)$/);
  const fields = FIELDS[command];
  if (!fields) return { error: `There is no command /${command}. /help lists them; //${command} says it.` };
  const message = { t: command === "msg" ? "dm" : command };
  let left = rest.trim();
  for (const field of fields) {
    const optional = field.startsWith("[");
    const takesRest = field.includes(REST);
    const name = field.replace(/[[\]…]/g, "");
    const [word] = takesRest ? [left] : left.split(/\s/, 1);
    if (!word) {
      if (optional) break;
      return { error: usage(command, fields) };
    }
    if (name === "for" && !DURATION.test(word)) continue; // no time was given: it is the reason
    if (name === "limit" && !/^\d{1,3}$/.test(word)) return { error: usage(command, fields) };
    message[name] = name === "limit" ? Number(word) : word;
    left = takesRest ? "" : left.slice(word.length).trim();
  }
  if (left) return { error: usage(command, fields) };
  if (command === "join" && !message.room.startsWith("#")) message.room = `#${message.room}`;
  if (IN_ROOM.has(command) && !message.room && room.startsWith("#")) message.room = room;
  return { command, message };
}

function usage(command, fields) {
  const parts = fields.map((field) => field.replace("…", " …").replace(" …]", " …]"));
  return `Usage: /${[command, ...parts].join(" ")}`;
}
