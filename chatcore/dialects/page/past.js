// What the next visit should know, kept in the browser: how far each place was read, and what was said to one person
// only (the server shows the past of rooms). All tabs keep it together: each adds to what is there.

import { later, ours } from "./storage.js";

const READ = "chatcore.read";
const PRIVATE = "chatcore.private";
const PRIVATE_LINES = 300;
const PRIVATE_CHARACTERS = 500_000; // browsers give a site some five million
const PLACES = 300; // whose marks are kept
const KEEP_MS = 200; // before the link keeps a position behind them

export class Past {
  constructor() {
    this.marks = {};
    this.log = "";
    this.saveMarks = later(() => this.keepMarks(), KEEP_MS);
    this.saveLines = later(() => this.keepLines(), KEEP_MS);
  }

  // The `seq` up to which a place was read; 0 if it never was.
  read(log, key) {
    const kept = ours.get(READ);
    const before = kept?.log === log ? Number(kept.marks?.[key] ?? 0) : 0;
    return Math.max(before, this.log === log ? (this.marks[key] ?? 0) : 0);
  }

  mark(log, key, seq) {
    if (this.log !== log) this.marks = {};
    this.log = log;
    this.marks[key] = seq;
    this.saveMarks();
  }

  keepMarks() {
    const kept = ours.get(READ);
    const marks = kept?.log === this.log ? kept.marks : {};
    for (const [key, seq] of Object.entries(this.marks)) marks[key] = Math.max(seq, marks[key] ?? 0);
    const newest = Object.entries(marks).sort(([, one], [, other]) => other - one).slice(0, PLACES);
    ours.set(READ, { log: this.log, marks: Object.fromEntries(newest) });
  }

  // The direct messages of a session; those of another one belong to somebody else.
  conversations(sid) {
    const kept = ours.get(PRIVATE);
    return kept?.sid === sid && Array.isArray(kept.lines) ? kept.lines : [];
  }

  keep(sid, places) {
    this.sid = sid;
    this.places = places;
    this.saveLines();
  }

  keepLines() {
    const bySeq = new Map(this.conversations(this.sid).map((line) => [line.seq, line]));
    for (const place of this.places) for (const line of place.lines) if (line.t === "dm") bySeq.set(line.seq, line);
    const newest = [...bySeq.values()].sort((one, other) => other.seq - one.seq).slice(0, PRIVATE_LINES);
    let left = PRIVATE_CHARACTERS;
    const lines = newest.filter((line) => (left -= line.text.length) > 0).reverse();
    ours.set(PRIVATE, { sid: this.sid, lines });
  }

  forget() {
    this.places = [];
    this.sid = "";
    this.marks = {};
    for (const key of [READ, PRIVATE]) ours.remove(key);
  }
}
