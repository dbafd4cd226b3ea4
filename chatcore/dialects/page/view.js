// The view: draws what the model knows. It asks nobody and decides nothing; everything typed goes in as text
// (`textContent`), never as markup.
//
// Drawing happens once a frame, however much has come: a burst of 2,000 lines is a few frames of work.

import { clock, count, dateTime, dayKey, dayName, fold, hue, linked, mentions, safe } from "./text.js";

const LINES_SHOWN = 400; // in the document at once; older ones come back on scrolling up
const GROUP_MS = 5 * 60_000; // lines of one person closer than this stand under one name
const NEAR_END_PX = 80; // so close to the end counts as reading along

const id = (name) => document.getElementById(name);

// An element with attributes (`class`, `title`, …) and children, which are texts or elements.
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

export class View {
  // `on`: open(place), retry(line), drop(line), older(), latest(), speakTo(alias)
  constructor(model, on) {
    this.model = model;
    this.on = on;
    this.stale = new Set();
    this.shownPlace = null;
    this.shownFrom = 0; // index of the first line in the document
    this.drawn = 0; // index behind the last one
    this.missedBelow = 0;
    id("scroll").addEventListener("scroll", () => this.scrolled(), { passive: true });
    id("latest").addEventListener("click", () => on.latest());
    id("older").addEventListener("click", () => this.older());
  }

  // Something has changed: draw it with the next frame. Frames stop in a hidden tab, so a timer helps out.
  changed(what, place) {
    if (place !== undefined && place !== this.model.active && ["lines", "added", "pending", "topic"].includes(what)) what = "places";
    this.stale.add(what);
    if (this.due) return;
    this.due = true;
    const draw = () => this.due && this.draw();
    if (document.visibilityState === "visible") requestAnimationFrame(draw);
    else setTimeout(draw, 200);
  }

  draw() {
    this.due = false;
    const stale = this.stale;
    this.stale = new Set();
    const place = this.model.room;
    if (!place) return;
    const moved = this.shownPlace !== place;
    if (moved || stale.has("places") || stale.has("unread")) this.places();
    if (moved || stale.has("places") || stale.has("topic")) this.head(place);
    if (moved || stale.has("people") || stale.has("places")) this.people(place);
    if (moved || stale.has("lines")) this.lines(place, moved);
    else if (stale.has("added") || stale.has("pending")) this.added(place, stale.has("pending"));
    this.shownPlace = place;
    document.title = `${this.model.unread ? `(${this.model.unread}) ` : ""}${safe(title(place))} – chatcore`;
  }

  // Rooms and conversations

  places() {
    const all = [...this.model.places.values()];
    const byName = (one, other) => one.name.localeCompare(other.name);
    const rooms = all.filter((place) => place.name.startsWith("#")).sort(byName);
    const privates = all.filter((place) => place.name.startsWith("@")).sort(byName);
    id("rooms").replaceChildren(...rooms.map((place) => this.placeItem(place)));
    id("privates").replaceChildren(...privates.map((place) => this.placeItem(place)));
    id("private-head").hidden = !privates.length;
    const elsewhere = all.some((place) => place.unread && place.name !== this.model.active);
    id("elsewhere").hidden = !elsewhere;
    id("me").textContent = `You are ${this.model.alias}`;
  }

  placeItem(place) {
    const active = place.name === this.model.active;
    const button = make("button", { type: "button", class: "place", "aria-current": active ? "true" : undefined },
      make("span", { class: "place-name" }, safe(title(place))));
    if (place.unread) {
      const words = `${place.unread} new`;
      button.append(make("span", { class: place.mentioned ? "badge mentioned" : "badge", title: words },
        String(Math.min(place.unread, 999)), make("span", { class: "unseen" }, " new")));
    }
    button.addEventListener("click", () => this.on.open(place.name));
    return make("li", {}, button);
  }

  head(place) {
    const isRoom = place.name.startsWith("#");
    id("room-name").textContent = safe(title(place));
    id("room-topic").textContent = safe(isRoom ? place.topic : "Only the two of you read this.");
    id("room-topic").title = place.topic;
    const label = isRoom ? `Say something in ${title(place)}` : `Say something to ${title(place)}`;
    id("text").placeholder = safe(label);
    id("text-label").textContent = safe(label);
    id("show-people").hidden = id("people-side").hidden = !isRoom;
  }

  people(place) {
    const order = { here: 0, away: 1, grace: 2 };
    const people = [...place.people.values()].sort(
      (one, other) => order[one.state] - order[other.state] || one.alias.localeCompare(other.alias));
    id("people-count").textContent = place.count.toLocaleString();
    id("people-head").textContent = `${count(place.count, "person", "people")} here`;
    const items = people.map((person) => this.personItem(person));
    const others = place.count - people.length;
    if (others > 0) items.push(make("li", { class: "small" }, `and ${count(others, "other", "others")}`));
    id("people").replaceChildren(...items);
  }

