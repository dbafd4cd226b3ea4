// The model: what this page knows of rooms, people and lines. It draws nothing; `changed` tells who does.
//
// A place is a room (`#lobby`) or a conversation with one person (`@Bob`). Its lines are sorted by `seq`; one's own
// lines that are not stored yet stand apart, in `pending`. Memory is bounded: a place that grows lets go of its
// oldest lines, or, while somebody reads back in it, is not `live`: new lines are counted and not kept, and come from
// the server when that person scrolls down again.

import { Past } from "./past.js";
import { isIdle, isRoom, isSpeech, MEANWHILE_MOST, mostSilent, newPlace } from "./place.js";
import { fold, mentions } from "./text.js";

const LINES_KEPT = 1_000; // of a place; older ones come back from the server when they are scrolled to
const LINES_MOST = 1_300; // so many before the oldest go, to do it seldom
const NOTICES_MOST = 200; // words to this person, in one place; /help is 40
const PRIVATE_PLACES = 100; // conversations; the one that was silent longest is closed

const ROOM_ACTS = new Set(["op", "deop", "lock", "unlock", "announce"]);

export class Model {
  // changed(what, place): "places" | "people" | "lines" | "pending" | "unread" | "topic"
  constructor(changed) {
    this.changed = changed;
    this.attentive = () => true; // somebody looks at the page
    this.following = () => true; // and at the end of the place, not at what was said before
    this.past = new Past();
    this.reset();
  }

  reset() {
    this.places = new Map();
    this.alias = "";
    this.sid = "";
    this.log = "";
    this.active = ""; // the key of the place that is shown
    this.operator = false;
    this.mine = { state: "here", text: "" }; // this person's own presence, as far as it was told
    this.catchingUp = false; // what comes now was missed: it is counted when all of it is there
  }

  find(name) {
    return this.places.get(fold(name));
  }

  place(name) {
    let place = this.find(name);
    if (!place) {
      place = newPlace(name, this.past.read(this.log, fold(name)));
      this.places.set(place.key, place);
      if (!isRoom(place)) this.closeSilent();
    }
    return place;
  }

  get room() {
    return this.places.get(this.active);
  }

  get rooms() {
    return [...this.places.values()].filter(isRoom).map((place) => place.name);
  }

  // `returned`: nothing is missing between what is known and what comes next.
  welcome(message, returned) {
    const sameLog = this.log === message.log;
    this.alias = message.alias;
    this.sid = message.sid;
    this.log = message.log;
    if (!returned) {
      this.operator = false;
      for (const place of this.places.values()) this.forget(place, sameLog);
    }
    const there = new Set(message.rooms.map((view) => fold(view.room)));
    for (const place of this.places.values()) if (isRoom(place) && !there.has(place.key)) this.places.delete(place.key);
    for (const view of message.rooms) this.enter(view);
    if (!returned) {
      for (const record of this.past.conversations(this.sid)) this.insert(this.conversation(record), record);
      this.catchingUp = message.resumed;
    }
    if (!this.room) this.active = fold(message.rooms[0]?.room ?? "");
    this.changed("places");
  }

  // The lines come anew; what this person has typed stays.
  forget(place, sameLog) {
    Object.assign(place, { lines: [], notices: [], first: 0, live: true, more: false, beyond: 0, newFrom: null });
    place.version += 1;
    if (!sameLog) Object.assign(place, { unread: 0, mentioned: 0, read: this.past.read(this.log, place.key) });
  }

  // A room as the server tells it: on arriving, on joining, when it is asked.
  enter(view) {
    const place = this.place(view.room);
    place.name = view.room;
    place.topic = view.topic;
    place.entered = true;
    place.people.set(view);
    const me = place.people.who.get(fold(this.alias));
    if (me?.state === "grace") Object.assign(me, this.mine); // the others are told so right after this
    else if (me) this.mine = { state: me.state, text: me.text };
    this.changed("people", place);
    this.changed("topic", place);
    return place;
  }

  leave(name) {
    const place = this.find(name);
    if (!place) return;
    if (this.active === place.key) this.open(this.otherThan(place).name);
    this.places.delete(place.key);
    this.changed("places");
  }

  open(name) {
    if (this.room) this.mark(this.room);
    const place = this.place(name);
    this.active = place.key;
    this.setNew(place, place.unread ? place.read : null);
    place.unread = place.mentioned = 0;
    if (!this.catchingUp) this.mark(place);
    this.changed("places");
  }

