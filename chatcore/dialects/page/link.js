// The link: one WebSocket after the other, and one session over all of them (docs/PROTOCOL.md, "Position and return").
//
// It loses nothing and doubles nothing: a line has its id before it is sent, stays in the outbox until the server
// has acknowledged it, and is sent again with the same id after every return. The highest `seq` read is the position;
// a return asks for what comes after it. All tabs of a browser share the session: its token is kept for them.

import { Outbox } from "./outbox.js";
import { later, ours } from "./storage.js";

const VERSION = 1;
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 30_000;
const PING_EVERY_MS = 25_000; // well below what routers forget an idle connection after
const SILENCE_MS = 12_000; // a ping without an answer for so long is a dead connection
const OPENING_MS = 20_000; // from the first step to the welcome, passwords that are checked one by one included
const KEEP_MS = 1_000; // a position that is a second old only means that a few lines come again
const ANOTHER_TAB_MS = 700; // until another tab of the same person has joined, and kept the token for this one
const ANOTHER_TAB_TRIES = 5;

const SESSION = "chatcore.session";

const TAKEN = new Set(["alias_taken", "alias_looks_like"]);
const PASSING = new Set(["alias_in_grace", "storage_full", "stopping", "flood", "too_many_tries"]);
const OF_A_ROOM = new Set(["room_locked", "no_such_room", "too_many_rooms", "room_not_allowed", "room_too_long", "banned"]);
const FOR_GOOD = new Set(["quit", "kicked", "banned"]); // byes after which nobody should come back by themselves