  personItem(person) {
    const me = fold(person.alias) === fold(this.model.alias);
    const words = { here: "", away: person.text ? `away: ${safe(person.text)}` : "away", grace: "connection lost" }[person.state];
    const button = make("button", { type: "button", class: `person ${person.state}`, "data-hue": hue(person.alias), title: words || undefined },
      make("span", { class: "dot", "aria-hidden": "true" }),
      make("span", { class: "name" }, safe(person.alias)));
    if (me) button.append(make("span", { class: "small" }, " you"));
    if (words) button.append(make("span", { class: "small state" }, words));
    if (!me) button.addEventListener("click", () => this.on.speakTo(person.alias));
    button.disabled = me;
    return make("li", {}, button);
  }

  // Lines

  get atEnd() {
    const scroll = id("scroll");
    return scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR_END_PX;
  }

  // Draw the place from its end, or, when lines were put before those shown, keep what is being read in its place.
  lines(place, moved) {
    const scroll = id("scroll");
    const log = id("log");
    const reading = !moved && !this.atEnd;
    const below = scroll.scrollHeight - scroll.scrollTop;
    const shown = reading ? Math.max(LINES_SHOWN, this.drawn - this.shownFrom + 100) : LINES_SHOWN;
    this.shownFrom = Math.max(0, place.lines.length - shown);
    this.drawn = place.lines.length;
    // A whole place is not read out; what comes after it is.
    log.setAttribute("aria-busy", "true");
    log.replaceChildren(...this.drawLines(place, this.shownFrom, this.drawn), ...this.drawPending(place));
    log.setAttribute("aria-busy", "false");
    if (!place.lines.length && !place.pending.length) log.append(make("p", { class: "nothing" }, emptyWords(place)));
    if (moved) this.missedBelow = 0;
    const mark = moved && log.querySelector(".new-line");
    if (mark) mark.scrollIntoView({ block: "center" });
    else scroll.scrollTop = reading ? scroll.scrollHeight - below : scroll.scrollHeight;
    this.edges(place);
  }

  added(place, pendingToo) {
    const log = id("log");
    const follow = this.atEnd;
    log.querySelector(".nothing")?.remove();
    for (const old of log.querySelectorAll(".pending")) old.remove();
    if (this.drawn > place.lines.length || place.lines.length - this.shownFrom > LINES_SHOWN * 2 && follow) {
      this.lines(place, false); // the model has let go of old lines, or there are too many
      return;
    }
    const fresh = place.lines.length - this.drawn;
    log.append(...this.drawLines(place, this.drawn, place.lines.length), ...this.drawPending(place));
    this.drawn = place.lines.length;
    if (follow) id("scroll").scrollTop = id("scroll").scrollHeight;
    else if (fresh && !pendingToo) this.missedBelow += fresh;
    this.edges(place);
  }

  edges(place) {
    id("older").hidden = !(this.shownFrom > 0 || place.more);
    const latest = id("latest");
    latest.hidden = this.atEnd && place.live;
    latest.textContent = this.missedBelow ? `↓ ${this.missedBelow} new` : "↓ Jump to the latest";
  }

  drawLines(place, from, to) {
    const elements = [];
    let before = place.lines[from - 1];
    for (let at = from; at < to; at++) {
      const line = place.lines[at];
      if (!before || dayKey(before.time) !== dayKey(line.time)) elements.push(dayLine(line.time));
      if (place.newFrom !== null && line.seq > place.newFrom && (!before || before.seq <= place.newFrom)) elements.push(newLine());
      elements.push(this.drawLine(line, before));
      before = line;
    }
    return elements;
  }

  drawLine(line, before) {
    if (line.text === undefined || !["say", "me", "dm"].includes(line.t)) {
      return make("p", { class: "event", "data-seq": line.seq }, timeOf(line), make("span", {}, safe(eventWords(line))));
    }
    const follows = before && before.t === line.t && before.sid === line.sid && before.from === line.from && line.t !== "me" &&
      new Date(line.time) - new Date(before.time) < GROUP_MS && dayKey(before.time) === dayKey(line.time);
    const mine = line.sid === this.model.sid;
    const said = mentions(line.text, this.model.alias) && !mine;
    const name = make("span", { class: "name", "data-hue": hue(line.from) }, safe(line.from));
    const classes = ["line", follows ? "follows" : "", said ? "mentioned" : "", line.t === "me" ? "act" : ""].join(" ").trim();
    const text = make("span", { class: "text" }, ...textParts(line.text));
    const element = make("div", { class: classes, "data-seq": line.seq }, timeOf(line), name, text);
    if (mine) element.append(make("span", { class: "tick", title: "Stored" }, "✓", make("span", { class: "unseen" }, " stored")));
    return element;
  }

  drawPending(place) {
    return place.pending.map((line) => {
      const refused = line.state === "refused";
      const element = make("div", { class: `line pending ${line.state}` }, timeOf(line),
        make("span", { class: "name", "data-hue": hue(this.model.alias) }, safe(this.model.alias)),
        make("span", { class: "text" }, ...textParts(line.text)));
      if (!refused) {
        element.append(make("span", { class: "tick", title: "Not stored yet" }, "…", make("span", { class: "unseen" }, " not stored yet")));
        return element;
      }
      const retry = make("button", { type: "button", class: "quiet" }, "Try again");
      retry.addEventListener("click", () => this.on.retry(line));
      const drop = make("button", { type: "button", class: "quiet" }, "Remove");
      drop.addEventListener("click", () => this.on.drop(line));
      element.append(make("span", { class: "refusal", role: "alert" }, `! ${safe(line.words)} `, retry, drop));
      return element;
    });
  }

