// The keyboard: whoever types without having chosen a field means the one for talking.
//
// It is the first key that counts. A button, a link or the lines would swallow it, and `/msg Bob …` without its
// beginning is something else, which everybody reads. A space stays with what has the focus: it presses, or scrolls.

import { id } from "./element.js";

const FIELDS = "input, textarea";
const BEGIN = new Set(["Dead", "Process"]); // an accent, an input method: the letter comes later, and needs the field now

export function watchTyping(door) {
  document.addEventListener("keydown", (event) => {
    if (!door.isOpen && !document.activeElement?.matches(FIELDS) && (types(event) || pastes(event))) id("text").focus();
  });
}

function types(event) {
  const modified = event.ctrlKey || event.metaKey || event.altKey;
  if (modified && !event.getModifierState("AltGraph")) return false; // a shortcut; AltGr is Ctrl and Alt for Windows
  return BEGIN.has(event.key) || (event.key !== " " && [...event.key].length === 1);
}

function pastes(event) {
  if (event.key === "Insert") return event.shiftKey;
  return (event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "v";
}
