// The crowd: who is in a big room. The server tells together who came and who went, names two of them, and says how many
// there are now. For the names of the others the page asks seldom, and only for whoever looks: in a crowd every page does.

import { isRoom } from "./place.js";
import { throttled } from "./storage.js";

const SELDOM_MS = 10_000;

export class Crowd {
  // `page`: ask(message), model
  constructor(page) {
    this.page = page;
    this.moved = throttled(() => this.look(), SELDOM_MS); // some came or went
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
