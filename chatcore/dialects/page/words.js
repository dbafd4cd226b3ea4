// Sentences: what happened in a room, and what the server answers to a command. Pure functions.

import { clock, count, dateTime, fold } from "./text.js";

// What stands in the flow for a record that nobody said. `me` is this person's alias.
export function eventWords(line, me) {
  switch (line.t) {
    case "join":
      return `${line.alias} came in`;
    case "leave":
      return leaveWords(line);
    case "nick":
      return `${line.from} is now known as ${line.to}`;
    case "topic":
      return line.text ? `${line.from} set the topic: ${line.text}` : `${line.from} cleared the topic`;
    case "crowd":
      return [crowdWords(line.joined, "came in"), crowdWords(line.left, "left")].filter(Boolean).join("; ");
    case "gap":
      if (!line.missed) return "what was said before this is no longer kept";
      return `${count(line.missed, "line is", "lines are")} missing here: the server keeps no more than these`;
    case "act":
      return actWords(line, me);
    default:
      return "";
  }
}

function leaveWords({ alias, why, text }) {
  if (why === "lost") return `${alias} lost the connection`;
  return `${alias} left${text ? ` (${text})` : ""}`;
}

function crowdWords(group, did) {
  if (!group.aliases.length) return "";
  const others = group.more ? ` and ${count(group.more, "other", "others")}` : "";
  return `${group.aliases.join(", ")}${others} ${did}`;
}

// Something that a moderator or an operator did; whom it concerns reads “you”.
function actWords({ act, from, to, text, room, time, until }, me = "") {
  const whom = to && me && fold(to) === fold(me) ? "you" : to;
  const why = text ? ` (${text})` : "";
  const span = until ? ` for ${spanWords(new Date(until) - new Date(time))}` : "";
  const where = room ?? "the server";
  const words = {
    announce: `Announcement from ${from}: ${text}`,
    kick: `${from} kicked ${whom} out of ${where}${why}`,
    ban: `${from} banned ${whom} from ${where}${span}${why}`,
    unban: `${from} took back the ban of ${whom} from ${where}`,
    mute: `${from} muted ${whom}${span}${why}`,
    unmute: `${from} lets ${whom} speak again`,
    op: `${from} made ${whom} a moderator`,
    deop: `${from} took the moderation from ${whom}`,
    lock: `${from} locked the room: it needs a key now`,
    unlock: `${from} opened the room again`,
    invite: `${from} invites ${whom} to ${where}`,
    oper: `${from} became the operator ${to}`,
  };
  return words[act] ?? `${from}: ${act} ${to ?? ""}${why}`;
}

const UNITS = [[86_400, "day", "days"], [3_600, "hour", "hours"], [60, "minute", "minutes"], [1, "second", "seconds"]];

function spanWords(ms) {
  const seconds = Math.max(1, Math.round(ms / 1000));
  const [size, one, many] = UNITS.find(([unit]) => seconds >= unit && seconds % unit === 0) ?? UNITS.find(([unit]) => seconds >= unit);
  return count(Math.round(seconds / size), one, many);
}

// The answer to a command, as lines for the person who asked that.
export function answerWords(command, answer, asked) {
  if (answer.commands) return answer.commands.filter((each) => each.usage).map((each) => `${each.usage} — ${each.summary}`);
  if (answer.bans) return listWords(answer.bans.map(banWords), "Nobody is banned here.");
  if (answer.readers) return listWords(answer.readers.map(readerWords), "Everybody is up to date.");
  if (answer.records) return listWords(answer.records.map(recordWords), "There is nothing.");
  switch (command) {
    case "rooms":
      return [...answer.rooms.map(roomWords), ...(answer.more ? [`and ${count(answer.more, "other room", "other rooms")}`] : [])];
    case "who":
      return answer.rooms.map(whoWords);
    case "topic":
      if (answer.topic === undefined) return [];
      return [answer.topic ? `Topic: ${answer.topic}` : "There is no topic. Set one: /topic words"];
    case "away":
      return [answer.state === "away" ? `You are away: ${asked.text}. /away brings you back.` : "You are back."];
    case "oper":
      return [`You are an operator now: ${answer.operator}.`];
    case "ping":
      return ["The server answers."];
    case "nick":
    case "op":
    case "deop":
    case "lock":
      return answer.words ? [answer.words] : []; // everybody reads it in the room
    default:
      return [answer.words || DONE[command]?.(answer) || "Done."];
  }
}

const DONE = {
  kick: ({ alias, room }) => `${alias} was put out of ${room ?? "the server"}.`,
  ban: ({ name, room }) => `${name} is banned from ${room ?? "the server"}. /bans lists who is.`,
  unban: ({ name }) => `${name} is no longer banned.`,
  mute: ({ name }) => `${name} is muted.`,
  unmute: ({ name }) => `${name} may speak again.`,
  invite: ({ alias, room }) => `${alias} is invited to ${room}.`,
  announce: ({ rooms }) => `Announced in ${count(rooms, "room", "rooms")}.`,
};

const listWords = (lines, none) => (lines.length ? lines : [none]);
const roomWords = ({ room, people, topic, locked }) => `${room} (${locked ? "locked" : people})${topic ? ` ${topic}` : ""}`;
const banWords = ({ name, by, until, text }) => `${name}${until ? ` until ${dateTime(until)}` : ""}, by ${by}${text ? ` (${text})` : ""}`;
const readerWords = ({ alias, dialect, lines, seconds }) =>
  `${alias || "somebody at the door"} (${dialect}): ${count(lines, "line", "lines")}, ${Math.round(seconds)} s behind`;

function whoWords({ room, people, count: all }) {
  const others = (all ?? people.length) - people.length;
  return `In ${room}: ${people.map((person) => person.alias).join(", ")}${others > 0 ? ` and ${count(others, "other", "others")}` : ""}`;
}

function recordWords(record) {
  if (record.t === "act") return `${dateTime(record.time)} ${actWords(record)}`;
  return `${clock(record.time)} ${record.t === "me" ? `* ${record.from} ${record.text}` : `${record.from}: ${record.text}`}`;
}
