// Speaking: what happens with a line when Enter is pressed. It is said, or it is a command that is carried out.
//
// A line is for the place that whoever wrote it meant. While the way into a room is asked for, what is written is for
// that room: it stays in the field, and is said when the room opens. Whoever goes to another place meanwhile, or asks
// for another room, is not taken away from there; and what was written is said nowhere unasked.

import { NEED_ROOM, parse } from "./commands.js";
import { isRoom } from "./place.js";
import { tooLong } from "./text.js";
import { titleOf } from "./view.js";
import { answerWords } from "./words.js";

const SPOKEN = new Set(["say", "me", "topic"]); // commands whose words are for those in the place that is shown

const withoutEnd = (text) => text.replace(/\s+$/, "");

export class Speaking {
  // `page`: link, model, view, composer, drafts, searching, attempt(what), trouble(words), join(message), latest(),
  // open(name, {along}), moved()
  constructor(page) {
    this.page = page;
    this.going = undefined; // the way into a room, while its answer is not here: see `go`
  }

  // The room that what stands in the field waits for; empty if it waits for none.
  get destination() {
    return this.going?.along ? this.going.room : "";
  }

  async enter() {
    const { composer, model } = this.page;
    const typed = withoutEnd(composer.text);
    if (!typed.trim() || !model.room) return;
    if (this.waits(typed)) {
      this.wait();
      return;
    }
    const asked = this.understood(typed);
    if (asked.wrong) {
      // Nothing is taken from the field; but what is typed after a mistaken command is no part of it.
      if (asked.isMistake) composer.field.select();
      return;
    }
    composer.text = "";
    if (this.going) this.going.along = true;
    await this.act(typed, asked);
  }

  // Whether the line is for the room that is asked for. Who wants to leave is not kept waiting.
  waits(typed) {
    return this.going?.along && (this.going.lines.length > 0 || !/^\/quit(?=\s|$)/.test(typed));
  }

  // Each line that was entered stands in the field, with its end; what is typed on stands behind it.
  wait() {
    const { composer, model } = this.page;
    const { going } = this;
    if (!going.lines.length) model.notice(`What you write here waits until ${going.room} opens.`);
    const before = entered(going.lines);
    const isWhole = composer.text.startsWith(before);
    const line = withoutEnd(isWhole ? composer.text.slice(before.length) : composer.text);
    if (!line.trim()) return;
    going.lines = isWhole ? [...going.lines, line] : [line];
    composer.text = entered(going.lines);
  }

  // {command, message} | {wrong, isMistake}, which has been told
  understood(typed) {
    const { drafts, model, trouble } = this.page;
    const place = model.room;
    const title = titleOf(place);
    const asked = parse(typed, { room: isRoom(place) ? place.name : "", to: isRoom(place) ? "" : title, operator: model.operator });
    const wrong = asked.error || tooLong(asked.message.text ?? "") || (SPOKEN.has(asked.command) && drafts.question(title));
    if (!wrong) return asked;
    trouble(wrong);
    return { wrong, isMistake: Boolean(asked.error) };
  }

  async act(typed, { command, message }) {
    const { attempt, composer } = this.page;
    if (message.t !== "oper") composer.remember(typed); // a password stays nowhere
    await attempt(() => this.carryOut(command, message));
  }

  async carryOut(command, message) {
    const { link, model, moved, open, searching } = this.page;
    if (NEED_ROOM.has(command) && !message.room) throw new Error(`/${command} is for a room, and this is a conversation. Go to a room first.`);
    switch (message.t) {
      case "say":
      case "me":
        return this.say(message);
      case "dm":
        if (command === "msg") open(model.find(`@${message.to}`)?.name ?? `@${message.to}`);
        return this.say(message);
      case "join":
        return this.go(message);
      case "part":
        if (message.room) await link.ask(message);
        model.leave(message.room ?? model.room.name);
        return moved();
      case "history":
        return searching.past(message);
      case "search":
        return searching.search(message.text);
      case "quit":
        if (!link.joined) return link.leave();
        return link.write(message);
      default:
        return this.tell(command, message, await link.ask(message));
    }
  }

  tell(command, message, answer) {
    const { model } = this.page;
    if (command === "oper") model.operator = true;
    if (command === "away") model.presence({ alias: model.alias, state: answer.state, text: message.text });
    if (command === "who" && answer.rooms) for (const each of answer.rooms) model.enter(each);
    for (const words of answerWords(command, answer, message)) model.notice(words);
  }

  // Into a room; with what was typed since, unless something stood in the field before.
  async go(message) {
    const { composer, join, model, open } = this.page;
    if (this.going) this.stay();
    // `lines`: those that were entered on the way; `along`: what stands in the field is for the room
    const going = { room: message.room, from: model.room, along: !composer.text, lines: [] };
    this.going = going;
    try {
      const room = await join(message);
      if (this.going !== going) return;
      const lines = this.taken(going);
      this.going = undefined;
      open(room, { along: going.along });
      this.enterAll(lines);
    } finally {
      if (this.going === going) this.stay();
    }
  }

  // The lines that were entered on the way, out of the field. None if they were edited since: all of it is being typed.
  taken({ lines }) {
    const { composer } = this.page;
    const before = entered(lines);
    if (!lines.length || !composer.text.startsWith(before)) return [];
    composer.text = composer.text.slice(before.length);
    return lines;
  }

  // All of them now, before anybody can go elsewhere; as far as there is no mistake, and no way into yet another room.
  enterAll(lines) {
    const { composer } = this.page;
    const rest = [...lines];
    while (rest.length && !this.going) {
      const asked = this.understood(rest[0]);
      if (asked.wrong) break;
      this.act(rest.shift(), asked);
    }
    if (rest.length) composer.text = entered(rest) + composer.text;
    if (this.going) Object.assign(this.going, { along: true, lines: rest });
  }

  // Another place may be shown now: whoever went there stays there.
  moved() {
    if (this.going && this.page.model.room !== this.going.from) this.stay();
  }

  // The room that is asked for is not opened, whatever the answer is.
  stay() {
    const { along, from, room } = this.going;
    this.going = undefined;
    if (along) this.page.drafts.notFor(from, room);
  }

  async say(message) {
    const { attempt, latest, link, model } = this.page;
    if (await attempt(() => model.sent(link.say(message)))) await latest();
  }

  retry(line) {
    const { link, model } = this.page;
    model.stored(line.id);
    model.sent(link.again(line));
  }

  drop(line) {
    const { link, model } = this.page;
    link.outbox.settle(line.id);
    model.stored(line.id);
  }

  edit(line) {
    const { composer } = this.page;
    this.drop(line);
    composer.text = [line.text, composer.text].filter(Boolean).join("\n");
    composer.field.focus();
  }
}

// As the lines stand in the field.
const entered = (lines) => lines.map((line) => `${line}\n`).join("");
