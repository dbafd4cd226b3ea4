// The view: draws what the model knows. It asks nobody and decides nothing.
//
// Drawing happens once a frame, however much has come: a burst of 2,000 lines is a few frames of work.

import { button, id, make, sync } from "./element.js";
import { Flow } from "./flow.js";
import { textParts } from "./lines.js";
import { isRoom } from "./place.js";
import { count, fold, hue, safe } from "./text.js";

const HIDDEN_MS = 200; // between two drawings in a tab that nobody sees
const BADGE_MOST = 999;

export class View {
  // `on`: open(place), speakTo(alias), and what the flow asks for
  constructor(model, on) {
    this.model = model;
    this.on = on;
    this.flow = new Flow(model, on);
    this.stale = new Set();
    this.shown = null;
  }

  // Something has changed: draw it with the next frame. Frames stop in a hidden tab, so a timer helps out.
  changed(what, place) {
    const elsewhere = place !== undefined && place !== this.model.room;
    this.stale.add(elsewhere ? "places" : what);
    if (this.due) return;
    this.due = true;
    const draw = () => this.due && this.draw();
    if (document.visibilityState === "visible") requestAnimationFrame(draw);
    else setTimeout(draw, HIDDEN_MS);
  }

  draw() {
    this.due = false;
    const stale = this.stale;
    this.stale = new Set();
    const place = this.model.room;
    if (!place) return;
    const all = this.shown !== place || stale.has("places");
    this.shown = place;
    if (all || stale.has("unread")) this.places();
    if (all || stale.has("topic")) this.head(place);
    if (all || stale.has("people")) this.people(place);
    if (all || stale.has("lines") || stale.has("pending")) this.flow.draw(place);
    document.title = `${this.model.unread ? `(${this.model.unread}) ` : ""}${safe(titleOf(place))} – chatcore`;
  }

  // Rooms and conversations

  places() {
    const all = [...this.model.places.values()].sort((one, other) => compareNames(one.name, other.name));
    const privates = all.filter((place) => !isRoom(place));
    sync(id("rooms"), all.filter(isRoom).map((place) => this.placeRow(place)));
    sync(id("privates"), privates.map((place) => this.placeRow(place)));
    id("private-head").hidden = !privates.length;
    id("elsewhere").hidden = !all.some((place) => place.unread && place !== this.model.room);
    id("me").textContent = `You are ${safe(this.model.alias)}`;
  }

  placeRow(place) {
    const active = place === this.model.room;
    const look = [place.name, place.unread, place.mentioned, active].join(" ");
    return { key: place.key, look, make: () => make("li", {}, this.placeButton(place, active)) };
  }

  placeButton(place, active) {
    const item = button({ class: "place", "aria-current": active ? "true" : undefined, title: safe(titleOf(place)) },
      () => this.on.open(place.name), make("span", { class: "place-name", dir: "auto" }, safe(titleOf(place))));
    if (place.unread) {
      item.append(make("span", { class: place.mentioned ? "badge mentioned" : "badge" },
        place.unread > BADGE_MOST ? `${BADGE_MOST}+` : String(place.unread), make("span", { class: "unseen" }, " new")));
    }
    return item;
  }

  head(place) {
    const title = safe(titleOf(place));
    const topic = safe(isRoom(place) ? place.topic : "Private, but kept by this server.");
    const label = isRoom(place) ? `Say something in ${title}` : `Say something to ${title}`;
    id("room-name").textContent = title;
    id("room-name").title = title;
    if (id("room-topic").title !== topic) id("room-topic").replaceChildren(...textParts(topic));
    id("room-topic").title = topic;
    id("text").placeholder = label;
    id("text-label").textContent = label;
    id("show-people").hidden = id("people-side").hidden = !isRoom(place);
  }

  people(place) {
    const order = { here: 0, away: 1, grace: 2 };
    const people = [...place.people.who.values()].sort(
      (one, other) => order[one.state] - order[other.state] || compareNames(one.alias, other.alias));
    const rows = people.map((person) => this.personRow(person));
    const others = place.people.count - people.length;
    const words = `and ${count(others, "other", "others")}`;
    if (others > 0) rows.push({ key: "others", look: words, make: () => make("li", { class: "small others" }, words) });
    id("people-count").textContent = place.people.count.toLocaleString();
    id("people-head").textContent = `${count(place.people.count, "person", "people")} here`;
    sync(id("people"), rows);
  }

  personRow({ alias, state, text }) {
    const me = fold(alias) === fold(this.model.alias);
    const words = { here: "", away: text ? `away: ${safe(text)}` : "away", grace: "connection lost" }[state];
    return { key: `person ${fold(alias)}`, look: [alias, words, me].join(" "), make: () => make("li", {}, this.person(alias, state, words, me)) };
  }

  person(alias, state, words, me) {
    const parts = [
      make("span", { class: "dot", "aria-hidden": "true" }),
      make("span", { class: "name", dir: "auto" }, safe(alias)),
    ];
    if (me) parts.push(make("span", { class: "small" }, "you"));
    if (words) parts.push(make("span", { class: "small state" }, words));
    const attributes = { class: `person ${state}`, "data-hue": hue(alias), title: [safe(alias), words].filter(Boolean).join(", ") };
    return me ? make("span", attributes, ...parts) : button(attributes, () => this.on.speakTo(alias), ...parts);
  }
}

// As people would sort them: room2 before room10.
const compareNames = new Intl.Collator(undefined, { numeric: true }).compare;

export const titleOf = (place) => (isRoom(place) ? place.name : place.name.slice(1));
