// The outbox: one's own lines that the server has not acknowledged yet.
//
// Each is kept in the browser, under its id, before it is sent, and goes when it is settled: a page that is reloaded,
// closed or crashes sends it again when it is opened next. Two tabs may send the same line; the server stores an id
// once, so that does no harm.

import { ours } from "./storage.js";

const KEY = "chatcore.line.";
const MOST_LINES = 200; // the server recognises the last 256 ids of a session
const OLD_MS = 10 * 60_000; // of a line that an earlier page left: beyond that, its writer is asked first

// Ids of one session must differ, between its tabs, too.
const random = () => [...crypto.getRandomValues(new Uint8Array(6))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

export class Outbox {
  constructor() {
    this.page = random();
    this.number = 0;
    this.lines = ours.keys(KEY).map((key) => ours.get(key)).filter((line) => line?.id && line.text);
    this.lines.sort((one, other) => one.time.localeCompare(other.time));
    for (const line of this.lines) line.held = Date.now() - new Date(line.time) > OLD_MS;
  }

  // A new line; it has an id and is kept before anybody sends it.
  add(message) {
    if (this.lines.length >= MOST_LINES) throw new Error(`${MOST_LINES} lines are waiting already.`);
    return this.put({ ...message, id: `${this.page}-${++this.number}`, time: new Date().toISOString() });
  }

  // One that was refused or held, under its own id: if it was stored after all, it is not stored again.
  put(line) {
    line.held = false;
    this.lines.push(line);
    ours.set(KEY + line.id, line);
    return line;
  }

  // Stored, refused or given up.
  settle(id) {
    const at = this.lines.findIndex((line) => line.id === id);
    if (at < 0) return undefined;
    ours.remove(KEY + id);
    return this.lines.splice(at, 1)[0];
  }

  clear() {
    for (const key of ours.keys(KEY)) ours.remove(key);
    this.lines = [];
  }
}