  scrolled() {
    const place = this.model.room;
    if (!place) return;
    if (this.atEnd) this.missedBelow = 0;
    if (id("scroll").scrollTop < 60 && this.drawn) this.older();
    this.edges(place);
  }

  // Older lines: first those that the model has, then the server's.
  older() {
    const place = this.model.room;
    if (this.shownFrom > 0) {
      const scroll = id("scroll");
      const below = scroll.scrollHeight - scroll.scrollTop;
      const from = Math.max(0, this.shownFrom - 100);
      const elements = this.drawLines(place, from, this.shownFrom);
      this.shownFrom = from;
      id("log").setAttribute("aria-busy", "true");
      id("log").prepend(...elements);
      id("log").setAttribute("aria-busy", "false");
      scroll.scrollTop = scroll.scrollHeight - below;
      this.edges(place);
    } else if (place.more) {
      this.on.older();
    }
  }

  // Words to this person only, in the flow.
  say(words, kind = "notice") {
    const follow = this.atEnd;
    const lines = words.split("\n").map((line) => make("p", { class: kind }, safe(line)));
    id("log").append(...lines);
    if (follow) id("scroll").scrollTop = id("scroll").scrollHeight;
  }

  found(words, page, open) {
    id("found").hidden = false;
    const number = count(page.records.length, "line", "lines");
    id("found-head").textContent = page.records.length ? `${number} with “${safe(words)}”${page.more ? ", the newest" : ""}` : `Nothing with “${safe(words)}”`;
    id("found-lines").replaceChildren(...page.records.map((record) => {
      const where = record.room ?? "Messages";
      const button = make("button", { type: "button", class: "found-line" },
        make("span", { class: "small" }, `${dateTime(record.time)} · ${safe(where)}`),
        make("span", {}, make("b", {}, safe(record.from)), ` ${safe(record.text)}`));
      button.addEventListener("click", () => open(record));
      return make("li", {}, button);
    }));
    id("found-close").focus();
  }

  // Bring a line into view and show which one it is.
  point(seq) {
    const line = id("log").querySelector(`[data-seq="${Number(seq)}"]`);
    if (!line) return false;
    line.scrollIntoView({ block: "center" });
    line.classList.add("pointed");
    setTimeout(() => line.classList.remove("pointed"), 3_000);
    return true;
  }

  banner(words, canRetry = false) {
    id("banner").hidden = !words;
    id("banner-words").textContent = words;
    id("banner-now").hidden = !canRetry;
  }
}

const title = (place) => (place.name.startsWith("@") ? place.name.slice(1) : place.name);

const emptyWords = (place) =>
  place.name.startsWith("#") ? "Nothing was said here yet. Say hello!" : `Nothing was said yet between you and ${safe(title(place))}.`;

const timeOf = (line) => make("time", { datetime: line.time, title: dateTime(line.time) }, clock(line.time));
const dayLine = (time) => make("p", { class: "day" }, make("span", {}, dayName(time)));
const newLine = () => make("p", { class: "new-line", role: "separator" }, make("span", {}, "New since you left"));

function textParts(text) {
  return linked(text).map((part) =>
    typeof part === "string" ? safe(part)
      : make("a", { href: part.address, target: "_blank", rel: "noopener noreferrer nofollow" }, safe(part.address)));
}

function eventWords(line) {
  switch (line.t) {
    case "join":
      return `${line.alias} came in`;
    case "leave":
      if (line.why === "lost") return `${line.alias} lost the connection`;
      return `${line.alias} left${line.text ? ` (${line.text})` : ""}`;
    case "nick":
      return `${line.from} is now known as ${line.to}`;
    case "topic":
      return line.text ? `${line.from} set the topic: ${line.text}` : `${line.from} cleared the topic`;
    case "crowd":
      return [crowdWords(line.joined, "came in"), crowdWords(line.left, "left")].filter(Boolean).join("; ");
    case "act":
      return actWords(line);
    default:
      return "";
  }
}

function crowdWords(group, did) {
  if (!group.aliases.length) return "";
  const others = group.more ? ` and ${count(group.more, "other", "others")}` : "";
  return `${group.aliases.join(", ")}${others} ${did}`;
}

function actWords({ act, from, to, text }) {
  const why = text ? ` (${text})` : "";
  const words = {
    announce: `Announcement from ${from}: ${text}`,
    op: `${from} made ${to} a moderator`,
    deop: `${from} took the moderation from ${to}`,
    lock: `${from} locked the room: it needs a key now`,
    unlock: `${from} opened the room again`,
    mute: `${from} muted ${to}${why}`,
    unmute: `${from} lets ${to} speak again`,
    invite: `${from} invites ${to}`,
  };
  return words[act] ?? `${from}: ${act} ${to ?? ""}${why}`;
}
