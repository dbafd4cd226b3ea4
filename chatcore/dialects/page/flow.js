// The flow: what was said in the place that is shown, of which a window of lines is in the document.
//
// Whoever reads at the end stays at the end; whoever reads back keeps their line where it is, whatever comes or goes
// above and below. The window is moved when its edge comes near; what the model does not have, the server is asked for.

import { id, make, sync } from "./element.js";
import { dayElement, lineElement, newElement, noticeElement, pendingElement } from "./lines.js";
import { isRoom, isSpeech } from "./place.js";
import { dayKey, safe } from "./text.js";

const WINDOW_LINES = 400; // in the document after it was drawn
const WINDOW_MOST = 600; // before it is drawn anew, without the oldest
const EDGE_PX = 200; // so near the edge of the window, more is drawn
const NEAR_END_PX = 80; // so near the end counts as reading along
const AT_END_PX = 2; // and so near as being there, whatever fractions the browser calculates with
const READ_OUT = 10; // lines at once that a screen reader is given; a burst would keep it talking for minutes
const POINTED_MS = 3_000;

export class Flow {
  // `on`: older(), newer(), retry(line), edit(line), drop(line), join(room)
  constructor(model, on) {
    this.model = model;
    this.on = on;
    this.place = null;
    this.version = -1;
    this.from = this.to = 0; // the numbers of the first line in the document, and of the one behind the last
    this.known = 0; // the number behind the last line when it was drawn last: what came since is drawn soon
    this.below = 0; // of what was said, not seen because somebody reads back
    this.following = true;
    this.top = 0; // where it was scrolled to last
    this.scroll = id("scroll");
    this.log = id("log");
    this.scroll.addEventListener("scroll", () => this.scrolled(), { passive: true });
    // The keyboard of a phone, a longer text being typed: what was at the end stays there.
    new ResizeObserver(() => this.following && this.toEnd()).observe(this.scroll);
  }

  draw(place) {
    const moved = this.place !== place;
    this.place = place;
    this.countBelow(moved);
    // Somebody may have come to the end before the lines that were asked for had: there was nothing to scroll to.
    const reached = !moved && this.left < AT_END_PX;
    if (moved) {
      this.following = true;
      this.redraw(null);
      const mark = this.log.querySelector(".new-line");
      if (mark) mark.scrollIntoView({ block: "center" });
      this.following = this.atEnd;
    } else if (this.version !== place.version || this.from < place.first || this.end - this.to > WINDOW_LINES) {
      this.redraw(this.following ? null : this.anchor());
    } else {
      this.append();
    }
    if (reached && !this.following && place.live && this.to >= this.end) {
      this.following = true;
      this.toEnd();
    }
    this.edges();
  }

  get end() {
    return this.place.first + this.place.lines.length;
  }

  // Pixels between what is seen and the end.
  get left() {
    return this.scroll.scrollHeight - this.scroll.scrollTop - this.scroll.clientHeight;
  }

  get atEnd() {
    return this.left < NEAR_END_PX;
  }

  // The line at the top of what is seen, and where exactly it is.
  anchor() {
    const top = this.scroll.getBoundingClientRect().top;
    for (const element of this.log.querySelectorAll("[data-seq]")) {
      const box = element.getBoundingClientRect();
      if (box.bottom > top) return { seq: Number(element.dataset.seq), top: box.top };
    }
    return null;
  }

  // The window anew: at the end, or around a line that stays where it is.
  redraw(anchor) {
    const { lines, first, version } = this.place;
    const at = anchor ? lines.findIndex((line) => line.seq >= anchor.seq) : -1;
    if (at < 0) this.from = Math.max(first, this.end - WINDOW_LINES);
    else this.from = Math.max(first, first + at - WINDOW_LINES / 2);
    this.to = Math.min(this.end, this.from + WINDOW_LINES);
    this.version = version;
    // A whole place is not read out; what comes after it is.
    this.log.setAttribute("aria-busy", "true");
    this.log.replaceChildren(...this.elements(this.from, this.to));
    this.log.setAttribute("aria-busy", "false");
    this.drawRest();
    const kept = at < 0 ? null : this.log.querySelector(`[data-seq="${anchor.seq}"]`);
    if (kept) this.scroll.scrollTop += kept.getBoundingClientRect().top - anchor.top;
    else this.toEnd();
  }

