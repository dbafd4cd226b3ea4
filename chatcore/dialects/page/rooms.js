// The rooms there are, as far as the server lists them: what `/join #…` and the field for joining offer.

import { id } from "./element.js";

const FRESH_MS = 5_000; // so long an answer is good enough for whoever goes on typing

export class Rooms {
  // `found` is called when there are others than before.
  constructor(ask, found) {
    this.ask = ask;
    this.found = found;
    this.known = [];
    this.asked = -Infinity; // when, in milliseconds
  }

  get names() {
    this.look();
    return this.known;
  }

  async look() {
    if (Date.now() - this.asked < FRESH_MS) return;
    this.asked = Date.now();
    try {
      const { rooms } = await this.ask({ t: "rooms" });
      const names = rooms.map(({ room }) => room);
      if (names.join() === this.known.join()) return;
      this.known = names;
      id("known-rooms").replaceChildren(...names.map((value) => Object.assign(document.createElement("option"), { value })));
      this.found();
    } catch {
      this.asked = -Infinity; // without the list the name can still be typed
    }
  }
}
