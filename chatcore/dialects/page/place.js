// A place: a room, or a conversation with one person. What belongs to it, as `model.js` changes and `flow.js` draws it.

import { People } from "./people.js";
import { fold } from "./text.js";

export const isRoom = (place) => place.name.startsWith("#");

// Whether a record is something that somebody said: that counts as new, what merely happened does not.
export const isSpeech = (record) => record.t === "say" || record.t === "me" || record.t === "dm" || record.act === "announce";

// Whether it is a conversation in which nothing was said, and nothing can be to somebody who is not there.
export const isIdle = (place) =>
  !isRoom(place) && !place.lines.length && !place.draft && place.pending.every((line) => line.code === "no_such_person");

// Of conversations, the one whose last line is oldest; rather none that is shown, or that somebody waits in.
export function mostSilent(all, shown) {
  const last = (place) => place.lines.at(-1)?.seq ?? Infinity;
  const silent = all.filter((place) => place !== shown && !place.pending.length && !place.unread);
  return (silent.length ? silent : all).reduce((one, other) => (last(other) < last(one) ? other : one));
}

// The server reads what is old from its disk: what is said meanwhile may come before the page that was asked for.
// Of more than this, the page is not the latest one when it comes.
export const MEANWHILE_MOST = 500;

export function newPlace(name, read) {
  return {
    name, // as it is written: `#lobby`, `@Bob`
    key: fold(name), // as it is found
    entered: false, // the server has told what is there
    topic: "",
    people: new People(),
    lines: [], // records, by seq
    first: 0, // the number of lines[0]: counts up when old lines are let go of, and down when older ones come
    version: 0, // counts changes other than a line at the end
    live: true, // lines has the last line there is
    beyond: 0, // lines that were said while it was not live
    more: false, // the server has older ones
    asking: undefined, // the promise of a page of them, or of newer ones, that is on its way
    meanwhile: [], // what was said since it was asked for
    notices: [], // {after, words, kind}: words to this person, behind the line with that seq
    pending: [], // one's own lines that are not stored yet: {id, text, time, state, words, code}
    read, // the seq up to which somebody has looked
    newFrom: null, // behind this seq stands the line “new since you left”
    unread: 0,
    mentioned: 0, // of these
    draft: "", // what is being typed
    draftFor: "", // the name of another place, if it was written for that one
  };
}