  // A conversation in which nothing was said goes when it is left: whom nobody is called is not kept among the people.
  tidy(place) {
    if (!place || place === this.room || !isIdle(place)) return;
    this.places.delete(place.key);
    this.changed("places");
  }

  closeSilent() {
    const all = [...this.places.values()].filter((place) => !isRoom(place));
    if (all.length <= PRIVATE_PLACES) return;
    this.places.delete(mostSilent(all, this.room).key);
  }

  // The conversation that a direct message belongs to; it bears the other one's name as it was last written.
  conversation(record) {
    return this.place(`@${record.sid === this.sid ? record.to : record.from}`);
  }

  // A live record.
  take(record) {
    if (record.sid === this.sid && record.id) this.stored(record.id);
    const place = record.room ? this.find(record.room) : undefined;
    switch (record.t) {
      case "dm":
        this.add(this.conversation(record), record);
        this.past.keep(this.sid, [...this.places.values()].filter((each) => !isRoom(each)));
        return;
      case "join":
        this.came(record);
        return;
      case "leave":
        if (place) this.went(place, record);
        return;
      case "nick":
        this.renamed(place, record);
        return;
      case "topic":
        if (place) place.topic = record.text;
        this.changed("topic", place);
        break;
      case "crowd":
        place?.people.crowd(record);
        this.changed("people", place);
        break;
      case "act":
        this.add(this.placeOfAct(record, place), record);
        return;
      default:
    }
    if (place && ["say", "me", "topic", "crowd"].includes(record.t)) this.add(place, record);
  }

  // What a room reads stands there; the rest is told to this person alone, where that one is, or will be in a moment.
  placeOfAct(record, place) {
    if (place && ROOM_ACTS.has(record.act)) return place;
    return place && place === this.room ? this.otherThan(place) : this.room;
  }

  otherThan(place) {
    return [...this.places.values()].find((each) => each !== place) ?? this.place("#lobby");
  }

  came(record) {
    const place = this.place(record.room);
    place.people.came(record.alias);
    this.changed("people", place);
    this.add(place, record);
  }

  went(place, record) {
    if (record.sid === this.sid && record.why !== "lost") {
      this.leave(record.room);
      return;
    }
    place.people.went(record.alias);
    this.changed("people", place);
    this.add(place, record);
  }

  renamed(place, record) {
    if (record.sid === this.sid) {
      this.alias = record.to;
      this.changed("places");
    } else {
      this.follow(record);
    }
    if (!place) return;
    place.people.renamed(record.from, record.to);
    this.changed("people", place);
    this.add(place, record);
  }

  // A conversation goes on under the other one's new name.
  follow({ from, to }) {
    const place = this.find(`@${from}`);
    if (!place || this.find(`@${to}`)) return;
    const shown = this.active === place.key;
    this.places.delete(place.key);
    place.name = `@${to}`;
    place.key = fold(place.name);
    this.places.set(place.key, place);
    if (shown) this.active = place.key;
    this.changed("places");
  }

  presence(message) {
    if (fold(message.alias) === fold(this.alias) && message.state !== "grace") this.mine = { state: message.state, text: message.text };
    for (const place of this.places.values()) {
      if (place.people.presence(message)) this.changed("people", place);
    }
  }

  // A new line at the end of a place.
  add(place, record) {
    if (place.lines.length && place.lines.at(-1).seq >= record.seq) {
      this.insert(place, record);
      return;
    }
    const seen = !this.catchingUp && place.key === this.active && this.attentive();
    if (isSpeech(record) && record.sid !== this.sid && !seen && !this.catchingUp) this.count(place, record);
    if (place.asking && place.meanwhile.length < MEANWHILE_MOST) place.meanwhile.push(record);
    if (place.live) this.append(place, record);
    else if (isSpeech(record)) place.beyond += 1;
    if (seen) this.mark(place);
    this.changed("lines", place);
  }

  append(place, record) {
    place.lines.push(record);
    if (place.lines.length <= LINES_MOST) return;
    if (place.key === this.active && isRoom(place) && !this.following()) {
      place.live = false;
      return;
    }
    const gone = place.lines.length - LINES_KEPT;
    place.lines.splice(0, gone);
    place.first += gone;
    place.more = isRoom(place);
  }

  count(place, record) {
    // The line that says what is new stays where it was first needed.
    if (place.key === this.active && !place.unread) this.setNew(place, place.read);
    place.unread += 1;
    if (record.t === "dm" || mentions(record.text ?? "", this.alias)) place.mentioned += 1;
    this.changed("unread", place);
  }

