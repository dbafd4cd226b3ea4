// Who is in a room, as far as it is listed: the server names the first hundred of a big room, and counts the others.
// `who` holds {alias, state, text} by folded alias; `count` says how many there are.
//
// After a return the welcome tells who is there now, and then come the records of what happened meanwhile: each
// function here takes what is known already without counting it twice.

import { fold } from "./text.js";

const MOST_LISTED = 200; // beyond that nobody reads a list of names

export class People {
  constructor() {
    this.who = new Map();
    this.count = 0;
    this.stale = false; // a crowd came or went, and only two of it were named
  }

  // A view of a room, as `welcome`, `join` and `who` give it.
  set(view) {
    this.who = new Map(view.people.slice(0, MOST_LISTED).map((person) => [fold(person.alias), person]));
    this.count = view.count ?? view.people.length;
    this.stale = false;
  }

  came(alias) {
    if (this.who.has(fold(alias))) return;
    this.count += 1;
    if (this.who.size < MOST_LISTED) this.who.set(fold(alias), { alias, state: "here" });
  }

  went(alias) {
    const listed = this.who.delete(fold(alias));
    if (listed || this.count > this.who.size) this.count -= 1;
  }

  renamed(from, to) {
    const person = this.who.get(fold(from));
    if (!person) return;
    this.who.delete(fold(from));
    if (this.who.has(fold(to))) this.count -= 1;
    else this.who.set(fold(to), { ...person, alias: to });
  }

  crowd({ left, count = this.count }) {
    for (const alias of left.aliases) this.who.delete(fold(alias));
    this.count = count;
    this.stale = true;
  }

  presence({ alias, state, text }) {
    const person = this.who.get(fold(alias));
    if (person) Object.assign(person, { state, text });
    return Boolean(person);
  }

  get aliases() {
    return [...this.who.values()].map((person) => person.alias);
  }
}