export class Link {
  // `on`: message(m, asked), welcome(m, returned), refused(m), state(state, detail), left(words)
  constructor(address, on) {
    this.address = address;
    this.on = on;
    this.saved = ours.get(SESSION) ?? {};
    this.outbox = new Outbox();
    this.questions = new Map();
    this.asked = 0;
    this.after = null; // the position; nothing was read yet
    this.joined = false;
    this.wanted = false;
    this.tries = 0; // to connect, since it worked last
    this.hellos = 0; // refused ones, since one was welcome
    this.password = undefined;
    this.stopping = false;
    this.keepSoon = later(() => this.keep(), KEEP_MS);
    addEventListener("online", () => this.now());
    addEventListener("offline", () => this.socket?.close());
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.check());
  }

  get alias() {
    return this.saved.alias ?? "";
  }

  // From the door: a name that somebody typed, or the one from last time.
  join(alias, password) {
    this.saved.alias = alias;
    this.password = password || undefined;
    this.wanted = true;
    this.hellos = 0;
    if (this.socket?.readyState === WebSocket.OPEN) this.hello();
    else this.now();
  }

  // Connect at once, whatever the countdown says.
  now() {
    if (!this.wanted || this.socket) return;
    clearTimeout(this.timer);
    this.connect();
  }

  connect() {
    this.on.state("connecting");
    const socket = new WebSocket(this.address);
    this.socket = socket;
    this.expectWelcome(socket);
    socket.onopen = () => this.hello();
    socket.onmessage = (event) => {
      this.heard = Date.now();
      this.take(JSON.parse(event.data));
    };
    socket.onclose = () => socket === this.socket && this.lost();
  }

  // A network that swallows everything says nothing: neither yes nor no.
  expectWelcome(socket) {
    clearTimeout(this.opening);
    this.opening = setTimeout(() => this.wanted && !this.joined && this.giveUp(socket), OPENING_MS);
  }

  giveUp(socket) {
    if (socket !== this.socket) return;
    socket.onclose = socket.onmessage = socket.onopen = null;
    socket.close();
    this.lost();
  }

  hello() {
    const kept = ours.get(SESSION);
    if (this.saved.token && kept && !kept.token) {
      this.leave("You left in another tab.");
      return;
    }
    if (kept?.token && kept.alias === this.saved.alias && kept.token !== this.saved.token) {
      // Another tab has joined meanwhile: this one is the same person. A position belongs to its session.
      this.saved = kept;
      this.after = null;
    }
    const { alias, token, log, rooms } = this.saved;
    const hello = { t: "hello", v: VERSION, alias, client: "page" };
    if (token) Object.assign(hello, { token, log });
    // A new page goes on where the last one ended, so that direct messages come that were sent in between.
    const position = this.after ?? this.saved.after;
    if (token && position !== undefined) hello.after = position;
    if (rooms?.length) hello.rooms = rooms;
    if (this.password) hello.password = this.password;
    this.write(hello);
  }

  lost() {
    this.socket = null;
    this.joined = false;
    clearInterval(this.pulse);
    clearTimeout(this.opening);
    for (const { reject } of this.questions.values()) reject(new Error("The connection was lost before the answer came."));
    this.questions.clear();
    if (!this.wanted) return;
    const most = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.tries++);
    const wait = most * (0.5 + Math.random() / 2); // not everybody at the same moment
    this.timer = setTimeout(() => this.now(), wait);
    this.on.state("lost", Date.now() + wait);
  }

  // Leave for good: no return, and nothing stays in the browser but the name.
  leave(words = "") {
    this.wanted = false;
    this.saved = { alias: this.saved.alias };
    this.after = null;
    this.keep();
    this.outbox.clear();
    this.socket?.close();
    this.on.left(words);
  }

  write(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  // A question with one answer; rejected when it is refused or the connection goes.
  ask(message) {
    if (!this.joined) return Promise.reject(new Error("There is no connection now. Try again in a moment."));
    const re = `q${++this.asked}`;
    this.write({ ...message, re });
    return new Promise((resolve, reject) => this.questions.set(re, { resolve, reject }));
  }

  // A line that must arrive, once: {t: "say" | "me" | "dm", room | to, text}.
  say(message) {
    const line = this.outbox.add(message);
    if (this.joined) this.post(line);
    return line;
  }

  // Once more, under the same id.
  again(line) {
    this.outbox.settle(line.id);
    const { t, room, to, text, id, time } = line;
    const same = this.outbox.put({ t, room, to, text, id, time });
    if (this.joined) this.post(same);
    return same;
  }

  post({ time, held, ...message }) {
    this.write(message);
  }

  take(message) {
    if (Number.isInteger(message.seq) && message.t !== "welcome" && message.t !== "ack") {
      if (this.after !== null && message.seq <= this.after) return; // seen already
      this.after = message.seq;
      this.keepSoon();
    }
    if (message.t === "gap") this.after = Math.max(this.after ?? 0, message.next - 1);
    const question = this.questions.get(message.re);
    if (question) {
      this.questions.delete(message.re);
      if (message.t === "refused") question.reject(new Error(message.words));
      else question.resolve(message);
    }
    switch (message.t) {
      case "welcome":
        this.welcomed(message);
        break;
      case "refused":
        if (!this.joined) this.turnedAway(message);
        else if (!question) this.on.refused(message);
        break;
      case "bye":
        if (FOR_GOOD.has(message.reason)) this.leave(message.words ?? "");
        else this.stopping = true;
        break;
      case "pong":
        break;
      default:
        this.on.message(message, Boolean(question));
    }
  }

  welcomed(message) {
    this.tries = this.hellos = 0;
    this.joined = true;
    this.stopping = false;
    clearTimeout(this.opening);
    const returned = message.resumed && this.after !== null;
    this.after = message.seq;
    Object.assign(this.saved, { alias: message.alias, token: message.token, log: message.log });
    this.keep();
    this.heard = Date.now();
    clearInterval(this.pulse);
    this.pulse = setInterval(() => this.check(), PING_EVERY_MS);
    this.on.welcome(message, returned);
    this.on.state("here");
    for (const line of this.outbox.lines) if (!line.held) this.post(line);
  }

  // A refused hello: what passes is waited for, what another hello helps with is tried; the rest is for the person.
  turnedAway(message) {
    if (!this.wanted) return; // the door is open; that nobody came through it in time is no news
    const socket = this.socket;
    const again = (delay) => setTimeout(() => socket === this.socket && !this.joined && this.wanted && this.hello(), delay);
    this.expectWelcome(socket);
    this.hellos += 1;
    if (OF_A_ROOM.has(message.code) && this.saved.rooms?.length) {
      this.saved.rooms = undefined; // in there nobody can go any more; the lobby is open
      again(0);
    } else if (TAKEN.has(message.code) && this.saved.token && this.hellos <= ANOTHER_TAB_TRIES) {
      again(ANOTHER_TAB_MS);
    } else if (PASSING.has(message.code) && this.after !== null && message.retry_s) {
      clearTimeout(this.opening);
      this.on.state("waiting", message);
      again(message.retry_s * 1000 + 500);
    } else {
      this.wanted = false;
      this.password = undefined;
      this.on.state("refused", message);
    }
  }

  // A laptop that was asleep has connections that only look alive.
  check() {
    if (!this.joined) return this.now();
    if (Date.now() - this.heard < PING_EVERY_MS) return;
    const asked = Date.now();
    const socket = this.socket;
    this.write({ t: "ping" });
    setTimeout(() => this.heard < asked && this.giveUp(socket), SILENCE_MS);
  }

  // What a later arrival should find again.
  remember(rooms, alias) {
    Object.assign(this.saved, { rooms, alias });
    this.keep();
  }

  keep() {
    if (this.after !== null) this.saved.after = this.after;
    ours.set(SESSION, this.saved);
  }
}
