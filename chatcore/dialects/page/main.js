// The page: joins the link (bytes), the model (what is known) and the view (what is seen), and takes what people do.

import { parse } from "./commands.js";
import { Composer } from "./composer.js";
import { Door } from "./door.js";
import { id } from "./element.js";
import { Link } from "./link.js";
import { Model } from "./model.js";
import { notify, watchNotify } from "./notify.js";
import { isRoom } from "./place.js";
import { Searching } from "./searching.js";
import { closeSides, hasMouse, watchSides } from "./sides.js";
import { thisTab, throttled } from "./storage.js";
import { count, dateTime, fold, tooLong } from "./text.js";
import { titleOf, View } from "./view.js";
import { answerWords } from "./words.js";

const HISTORY_LINES = 50;
const PAGE_LINES = 100;
const ROOMS_RECALLED = 10; // rooms whose past is fetched on a reload; the others when they are opened
const WORDS_MS = 500; // the server's words to those who arrive stand behind the past, which comes at once
const CROWD_MS = 10_000; // until somebody looks at who is in a room whose crowd changes

const OPEN = "chatcore.open";

const model = new Model((what, place) => view.changed(what, place));
model.attentive = () => document.visibilityState === "visible" && document.hasFocus() && !door.isOpen;
model.following = () => view.flow.following;

const view = new View(model, {
  open: openByHand,
  speakTo: (alias) => openByHand(`@${alias}`),
  join: (room) => attempt(() => join({ t: "join", room })),
  older: () => page({ before: model.room.lines[0]?.seq }),
  newer: () => page({ after: model.room.lines.at(-1)?.seq }),
  retry,
  edit(line) {
    drop(line);
    composer.text = [line.text, composer.text].filter(Boolean).join("\n");
    id("text").focus();
  },
  drop,
});

const composer = new Composer(id("text"), { people, rooms: () => knownRooms }, submit);
const searching = new Searching({ ask: (message) => link.ask(message), model, view, open, attempt });
const door = new Door((alias, password) => link.join(alias, password));

const link = new Link(`${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/ws`, {
  welcome,
  message: received,
  refused,
  state: stateChanged,
  left(words) {
    model.past.forget();
    model.reset();
    composerPlace = "";
    composer.text = "";
    thisTab.remove(OPEN);
    door.show(link.alias, words);
  },
});

// What comes from the server

function welcome(message, returned) {
  const arriving = door.isOpen;
  model.welcome(message, returned);
  door.close();
  remember();
  for (const line of link.outbox.lines) {
    if (model.isPending(line.id)) continue;
    model.sent(line);
    if (line.held) model.refused(line.id, `You wrote this at ${dateTime(line.time)}, and it was not sent. Send it now?`);
  }
  if (!returned) {
    const last = thisTab.get(OPEN) ?? "";
    open(model.find(last) || last.startsWith("@") ? last : (model.room?.name ?? "#lobby"));
    if (message.resumed) recall(message.rooms);
    const words = [message.motd, message.kept].filter(Boolean).join("\n");
    if (words && !message.resumed) setTimeout(() => model.notice(words), WORDS_MS);
  }
  if (arriving) id("text").focus();
}

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
      model.gap(message);
      break;
    default:
      if (!asked) record(message);
  }
}

function record(message) {
  const mine = message.sid === model.sid;
  if (mine && message.id) link.outbox.settle(message.id);
  model.take(message);
  if (message.t === "crowd") freshenSoon();
  if (mine && (message.t === "join" || message.t === "leave" || message.t === "nick")) {
    remember();
    if (message.t === "join") discover(message.room);
  }
  showDraft();
  notify(message, model, openByHand);
}

// Another tab has gone into a room, or this session did while it was away: this one has to be told what is there.
async function discover(room) {
  if (model.find(room)?.entered) return;
  await attempt(async () => {
    const { rooms } = await link.ask({ t: "who", room });
    for (const each of rooms) model.enter(each);
    model.history(await link.ask({ t: "history", room, limit: HISTORY_LINES }));
  });
}

