// The page: joins the link (bytes), the model (what is known) and the view (what is seen), and takes what people do.

import { Banner } from "./banner.js";
import { Composer } from "./composer.js";
import { Crowd } from "./crowd.js";
import { Door } from "./door.js";
import { Drafts } from "./drafts.js";
import { id } from "./element.js";
import { watchTyping } from "./keyboard.js";
import { Link } from "./link.js";
import { Model } from "./model.js";
import { notify, watchNotify } from "./notify.js";
import { isRoom, isSpeech, MEANWHILE_MOST } from "./place.js";
import { Rooms } from "./rooms.js";
import { Searching } from "./searching.js";
import { closeSides, hasMouse, watchSides } from "./sides.js";
import { Speaking } from "./speaking.js";
import { thisTab } from "./storage.js";
import { dateTime, fold } from "./text.js";
import { titleOf, View } from "./view.js";

const HISTORY_LINES = 50;
const PAGE_LINES = 100;
const ROOMS_RECALLED = 10; // rooms whose past is fetched on a reload; the others when they are opened
const WORDS_MS = 500; // the server's words to those who arrive stand behind the past, which comes at once

const OPEN = "chatcore.open";

const model = new Model((what, place) => {
  view.changed(what, place);
  if (what === "pending") banner.refresh();
});
model.attentive = () => document.visibilityState === "visible" && document.hasFocus() && !door.isOpen;
model.following = () => view.flow.following;

const view = new View(model, {
  open: openByHand,
  speakTo: (alias) => openByHand(`@${alias}`),
  join: (room) => attempt(() => speaking.go({ t: "join", room })),
  older: () => page({ before: model.room.lines[0]?.seq }),
  newer: () => page({ after: model.room.lines.at(-1)?.seq }),
  retry: (line) => speaking.retry(line),
  edit: (line) => speaking.edit(line),
  drop: (line) => speaking.drop(line),
});

const ask = (message) => link.ask(message);
const rooms = new Rooms(ask, () => composer.offerAgain());
const composer = new Composer(id("text"), { people, rooms: () => rooms.names }, () => speaking.enter());
const drafts = new Drafts(composer, model, () => speaking.destination);
const searching = new Searching({ ask, model, view, open, attempt });
const crowd = new Crowd({ ask, model });
const door = new Door((alias, password) => link.join(alias, password));

const link = new Link(`${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/ws`, {
  welcome,
  message: received,
  refused,
  state: stateChanged,
  left(words) {
    model.past.forget();
    model.reset();
    thisTab.remove(OPEN);
    opened = "";
    door.show(link.alias, words);
    drafts.forget();
  },
});

const banner = new Banner(link);
const speaking = new Speaking({ link, model, view, composer, drafts, searching, attempt, trouble, join, latest, moved, open: openByHand });

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
  if (message.t === "crowd") crowd.moved();
  if (mine && (message.t === "join" || message.t === "leave" || message.t === "nick")) {
    remember();
    if (message.t === "join") discover(message.room);
  }
  moved();
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
    model.refused(message.id, message.words, message.code);
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

function stateChanged(state, detail) {
  if (state === "refused") {
    banner.say("");
    door.show(link.alias, detail.words, detail.code);
  } else if (state === "here") {
    banner.say("");
  } else if (state === "waiting") {
    banner.say(detail.words);
  } else if (state === "lost") {
    banner.lost(detail);
    if (door.isOpen) door.say("The server does not answer. Trying again …");
  } else {
    banner.say(door.isOpen ? "" : "Connecting …");
  }
}

// Places

let opened = ""; // as it is kept for a reload

// Another place may be shown now. `along`: what stands in the field was typed for it.
function moved({ along = false } = {}) {
  drafts.show({ along });
  speaking.moved();
  if (!model.room || model.room.name === opened) return;
  opened = model.room.name;
  thisTab.set(OPEN, opened);
}

function open(name, { along = false } = {}) {
  const before = model.room;
  model.open(name);
  moved({ along });
  model.tidy(before);
  closeSides();
  const place = model.room;
  if (isRoom(place) && place.more && !place.lines.length) page({});
  crowd.look();
}

function openByHand(name, { along = false } = {}) {
  open(name, { along });
  if (hasMouse()) id("text").focus();
}

const remember = () => link.remember(model.rooms, model.alias);

// Into a room, without showing it.
async function join(message) {
  const answer = await link.ask(message);
  model.enter(answer);
  model.changed("places");
  remember();
  return answer.room;
}

// Lines before the first, behind the last, or, without either, the latest.
async function page(where) {
  const place = model.room;
  if (place.asking || !isRoom(place)) return;
  const anew = !("after" in where || "before" in where);
  place.meanwhile = [];
  place.asking = attempt(async () => {
    const answer = await link.ask({ t: "history", room: place.name, limit: PAGE_LINES, ...where });
    const last = answer.records.at(-1)?.seq ?? 0;
    if (anew) answer.records.push(...place.meanwhile.filter((record) => record.seq > last));
    model.history(answer, { after: "after" in where, anew });
    if (anew && place.meanwhile.length === MEANWHILE_MOST) place.live = false;
  });
  await place.asking;
  Object.assign(place, { asking: undefined, meanwhile: [] });
}

async function latest() {
  const place = model.room;
  await place.asking; // another page may be on its way, and not reach the end
  if (!place.live && model.room === place) await page({});
  if (model.room === place) view.flow.latest();
}

// Whose names can be completed: first those who spoke here last, then those who are here.
function people() {
  const all = [model.room, ...model.places.values()].filter(Boolean).flatMap((place) => (isRoom(place) ? place.people.aliases : [titleOf(place)]));
  const known = new Set(all);
  const spoke = model.room?.lines.filter(isSpeech).map((line) => line.from).reverse().filter((alias) => known.has(alias)) ?? [];
  return [...new Set([...spoke, ...all])].filter((alias) => fold(alias) !== fold(model.alias));
}

function trouble(words) {
  model.notice(words, "notice error");
}

// Do something that the server may refuse; then its words are shown.
async function attempt(what) {
  try {
    await what();
    return true;
  } catch (error) {
    trouble(error.message);
    return false;
  }
}

// What people press

id("join-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const room = id("join-room").value.trim();
  if (!room) return;
  id("join-room").value = "";
  if (hasMouse()) id("text").focus(); // where whoever types on means the room
  attempt(() => speaking.go({ t: "join", room: room.startsWith("#") ? room : `#${room}` }));
});
id("join-room").addEventListener("focus", () => rooms.look());
id("text").addEventListener("focus", () => rooms.look());

id("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  id("text").focus();
  speaking.enter();
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

function attend() {
  if (model.attentive()) model.attend();
  crowd.look();
}

addEventListener("focus", attend);
document.addEventListener("visibilitychange", attend);

watchTyping(door);
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
