// The crowd: how many are in a big room. The server tells together who came and who went, and names two of them.
//
// The view of a room has the exact count, and each notice changes it. The first notices after arriving or coming back
// tell of people whom that view has counted already, so the page asks who is there a moment later. After that it asks
// seldom, and only for whoever looks: in a crowd every page does so.

import { isRoom } from "./place.js";
import { throttled } from "./storage.js";

const ARRIVED_MS = 1_000; // the server gathers for 250 ms; what was missed comes at once
const SOON_MS = 1_000; // so that what was gathered meanwhile has been told
const SELDOM_MS = 10_000;

export class Crowd {
  // `page`: ask(message), model
  constructor(page) {
    this.page = page;
    this.since = -Infinity; // when this person arrived or came back, in milliseconds
    this.lookSoon = throttled(() => this.look(), SOON_MS);
    this.lookSeldom = throttled(() => this.look(), SELDOM_MS);
  }

  arrived() {
    this.since = Date.now();
  }

  // Some came or went.
  moved() {
    if (Date.now() - this.since < ARRIVED_MS) this.lookSoon();
    else this.lookSeldom();
  }

  async look() {
    const { ask, model } = this.page;
    const place = model.room;
    if (!place?.people.stale || !isRoom(place) || !model.attentive()) return;
    try {
      const { rooms } = await ask({ t: "who", room: place.name });
      for (const each of rooms) model.enter(each);
    } catch {
      // Nobody has asked for it: the next look is as good, and a return brings a new view.
    }
  }
}