// A line that was sent again is stored. A direct message may not come in any other way: the past has rooms only.
function acknowledged({ id: line, seq }) {
  const sent = link.outbox.settle(line);
  model.stored(line);
  if (sent?.t === "dm") model.take({ ...sent, seq, from: model.alias, sid: model.sid });
}

function refused(message) {
  if (message.id && model.isPending(message.id)) {
    link.outbox.settle(message.id);
    model.refused(message.id, message.words);
  } else {
    trouble(message.words);
  }
}

// After a reload the page is empty, and the session is not.
async function recall(rooms) {
  for (const { room } of rooms.slice(0, ROOMS_RECALLED)) {
    try {
      model.history(await link.ask({ t: "history", room, limit: HISTORY_LINES }));
    } catch {
      break; // the connection went: what is missing is above, and comes when it is scrolled to
    }
  }
  for (const { room } of rooms) {
    const place = model.find(room);
    if (place && !place.lines.length) place.more = true;
  }
  model.caughtUp();
}

let countdown;

function stateChanged(state, detail) {
  clearInterval(countdown);
  if (state === "refused") {
    door.show(link.alias, detail.words, detail.code);
  } else if (state === "here") {
    view.banner("");
  } else if (state === "waiting") {
    view.banner(detail.words);
  } else if (state === "lost") {
    const tell = () => view.banner(lostWords(), `Trying again in ${Math.max(0, Math.ceil((detail - Date.now()) / 1000))} s.`);
    tell();
    countdown = setInterval(tell, 1_000);
    if (door.isOpen) door.say("The server does not answer. Trying again …");
  } else if (!door.isOpen) {
    view.banner("Connecting …");
  }
}

function lostWords() {
  const waiting = link.outbox.lines.length;
  const lines = waiting ? ` ${count(waiting, "line waits", "lines wait")} to be sent.` : "";
  const what = link.stopping ? "The server has stopped." : "Connection lost.";
  return `${what} You can go on typing.${lines}`;
}

// Places

let composerPlace = "";

// What is being typed belongs to the place it is typed in.
function showDraft() {
  if (composerPlace === model.active) return;
  const before = model.places.get(composerPlace);
  if (before) before.draft = composer.text;
  composerPlace = model.active;
  composer.text = model.room?.draft ?? "";
  if (model.room) thisTab.set(OPEN, model.room.name);
}

function open(name) {
  model.open(name);
  showDraft();
  closeSides();
  const place = model.room;
  if (isRoom(place) && place.more && !place.lines.length) page({});
  if (place.people.stale) freshen();
}

function openByHand(name) {
  open(name);
  if (hasMouse()) id("text").focus();
}

const remember = () => link.remember(model.rooms, model.alias);

async function join(message) {
  const answer = await link.ask(message);
  model.enter(answer);
  remember();
  openByHand(answer.room);
}

// Lines before the first, behind the last, or, without either, the latest.
async function page(where) {
  const place = model.room;
  if (place.asking || !isRoom(place)) return;
  place.asking = true;
  await attempt(async () => {
    const answer = await link.ask({ t: "history", room: place.name, limit: PAGE_LINES, ...where });
    model.history(answer, { after: "after" in where, anew: !("after" in where || "before" in where) });
  });
  place.asking = false;
}

async function latest() {
  if (!model.room.live) await page({});
  view.flow.latest();
}

// Of a big room the server names few who come and go, and counts some that were counted on arriving.
const freshenSoon = throttled(() => freshen(), CROWD_MS);

async function freshen() {
  const place = model.room;
  if (!place?.people.stale || !isRoom(place) || !model.attentive()) return;
  await attempt(async () => {
    const { rooms } = await link.ask({ t: "who", room: place.name });
    for (const each of rooms) model.enter(each);
  });
}

// Typing

let knownRooms = [];

