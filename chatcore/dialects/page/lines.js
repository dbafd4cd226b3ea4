// Single lines of the flow as elements: what was said, what happened, days, notices, what is under way.

import { button, make } from "./element.js";
import { clock, dateTime, dayKey, dayName, hue, linked, mentions, safe } from "./text.js";
import { eventWords } from "./words.js";

const GROUP_MS = 5 * 60_000; // lines of one person closer than this stand under one name

const SAID = new Set(["say", "me", "dm"]);

export function lineElement(line, before, model, on) {
  if (!SAID.has(line.t)) return eventElement(line, model, on);
  const mine = line.sid === model.sid;
  const classes = ["line"];
  if (belongsTo(before, line)) classes.push("follows");
  if (!mine && mentions(line.text, model.alias)) classes.push("mentioned");
  if (line.t === "me") classes.push("act");
  const element = make("div", { class: classes.join(" "), "data-seq": line.seq }, timeElement(line), nameElement(line.from), textElement(line.text));
  if (mine) element.append(make("span", { class: "tick", title: "Stored" }, "✓", make("span", { class: "unseen" }, " stored")));
  return element;
}

function belongsTo(before, line) {
  return before && line.t !== "me" && before.t === line.t && before.sid === line.sid && before.from === line.from &&
    new Date(line.time) - new Date(before.time) < GROUP_MS && dayKey(before.time) === dayKey(line.time);
}

function eventElement(line, model, on) {
  const classes = line.act === "announce" ? "event announced" : "event";
  const words = make("span", {}, ...textParts(eventWords(line, model.alias)));
  const element = make("p", { class: classes, "data-seq": line.seq }, timeElement(line), words);
  if (line.act === "invite" && line.room) {
    words.append(" ", button({ class: "quiet" }, () => on.join(line.room), `Go to ${safe(line.room)}`));
  }
  return element;
}

export function pendingElement(line, model, on) {
  const refused = line.state === "refused";
  const element = make("div", { class: `line pending ${line.state}` }, timeElement(line), nameElement(model.alias), textElement(line.text));
  if (!refused) {
    element.append(make("span", { class: "tick", title: "Not stored yet" }, "…", make("span", { class: "unseen" }, " not stored yet")));
    return element;
  }
  element.append(make("span", { class: "refusal" },
    make("span", { role: "alert" }, `! ${safe(line.words)} `),
    button({ class: "quiet" }, () => on.retry(line), "Try again"),
    button({ class: "quiet" }, () => on.edit(line), "Edit"),
    button({ class: "quiet" }, () => on.drop(line), "Remove")));
  return element;
}

export const noticeElement = ({ words, kind }) => make("p", { class: kind }, ...textParts(words));
export const dayElement = (time) => make("p", { class: "day" }, make("span", {}, dayName(time)));
export const newElement = () => make("p", { class: "new-line", role: "separator" }, make("span", {}, "New since you left"));

const nameElement = (alias) => make("span", { class: "name", "data-hue": hue(alias), dir: "auto" }, safe(alias));
const textElement = (text) => make("span", { class: "text", dir: "auto" }, ...textParts(text));
const timeElement = (line) => make("time", { datetime: line.time, title: dateTime(line.time) }, clock(line.time));

// Texts and links; a link shows its whole address.
export function textParts(text) {
  return linked(text).map((part) =>
    typeof part === "string" ? safe(part)
      : make("a", { href: part.address, target: "_blank", rel: "noopener noreferrer nofollow" }, safe(part.address)));
}