  setNew(place, from) {
    if (place.newFrom === from) return;
    place.newFrom = from;
    place.version += 1;
    this.changed("lines", place);
  }

  // A line that stands before others that are here already.
  insert(place, record) {
    if (place.lines.some((line) => line.seq === record.seq)) return;
    place.lines.push(record);
    place.lines.sort((one, other) => one.seq - other.seq);
    place.version += 1;
    this.changed("lines", place);
  }

  // A page of the past: what came on joining, or what was asked for. `after`: it goes on behind the last line.
  history(page, { after = false, anew = false } = {}) {
    const place = this.find(page.room);
    if (!place) return;
    if (anew) this.forget(place, true);
    const known = new Set(place.lines.map((line) => line.seq));
    const records = page.records.filter((record) => !known.has(record.seq));
    const first = place.lines[0]?.seq ?? Infinity;
    place.lines = [...place.lines, ...records].sort((one, other) => one.seq - other.seq);
    if (first < Infinity) place.first -= records.filter((record) => record.seq < first).length;
    place.version += 1;
    if (after) place.live = !page.more;
    else if (!records.length || records[0].seq < first) place.more = page.more;
    if (place.live) place.beyond = 0;
    this.shorten(place, after);
    if (!this.catchingUp && place.key === this.active && this.attentive()) this.mark(place);
    this.changed("lines", place);
  }

  // Whoever scrolls through everything keeps the part that is looked at.
  shorten(place, after) {
    const surplus = place.lines.length - 2 * LINES_KEPT;
    if (surplus <= 0) return;
    if (after) {
      place.lines.splice(0, surplus);
      place.first += surplus;
      place.more = true;
    } else {
      place.lines.length = 2 * LINES_KEPT;
      place.live = false;
    }
  }

  // Lines that are no longer kept by the server.
  gap({ room, missed, next }) {
    const place = this.find(room);
    if (place) this.add(place, { t: "gap", seq: next - 1, missed, room, time: new Date().toISOString() });
  }

  // All that was missed is there: say how much of it is new, and where it begins.
  caughtUp() {
    this.catchingUp = false;
    for (const place of this.places.values()) {
      const missed = place.lines.filter((each) => each.seq > place.read && isSpeech(each) && each.sid !== this.sid);
      const never = !place.read && isRoom(place); // on a first visit nothing is new
      if (never || !missed.length) continue;
      if (place.key === this.active) this.setNew(place, place.read);
      else place.unread = missed.length;
      place.mentioned = isRoom(place) ? missed.filter((each) => mentions(each.text, this.alias)).length : place.unread;
      this.changed("lines", place);
    }
    if (this.room && this.attentive()) this.mark(this.room);
    this.changed("places");
  }

  // Words to this person only. They stand where they were said, behind the line that was the last one.
  notice(words, kind = "notice", place = this.room) {
    if (!place) return;
    const after = place.lines.at(-1)?.seq ?? 0;
    for (const line of words.split("\n")) place.notices.push({ after, words: line, kind });
    place.notices.splice(0, place.notices.length - NOTICES_MOST);
    place.version += 1;
    this.changed("lines", place);
  }

  // One's own lines that are under way.
  sent(line, state = "sent", words = "") {
    const place = this.place(line.t === "dm" ? `@${line.to}` : line.room);
    place.pending.push({ ...line, state, words });
    this.changed("pending", place);
  }

  stored(id) {
    this.settled(id, (place, at) => place.pending.splice(at, 1));
  }

  refused(id, words, code = "") {
    this.settled(id, (place, at) => Object.assign(place.pending[at], { state: "refused", words, code }));
  }

  settled(id, how) {
    for (const place of this.places.values()) {
      const at = place.pending.findIndex((line) => line.id === id);
      if (at < 0) continue;
      how(place, at);
      this.changed("pending", place);
      return;
    }
  }

  isPending(id) {
    return [...this.places.values()].some((place) => place.pending.some((line) => line.id === id));
  }

  mark(place) {
    const last = place.lines.at(-1)?.seq;
    if (!last || last <= place.read) return;
    place.read = last;
    this.past.mark(this.log, place.key, last);
  }

  // Somebody looks again.
  attend() {
    const place = this.room;
    if (!place || !place.unread) return;
    place.unread = place.mentioned = 0;
    this.mark(place);
    this.changed("unread", place);
  }

  get unread() {
    return [...this.places.values()].reduce((sum, place) => sum + place.unread, 0);
  }
}
