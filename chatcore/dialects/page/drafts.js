// Drafts: what is being typed belongs to the place it is typed in, and is never said in another one unasked.
//
// A place may be left under somebody's fingers: an answer came, or a moderator acted. What was typed for the place
// that one asked to go to goes along. What was written for a place that is gone, or that there was no way into, stays,
// and whoever sends it is asked first: the half of a sentence would be in one place and the other half in another.

import { id } from "./element.js";

export class Drafts {
  constructor(composer, model) {
    this.composer = composer;
    this.model = model;
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
    const typed = composer.text;
    const gone = before && model.places.get(before.key) !== before;
    // Before there is any place, one types for the one that comes.
    if (typed && (gone || along || !before)) {
      if (gone) this.meantFor = before.name;
      if (now?.draft) composer.text = `${now.draft}\n${typed}`;
      return;
    }
    if (before) Object.assign(before, { draft: typed, draftFor: typed && this.meantFor });
    composer.text = now?.draft ?? "";
    this.meantFor = now?.draftFor ?? "";
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
    this.place = undefined;
    this.meantFor = "";
    this.composer.text = "";
  }
}
