// The lists at the sides. On a narrow screen they slide over the room, one at a time.

import { id } from "./element.js";

const BUTTONS = { "rooms-side": "show-rooms", "people-side": "show-people" };

// Whether pointing at things is easy here: then the field for typing may take the focus without a keyboard popping up.
export const hasMouse = () => matchMedia("(hover: hover)").matches;

export function closeSides() {
  for (const [side, opener] of Object.entries(BUTTONS)) {
    const focusInside = id(side).classList.contains("open") && id(side).contains(document.activeElement);
    id(side).classList.remove("open");
    id(opener).setAttribute("aria-expanded", "false");
    if (focusInside) id(opener).focus();
  }
}

function openSide(side) {
  closeSides();
  id(side).classList.add("open");
  id(BUTTONS[side]).setAttribute("aria-expanded", "true");
  id(side).querySelector("button").focus();
}

export function watchSides() {
  for (const [side, opener] of Object.entries(BUTTONS)) id(opener).addEventListener("click", () => openSide(side));
  for (const close of document.querySelectorAll("[data-close]")) close.addEventListener("click", closeSides);
  // Whoever tabs out of the list goes on in the room: nobody's focus stands behind something.
  for (const side of Object.keys(BUTTONS)) {
    id(side).addEventListener("focusout", (event) => event.relatedTarget && !id(side).contains(event.relatedTarget) && closeSides());
  }
  id("house").addEventListener("click", (event) => !event.target.closest(".side") && !event.target.closest("[aria-expanded]") && closeSides());
  document.addEventListener("keydown", (event) => event.key === "Escape" && closeSides());
  matchMedia("(max-width: 56rem)").addEventListener("change", closeSides);
}