async function askRooms() {
  try {
    const { rooms } = await link.ask({ t: "rooms" });
    knownRooms = rooms.map(({ room }) => room);
    id("known-rooms").replaceChildren(...knownRooms.map((value) => Object.assign(document.createElement("option"), { value })));
  } catch {
    // Without the list the name can still be typed.
  }
}

// Whose names can be completed: first those who are here.
function people() {
  const all = [model.room, ...model.places.values()].flatMap((place) => (isRoom(place) ? place.people.aliases : [titleOf(place)]));
  return [...new Set(all)].filter((alias) => fold(alias) !== fold(model.alias));
}

const trouble = (words) => void model.notice(words, "notice error");

// Do something that the server may refuse; then its words are shown.
async function attempt(what) {
  try {
    await what();
    return true;
  } catch (error) {
    return trouble(error.message);
  }
}

async function say(message) {
  if (!model.room.live) await latest();
  if (await attempt(() => model.sent(link.say(message)))) view.flow.latest();
}

function retry(line) {
  drop(line);
  model.sent(link.again(line));
}

function drop(line) {
  link.outbox.settle(line.id);
  model.stored(line.id);
}

async function submit() {
  const typed = composer.text.replace(/\s+$/, "");
  const place = model.room;
  if (!typed.trim() || !place) return;
  const asked = parse(typed, { room: isRoom(place) ? place.name : "", to: isRoom(place) ? "" : titleOf(place), operator: model.operator });
  const wrong = asked.error ?? tooLong(asked.message.text ?? "");
  if (wrong) {
    trouble(wrong); // and nothing is taken from the field
    return;
  }
  composer.text = "";
  if (asked.message.t !== "oper") composer.remember(typed); // a password stays nowhere
  await attempt(() => carryOut(asked.command, asked.message));
}

async function carryOut(command, message) {
  switch (message.t) {
    case "say":
    case "me":
      return say(message);
    case "dm":
      if (command === "msg") openByHand(model.find(`@${message.to}`)?.name ?? `@${message.to}`);
      return say(message);
    case "join":
      return join(message);
    case "part":
      await link.ask(message);
      model.leave(message.room);
      return showDraft();
    case "search":
      return searching.search(message.text);
    case "quit":
      if (!link.joined) return link.leave();
      return link.write(message);
    default:
      return tell(command, await link.ask(message));
  }
}

function tell(command, answer) {
  if (command === "oper") model.operator = true;
  if (command === "who" && answer.rooms) for (const each of answer.rooms) model.enter(each);
  for (const words of answerWords(command, answer)) model.notice(words);
}

// What people press

id("join-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const room = id("join-room").value.trim();
  if (!room) return;
  id("join-room").value = "";
  attempt(() => join({ t: "join", room: room.startsWith("#") ? room : `#${room}` }));
});
id("join-room").addEventListener("focus", askRooms);
id("text").addEventListener("focus", () => knownRooms.length || askRooms());

id("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
  id("text").focus();
});

id("latest").addEventListener("click", async () => {
  await latest();
  (hasMouse() ? id("text") : id("scroll")).focus(); // the button that had the focus is gone
});
id("older").addEventListener("click", () => {
  id("scroll").scrollTop = 0;
  view.flow.scrolled();
  id("scroll").focus();
});
id("banner-now").addEventListener("click", () => {
  link.now();
  id("text").focus();
});

document.addEventListener("keydown", (event) => {
  // Whoever types without having chosen a field means the one for talking.
  const nowhere = document.activeElement === document.body || document.activeElement === id("scroll");
  if (nowhere && !door.isOpen && event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey) id("text").focus();
});

function attend() {
  if (model.attentive()) model.attend();
  freshen();
}

addEventListener("focus", attend);
document.addEventListener("visibilitychange", attend);

watchSides();
watchNotify();
if (link.saved.token) {
  model.alias = link.alias;
  door.close();
  if (hasMouse()) id("text").focus();
  link.join(link.alias);
} else {
  door.show(link.alias);
}
