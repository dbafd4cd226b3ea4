// The page: joins the link (bytes), the model (what is known) and the view (what is seen), and takes what people type.

import { parse } from "./commands.js";
import { Composer } from "./composer.js";
import { Link } from "./link.js";
import { Model } from "./model.js";
import { clock, count, fold, mentions, safe } from "./text.js";
import { View } from "./view.js";

const HISTORY_LINES = 50;
const OLDER_LINES = 100;
const AROUND_LINES = 60; // shown around a line that was found
const ROOMS_RECALLED = 10; // rooms whose past is fetched on a reload

const id = (name) => document.getElementById(name);
const text = id("text");

const composer = new Composer(text, () => others(), submit);
const others = () => [...(model.room?.people.values() ?? [])].map((person) => person.alias).filter((alias) => fold(alias) !== fold(model.alias));

const model = new Model((what, place) => view.changed(what, place));
model.attentive = () => document.visibilityState === "visible" && document.hasFocus();

const view = new View(model, {
  open,
  older,
  latest,
  retry(line) {
    drop(line);
    say(line.t, line.text, line.room, line.to);
  },
  drop,
  speakTo(alias) {
    closeSides();
    open(`@${alias}`);
    text.focus();
  },
});

const scheme = location.protocol === "https:" ? "wss:" : "ws:";
const link = new Link(`${scheme}//${location.host}/ws`, {
  welcome(message, returned) {
    const first = !id("house").hidden;
    model.welcome(message, returned);
    showHouse();
    link.rooms(message.rooms.map((view_) => view_.room));
    if (!returned) restore(message);
    if (message.resumed && !returned) recall(message.rooms);
    const words = [message.motd, message.kept].filter(Boolean).join("\n");
    if (words && !returned && !message.resumed) setTimeout(() => view.say(words), 0);
    if (!first) text.focus();
  },
  message: received,
  refused(message) {
    if (message.id) {
      link.settle(message.id);
      model.refused(message.id, message.words);
    } else {
      view.say(message.words, "notice error");
    }
  },
  state: stateChanged,
});

// What comes from the server

function received(message, asked) {
  switch (message.t) {
    case "ack":
      acknowledged(message);
      break;
    case "history":
      if (!asked) model.history(message);
      break;
    case "presence":
      model.presence(message);
      break;
    case "gap":
      view.say(`${count(message.missed, "line is", "lines are")} no longer kept.`);
      break;
    case "bye":
      if (message.words) view.say(message.words, "notice error");
      if (message.reason !== "stopping" && message.reason !== "storage") showDoor(message.words ?? "");
      break;
    case "ok":
    case "search":
    case "pong":
      break;
    default:
      if (message.sid === model.sid && message.id) link.settle(message.id);
      model.take(message);
      if (message.t === "join" && message.sid === model.sid) link.rooms([...model.places.keys()].filter((name) => name[0] === "#"));
      if (message.t === "leave" && message.sid === model.sid) link.rooms([...model.places.keys()].filter((name) => name[0] === "#"));
      notify(message);
  }
}

// A line that was sent again is stored. A direct message may not come in any other way: the past has rooms only.
function acknowledged({ id: line, seq }) {
  const sent = link.settle(line);
  model.stored(line);
  if (sent?.t === "dm") model.take({ ...sent, seq, from: model.alias, sid: model.sid });
}

// Lines of the last visit that were not acknowledged are under way again.
function restore(message) {
  for (const line of link.outbox) {
    const known = [...model.places.values()].some((place) => place.pending.some((each) => each.id === line.id));
    if (!known) model.sent(line);
  }
  const last = sessionStorage.getItem("chatcore.open");
  open(last && (model.places.has(last) || last[0] === "@") ? last : message.rooms[0]?.room ?? "#lobby");
}

// After a reload the page is empty, and the session is not.
async function recall(rooms) {
  for (const { room } of rooms.slice(0, ROOMS_RECALLED)) {
    try {
      model.history(await link.ask({ t: "history", room, limit: HISTORY_LINES }));
    } catch {
      break; // the connection went: the return brings it
    }
  }
  model.caughtUp();
}

let countdown;

function stateChanged(state, detail) {
  clearInterval(countdown);
  if (state === "refused") {
    showDoor(detail.words, detail.code);
  } else if (state === "here") {
    view.banner("");
  } else if (state === "lost") {
    const tell = () => {
      const seconds = Math.max(0, Math.ceil((detail - Date.now()) / 1000));
      const waiting = link.outbox.length ? ` ${count(link.outbox.length, "line waits", "lines wait")} to be sent.` : "";
      view.banner(`Connection lost. Trying again in ${seconds} s; you can go on typing.${waiting}`, true);
    };
    tell();
    countdown = setInterval(tell, 1_000);
    if (id("house").hidden) doorError("The server does not answer. Trying again …");
  } else if (!id("house").hidden) {
    view.banner("Connecting …");
  }
}

