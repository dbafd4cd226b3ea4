// The door: where somebody says who they are, the first time and whenever the server wants to know.

import { id } from "./element.js";

export class Door {
  // `enter(alias, password)` is what the form is for.
  constructor(enter) {
    id("door-host").textContent = location.host;
    id("door-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const alias = id("door-alias").value.trim();
      if (!alias) return;
      this.say("");
      id("door-go").disabled = true;
      enter(alias, id("door-password").value);
    });
  }

  get isOpen() {
    return !id("door").hidden;
  }

  show(alias, words = "", code = "") {
    const wantsPassword = code === "password_needed" || code === "password_wrong";
    const wasOpen = this.isOpen;
    // The rest of what somebody is typing is no name and no password.
    const inTheMiddle = document.activeElement === id("text") && id("text").value !== "";
    id("door").hidden = false;
    id("house").hidden = true;
    document.title = "chatcore";
    id("door-alias").value ||= alias;
    if (wantsPassword) id("door-password-part").hidden = false;
    this.say(code === "password_needed" && id("door-password").value === "" ? "This server has a password." : words);
    const field = id(wantsPassword ? "door-password" : "door-alias");
    (inTheMiddle ? id("door-error") : field).focus();
    if (wasOpen) field.select();
  }

  // Words about what went wrong; then it can be tried again.
  say(words) {
    id("door-error").textContent = words;
    id("door-go").disabled = false;
  }

  close() {
    id("door").hidden = true;
    id("house").hidden = false;
    id("door-password").value = ""; // nobody who comes to this screen later finds it
  }
}