  append() {
    const fresh = this.end - this.to;
    const mayGrow = this.following || this.to - this.from + fresh <= WINDOW_MOST;
    if (this.following && this.to - this.from + fresh > WINDOW_MOST) {
      this.redraw(null);
      return;
    }
    if (fresh && mayGrow) {
      this.log.setAttribute("aria-live", fresh > READ_OUT ? "off" : "polite");
      this.log.querySelector(".nothing")?.remove();
      this.log.append(...this.elements(this.to, this.end));
      this.to = this.end;
    }
    this.drawRest();
    if (this.following) this.toEnd();
  }

  // What stands above and below the lines; before anything is scrolled, because it takes room.
  drawRest() {
    id("older").hidden = !(this.from > this.place.first || this.place.more);
    const rows = this.place.pending.map((line) => ({
      key: line.id, look: line.state + line.words, make: () => pendingElement(line, this.model, this.on),
    }));
    sync(id("pending"), rows);
  }

  // Lines with the days, notices and the “new” line between them.
  elements(from, to) {
    const { lines, first, newFrom } = this.place;
    const notices = grouped(this.place.notices);
    const elements = from === first ? noticesOf(notices, 0) : [];
    let before = lines[from - first - 1];
    for (const line of lines.slice(from - first, to - first)) {
      if (!before || dayKey(before.time) !== dayKey(line.time)) elements.push(dayElement(line.time));
      // Where nobody has looked before, all of it is new, and nobody has left.
      const isNew = newFrom > 0 && line.seq > newFrom && (!before || before.seq <= newFrom);
      if (isNew) elements.push(newElement());
      elements.push(lineElement(line, isNew ? undefined : before, this.model, this.on), ...noticesOf(notices, line.seq));
      before = line;
    }
    if (!this.place.more && !lines.some(isSpeech)) elements.unshift(make("p", { class: "nothing" }, emptyWords(this.place)));
    return elements;
  }

  toEnd() {
    this.scroll.scrollTop = this.scroll.scrollHeight;
  }

  // To the latest line that the model has.
  latest() {
    this.following = true;
    if (this.to < this.end) this.redraw(null);
    this.toEnd();
    this.edges();
  }

  scrolled() {
    if (!this.place) return;
    const { left } = this;
    const { scrollTop } = this.scroll;
    const nearEnd = left < EDGE_PX;
    const up = scrollTop < this.top;
    this.top = scrollTop;
    // Whoever scrolls up means it, however near the end is: a short room is near it everywhere.
    this.following = left < (up ? AT_END_PX : NEAR_END_PX) && this.to >= this.known && this.place.live;
    if (scrollTop < EDGE_PX) {
      if (this.from > this.place.first) this.redraw(this.anchor());
      else if (this.place.more && this.place.lines.length) this.on.older();
    }
    if (nearEnd && this.to < this.known) this.redraw(this.anchor());
    else if (nearEnd && !this.place.live) this.on.newer();
    this.edges();
  }

  countBelow(moved) {
    const { lines, first } = this.place;
    if (moved || this.known > this.end) this.below = 0;
    else this.below += lines.slice(Math.max(0, this.known - first)).filter(isSpeech).length;
    this.known = this.end;
  }

  edges() {
    if (this.following) this.below = 0;
    const latest = id("latest");
    latest.hidden = this.following;
    const below = this.below + this.place.beyond;
    latest.textContent = below ? `↓ ${below.toLocaleString()} new` : "↓ Jump to the latest";
  }

  // Bring a line into view and show which one it is.
  point(seq) {
    const at = this.place.lines.findIndex((line) => line.seq === seq);
    if (at < 0) return;
    this.following = false;
    if (this.place.first + at < this.from || this.place.first + at >= this.to) this.redraw({ seq, top: 0 });
    const line = this.log.querySelector(`[data-seq="${Number(seq)}"]`);
    line.scrollIntoView({ block: "center" });
    line.classList.add("pointed");
    setTimeout(() => line.classList.remove("pointed"), POINTED_MS);
    // Whoever still sees the end reads along.
    this.following = this.left < AT_END_PX && this.to >= this.end && this.place.live;
    this.edges();
  }
}

const noticesOf = (notices, seq) => (notices.get(seq) ?? []).map(noticeElement);

function grouped(notices) {
  const groups = new Map();
  for (const each of notices) groups.set(each.after, [...(groups.get(each.after) ?? []), each]);
  return groups;
}

const emptyWords = (place) =>
  isRoom(place) ? "Nothing was said here yet. Say hello!" : `Nothing was said yet between you and ${safe(place.name.slice(1))}.`;
