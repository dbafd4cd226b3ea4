// Drafts: what is being typed belongs to the place it is typed in, and is never said in another one unasked.
//
// A place may be left under somebody's fingers: an answer came, or a moderator acted. What was typed for the place
// that one asked to go to goes along. What was written for a place that is gone, or that there was no way into, stays,
// and whoever sends it is asked first: the half of a sentence would be in one place and the other half in another.
//
// A tab that is reloaded finds its drafts again: they are written down when it goes, and struck out when it is back.

import { id } from "./element.js";
import { thisTab } from "./storage.js";

const KEY = "chatcore.drafts";
const SECRET = /^\/oper(?=\s|$)/; // a password stays nowhere

export class Drafts {
  // `destination()` is the room that what stands in the field waits for; empty mostly.
  constructor(composer, model, destination) {
    this.composer = composer;
    this.model = model;
    this.destination = destination;
    this.kept = new Map(thisTab.get(KEY) ?? []); // [draft, draftFor] by the key of a place that was not shown yet
    thisTab.remove(KEY);
    addEventListener("pagehide", () => this.keep());
    document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && this.keep());
    this.place = undefined; // where the field belongs to
    this.meantFor = ""; // the name of another place, while what was written for it stands in the field
    id("text").addEventListener("input", () => this.composer.text || (this.meantFor = ""));
  }

  // Another place may be shown now. `along`: what stands in the field was typed for it.
  show({ along = false } = {}) {
    const { composer, model, place: before } = this;
    const now = model.room;
    if (before === now) return;
    this.place = now;
    this.recall(now);
    const typed = composer.text;
    const gone = before && model.places.get(before.key) !== before;
    // Before there is any place, one types for the one that comes.
    if (typed && (gone || along || !before)) {
      if (gone) this.meantFor = before.name;
      if (now?.draft) composer.text = `${now.draft}\n${typed}`;
      if (now?.draft && !gone) this.meantFor = now.draftFor;
      return;
    }
    if (before) Object.assign(before, { draft: typed, draftFor: typed && this.meantFor });
    composer.text = now?.draft ?? "";
    this.meantFor = now?.draftFor ?? "";
  }

  recall(place) {
    const [draft, draftFor] = this.kept.get(place?.key) ?? [];
    if (!draft || place.draft) return;
    Object.assign(place, { draft, draftFor });
    this.kept.delete(place.key);
  }

  keep() {
    const all = new Map(this.kept);
    for (const place of this.model.places.values()) if (place.draft) all.set(place.key, [place.draft, place.draftFor]);
    if (this.place) all.set(this.place.key, [this.composer.text, this.destination() || this.meantFor]);
    thisTab.set(KEY, [...all].filter(([, [draft]]) => draft && !SECRET.test(draft)));
  }

  // What was typed in `place` while a room was asked for that is not opened.
  notFor(place, room) {
    if (place === this.place) this.meantFor = this.composer.text && room;
    else place.draftFor = place.draft && room;
  }

  // The words to ask with, once, before what stands in the field is said here.
  question(here) {
    const other = this.meantFor;
    this.meantFor = "";
    return other && `You wrote this for ${other}. Press Enter again to say it in ${here}.`;
  }

  forget() {
    this.kept.clear();
    thisTab.remove(KEY);
    this.place = undefined;
    this.meantFor = "";
    this.composer.text = "";
  }
}