// The door

function showDoor(words = "", code = "") {
  id("door").hidden = false;
  id("house").hidden = true;
  id("door-host").textContent = location.host;
  id("door-alias").value ||= link.alias;
  const password = code === "password_needed" || code === "password_wrong";
  if (password) id("door-password-part").hidden = false;
  doorError(words);
  id(password ? "door-password" : "door-alias").focus();
}

function doorError(words) {
  id("door-error").textContent = words;
  id("door-go").disabled = false;
}

function showHouse() {
  id("door").hidden = true;
  id("house").hidden = false;
}

id("door-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const alias = id("door-alias").value.trim();
  if (!alias) return;
  doorError("");
  id("door-go").disabled = true;
  link.join(alias, id("door-password").value);
});

// Places

function open(name) {
  if (model.room) model.room.draft = composer.text;
  model.open(name);
  sessionStorage.setItem("chatcore.open", name);
  composer.text = model.room.draft;
  closeSides();
}

async function join(room, topic) {
  const message = { t: "join", room };
  if (topic) message.topic = topic;
  const view_ = await link.ask(message);
  model.enter(view_);
  link.rooms([...model.places.keys()].filter((name) => name[0] === "#"));
  open(view_.room);
}

async function older() {
  const place = model.room;
  if (place.asking || !place.name.startsWith("#")) return;
  place.asking = true;
  try {
    model.history(await link.ask({ t: "history", room: place.name, before: place.lines[0]?.seq, limit: OLDER_LINES }));
  } catch (error) {
    view.say(error.message, "notice error");
  }
  place.asking = false;
}

// Back to the end, from older lines or from a line that was found.
async function latest() {
  const place = model.room;
  if (!place.live) {
    place.live = true;
    place.lines = [];
    model.history(await link.ask({ t: "history", room: place.name, limit: OLDER_LINES }));
  }
  view.missedBelow = 0;
  id("scroll").scrollTop = id("scroll").scrollHeight;
}

id("join-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const room = id("join-room").value.trim();
  if (!room) return;
  try {
    await join(room.startsWith("#") ? room : `#${room}`);
    id("join-room").value = "";
  } catch (error) {
    view.say(error.message, "notice error");
  }
});

id("join-room").addEventListener("focus", async () => {
  try {
    const { rooms } = await link.ask({ t: "rooms" });
    id("known-rooms").replaceChildren(...rooms.map(({ room }) => Object.assign(document.createElement("option"), { value: room })));
  } catch {
    // Without the list the name can still be typed.
  }
});

// Saying things

function say(kind, words, room, to) {
  try {
    const line = link.say(to ? { t: "dm", to, text: words } : { t: kind, room, text: words });
    model.sent(line);
    view.missedBelow = 0;
    id("scroll").scrollTop = id("scroll").scrollHeight;
  } catch (error) {
    view.say(error.message, "notice error");
  }
}

function drop(line) {
  link.settle(line.id);
  model.stored(line.id);
}

async function submit() {
  const typed = composer.text.replace(/\s+$/, "");
  if (!typed.trim()) return;
  const place = model.room;
  const asked = parse(typed, place.name);
  if (asked.error) {
    view.say(asked.error, "notice error");
    return;
  }
  composer.text = "";
  if (asked.say !== undefined) {
    composer.remember(typed);
    const to = place.name.startsWith("@") ? place.name.slice(1) : undefined;
    say("say", asked.say, place.name, to);
    return;
  }
  if (asked.command !== "oper") composer.remember(typed); // a password stays nowhere
  try {
    await carryOut(asked.command, asked.message, place);
  } catch (error) {
    view.say(error.message, "notice error");
  }
}

async function carryOut(command, message, place) {
  switch (command) {
    case "me":
      return say("me", message.text, place.name, place.name.startsWith("@") ? place.name.slice(1) : undefined);
    case "msg":
      say("dm", message.text, undefined, message.to);
      return open(`@${message.to}`);
    case "join":
      return join(message.room, message.topic);
    case "part":
      await link.ask(message);
      return model.leave(message.room);
    case "search":
      return search(message.text);
    case "quit":
      return link.write(message);
    default:
      return tell(command, await link.ask(message));
  }
}

