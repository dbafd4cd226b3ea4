// The composer: the field that grows, completes names and commands, and remembers what was said.

import { names as commandNames } from "./commands.js";
import { id, make } from "./element.js";
import { bare, fold, safe } from "./text.js";

const OFFERS = 8;
const COMPOSING = 229; // UI Events, "keyCode": an input method is at work
const SAID_MOST = 100; // lines that the arrow keys bring back

export class Composer {
  // `known.people()` and `known.rooms()` give what can be completed; `submit` takes what was typed.
  constructor(field, known, submit) {
    this.field = field;
    this.known = known;
    this.submit = submit;
    this.said = [];
    this.looking = 0;
    this.offers = [];
    this.chosen = -1;
    field.addEventListener("input", () => {
      this.fit();
      this.offer();
    });
    field.addEventListener("keydown", (event) => this.key(event));
    field.addEventListener("blur", () => this.hideOffers());
  }

  get text() {
    return this.field.value;
  }

  set text(value) {
    this.field.value = value;
    this.fit();
    this.hideOffers();
  }

  fit() {
    this.field.style.height = "auto";
    this.field.style.height = `${Math.min(this.field.scrollHeight + 2, innerHeight * 0.4)}px`;
  }

  remember(typed) {
    this.said = [...this.said, typed].slice(-SAID_MOST);
    this.looking = this.said.length;
  }

  // What could follow: a command at the beginning, a room where one belongs, a name anywhere.
  offer() {
    const before = this.text.slice(0, this.field.selectionStart);
    const word = before.match(/(^|\s)(\S+)$/)?.[2] ?? "";
    const first = word === before;
    let offers = [];
    if (first && /^\/\w*$/.test(word)) {
      offers = commandNames().filter((name) => name.startsWith(word.slice(1))).map((name) => ({ shown: `/${name}`, put: `/${name} ` }));
    } else if (/^\/(join|part|who)\s+\S+$/.test(before) || word.startsWith("#")) {
      const wanted = fold(word.replace(/^#?/, "#"));
      offers = this.known.rooms().filter((room) => fold(room).startsWith(wanted)).map((room) => ({ shown: room, put: `${room} ` }));
    } else if (word.length >= 2 || word.startsWith("@")) {
      const wanted = bare(word.replace(/^@/, ""));
      const names = this.known.people().filter((alias) => bare(alias).startsWith(wanted));
      offers = names.map((alias) => ({ shown: alias, put: first ? `${alias}: ` : `${alias} ` }));
    }
    this.offers = offers.slice(0, OFFERS).map((each) => ({ ...each, word }));
    this.chosen = -1;
    this.draw();
  }

  // More can be completed than a moment ago.
  offerAgain() {
    if (document.activeElement === this.field && this.chosen < 0) this.offer();
  }

  draw() {
    const list = id("offers");
    list.hidden = !this.offers.length;
    list.replaceChildren(...this.offers.map((each, at) => this.item(each, at)));
    if (this.chosen >= 0) this.field.setAttribute("aria-activedescendant", `offer-${this.chosen}`);
    else this.field.removeAttribute("aria-activedescendant");
  }

  item(each, at) {
    const item = make("li", { id: `offer-${at}`, role: "option", "aria-selected": String(at === this.chosen) }, safe(each.shown));
    item.addEventListener("mousedown", (event) => {
      event.preventDefault();
      this.complete(each);
    });
    return item;
  }

  hideOffers() {
    if (!this.offers.length) return;
    this.offers = [];
    this.chosen = -1;
    this.draw();
  }

  complete(each) {
    const end = this.field.selectionStart;
    this.field.setRangeText(each.put, end - each.word.length, end, "end");
    this.hideOffers();
    this.fit();
  }

  key(event) {
    // Safari says that an input method is done before the key that ends it comes; it marks that key with this number.
    if (event.isComposing || event.keyCode === COMPOSING) return;
    const done = this.offers.length ? this.keyAmongOffers(event) : this.keyAlone(event);
    if (done) event.preventDefault();
  }

  keyAmongOffers(event) {
    switch (event.key) {
      case "ArrowDown":
      case "ArrowUp":
        this.chosen = (this.chosen + (event.key === "ArrowDown" ? 1 : -1) + this.offers.length) % this.offers.length;
        this.draw();
        return true;
      case "Tab":
        if (event.shiftKey) return false;
        this.complete(this.offers[Math.max(0, this.chosen)]);
        return true;
      case "Escape":
        this.hideOffers();
        return true;
      case "Enter":
        if (this.chosen < 0) return this.keyAlone(event);
        this.complete(this.offers[this.chosen]);
        return true;
      default:
        return false;
    }
  }

  keyAlone(event) {
    if (event.key === "Enter" && !event.shiftKey) {
      this.submit();
      return true;
    }
    // Up and down go through what was said, as long as what they brought was not edited.
    const untouched = this.text === (this.said[this.looking] ?? "");
    if (event.key === "ArrowUp" && untouched && this.looking > 0) {
      this.text = this.said[--this.looking];
      return true;
    }
    if (event.key === "ArrowDown" && untouched && this.looking < this.said.length) {
      this.text = this.said[++this.looking] ?? "";
      return true;
    }
    return false;
  }
}
