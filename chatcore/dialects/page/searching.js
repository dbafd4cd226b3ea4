// Searching: the list of what was found, and the way to each line, among those that were said around it.

import { button, id, make } from "./element.js";
import { hasMouse } from "./sides.js";
import { count, dateTime, safe } from "./text.js";

const FOUND_LINES = 50;
const AROUND_LINES = 60; // shown around a line that was found

export class Searching {
  // `page`: ask(message), model, view, open(name), attempt(what)
  constructor(page) {
    this.page = page;
    id("search-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const words = id("search-words").value.trim();
      if (words) page.attempt(() => this.search(words));
    });
    id("found-close").addEventListener("click", () => this.close());
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.close());
  }

  async search(words) {
    const field = document.activeElement;
    const before = field.value;
    const { records, more } = await this.page.ask({ t: "search", text: words, limit: FOUND_LINES });
    const lines = `${count(records.length, "line", "lines")} with “${safe(words)}”${more ? ", the newest" : ""}`;
    id("found-head").textContent = records.length ? lines : `Nothing with “${safe(words)}” in your rooms and messages`;
    id("found-lines").replaceChildren(...records.map((record) => make("li", {}, this.row(record))));
    id("found").hidden = false;
    // Whoever has typed on meanwhile stays in that field.
    if (document.activeElement !== field || field.value !== before) return;
    (id("found-lines").querySelector("button") ?? id("found-close")).focus();
  }

  row(record) {
    const { model, attempt } = this.page;
    const where = record.room ?? `with ${record.sid === model.sid ? record.to : record.from}`;
    return button({ class: "found-line" }, () => attempt(() => this.show(record)),
      make("span", { class: "small" }, `${dateTime(record.time)} · ${safe(where)}`),
      make("span", { dir: "auto" }, make("b", {}, safe(record.from)), ` ${safe(record.text)}`));
  }

  // Where the page of the past begins that somebody asks for: `/history 50`, `/history since 2h`.
  async past(message) {
    const { ask, model } = this.page;
    const place = model.room;
    const { records } = await ask(message);
    if (model.room !== place) return; // somebody has gone on
    if (records.length) await this.show({ ...records[0], room: message.room });
    else model.notice("Nothing was said there.");
  }

  async show(found) {
    const { ask, model, view, open } = this.page;
    this.close();
    const place = found.room ? model.find(found.room) : model.conversation(found);
    if (!place) throw new Error(`You are no longer in ${found.room}: /join ${found.room}`);
    open(place.name);
    if (found.room && !place.lines.some((line) => line.seq === found.seq)) {
      const half = { t: "history", room: found.room, limit: AROUND_LINES / 2 };
      const before = await ask({ ...half, before: found.seq + 1 });
      const after = await ask({ ...half, after: found.seq });
      // Without a wait in between: lines that come now stand behind both pages.
      model.history(before, { anew: true });
      model.history(after, { after: true });
    } else if (!found.room) {
      model.insert(place, found);
    }
    view.draw();
    view.flow.point(found.seq);
  }

  close() {
    if (id("found").hidden) return;
    id("found").hidden = true;
    id("search-words").value = "";
    if (hasMouse()) id("text").focus();
  }
}