function tell(command, answer) {
  if (answer.commands) {
    for (const each of answer.commands) if (each.usage) view.say(`${each.usage} — ${each.summary}`);
  } else if (command === "rooms") {
    for (const each of answer.rooms) view.say(`${each.room} (${each.people}) ${each.topic}`);
    if (answer.more) view.say(`and ${answer.more} more`);
  } else if (command === "who") {
    for (const each of answer.rooms) view.say(`In ${each.room}: ${each.people.map((person) => person.alias).join(", ")}`);
  } else if (answer.t === "history" || answer.t === "modlog") {
    for (const each of answer.records) view.say(`${clock(each.time)} ${each.from ?? each.alias}: ${each.act ?? ""} ${each.to ?? ""} ${each.text ?? ""}`);
    if (!answer.records.length) view.say("Nothing was found.");
  } else if (answer.words) {
    view.say(answer.words);
  } else if (answer.topic !== undefined && command === "topic") {
    view.say(answer.topic ? `Topic: ${answer.topic}` : "There is no topic. Set one: /topic words");
  } else if (answer.t === "pong") {
    view.say("pong");
  } else if (Array.isArray(answer.bans) || Array.isArray(answer.readers)) {
    const rows = answer.bans ?? answer.readers;
    for (const each of rows) view.say(Object.values(each).join(" "));
    if (!rows.length) view.say("None.");
  } else if (answer.state) {
    view.say(answer.state === "away" ? "You are away." : "You are back.");
  }
}

// Searching

async function search(words) {
  try {
    view.found(words, await link.ask({ t: "search", text: words, limit: 50 }), openFound);
  } catch (error) {
    view.say(error.message, "notice error");
  }
}

async function openFound(record) {
  id("found").hidden = true;
  if (!record.room) {
    open(`@${fold(record.from) === fold(model.alias) ? record.to : record.from}`);
    requestAnimationFrame(() => requestAnimationFrame(() => view.point(record.seq)));
    return;
  }
  open(record.room);
  const place = model.room;
  if (!place.lines.some((line) => line.seq === record.seq)) {
    const half = AROUND_LINES / 2;
    const before = await link.ask({ t: "history", room: record.room, before: record.seq + 1, limit: half });
    const after = await link.ask({ t: "history", room: record.room, after: record.seq, limit: half });
    place.live = !after.more;
    place.lines = [];
    model.history({ ...before, records: [...before.records, ...after.records] });
  }
  requestAnimationFrame(() => requestAnimationFrame(() => view.point(record.seq)));
}

id("search-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const words = id("search-words").value.trim();
  if (words) search(words);
});
id("found-close").addEventListener("click", () => {
  id("found").hidden = true;
  text.focus();
});

id("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
  text.focus();
});

// Sides, notifications, attention

function closeSides() {
  for (const name of ["rooms-side", "people-side"]) id(name).classList.remove("open");
  id("show-rooms").setAttribute("aria-expanded", "false");
  id("show-people").setAttribute("aria-expanded", "false");
}

function toggleSide(name, button) {
  const opened = !id(name).classList.contains("open");
  closeSides();
  id(name).classList.toggle("open", opened);
  button.setAttribute("aria-expanded", String(opened));
  if (opened) id(name).querySelector("button")?.focus();
}

id("show-rooms").addEventListener("click", (event) => toggleSide("rooms-side", event.currentTarget));
id("show-people").addEventListener("click", (event) => toggleSide("people-side", event.currentTarget));
for (const button of document.querySelectorAll("[data-close]")) button.addEventListener("click", closeSides);
document.addEventListener("keydown", (event) => event.key === "Escape" && closeSides());

const wantsNotes = () => localStorage.getItem("chatcore.notify") === "yes" && globalThis.Notification?.permission === "granted";

id("notify").addEventListener("click", async () => {
  const on = wantsNotes();
  if (!on && globalThis.Notification) await Notification.requestPermission();
  localStorage.setItem("chatcore.notify", on ? "no" : "yes");
  showNotify();
});

function showNotify() {
  const button = id("notify");
  button.hidden = !globalThis.Notification;
  button.setAttribute("aria-pressed", String(wantsNotes()));
  button.textContent = wantsNotes() ? "Notifications on" : "Notify me";
}

function notify(message) {
  if (model.attentive() || !wantsNotes() || message.sid === model.sid || message.text === undefined) return;
  if (message.t !== "dm" && !(message.t === "say" && mentions(message.text, model.alias))) return;
  new Notification(safe(`${message.from}${message.room ? ` in ${message.room}` : ""}`), { body: safe(message.text), tag: message.room ?? message.from });
}

function attend() {
  const place = model.room;
  if (!place || !model.attentive() || !place.unread) return;
  place.unread = place.mentioned = 0;
  model.mark(place);
  view.changed("unread", place.name);
}

addEventListener("focus", attend);
document.addEventListener("visibilitychange", attend);
id("banner-now").addEventListener("click", () => link.now());

showNotify();
if (link.saved.token) {
  model.alias = link.alias;
  link.join(link.alias);
  showHouse();
  view.banner("Connecting …");
} else {
  showDoor();
}
