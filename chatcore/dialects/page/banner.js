// The banner: what is the matter with the connection, for how long, and what waits for it.

import { id } from "./element.js";
import { count } from "./text.js";

export class Banner {
  constructor(link) {
    this.link = link;
    this.retryAt = 0; // when the link tries again, in milliseconds; 0 unless it waits for that
  }

  say(words) {
    clearInterval(this.countdown);
    this.retryAt = 0;
    this.draw(words);
  }

  lost(retryAt) {
    this.say("");
    this.retryAt = retryAt;
    this.refresh();
    this.countdown = setInterval(() => this.refresh(), 1_000);
  }

  // Time has passed, or another line waits.
  refresh() {
    if (!this.retryAt) return;
    const waiting = this.link.outbox.lines.length;
    const lines = waiting ? ` ${count(waiting, "line waits", "lines wait")} to be sent.` : "";
    const what = this.link.stopping ? "The server has stopped." : "Connection lost.";
    const seconds = Math.max(0, Math.ceil((this.retryAt - Date.now()) / 1000));
    this.draw(`${what} You can go on typing.${lines}`, `Trying again in ${seconds} s.`);
  }

  // The countdown is for the eyes: a screen reader says the words, once.
  draw(words, countdown = "") {
    id("banner").hidden = !words;
    if (id("banner-words").textContent !== words) id("banner-words").textContent = words;
    id("banner-count").textContent = countdown;
    id("banner-now").hidden = !countdown;
  }
}
