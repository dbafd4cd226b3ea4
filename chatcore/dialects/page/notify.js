// Desktop notifications: asked for with a button, never forced; for direct messages and for one's name.

import { id } from "./element.js";
import { ours } from "./storage.js";
import { mentions, safe } from "./text.js";

const KEY = "chatcore.notify";

let refuses = false; // it has them, and shows none for a page: Chrome on a phone

// Browsers give notifications to https and to this machine only.
const possible = () => isSecureContext && "Notification" in globalThis && !refuses;
const wanted = () => possible() && ours.get(KEY) === true && Notification.permission === "granted";

export function watchNotify() {
  id("notify").addEventListener("click", async () => {
    const on = wanted();
    if (!on && (await Notification.requestPermission()) !== "granted") {
      id("notify").title = "The browser does not allow it for this page: see the lock beside the address.";
    }
    ours.set(KEY, !on);
    show();
  });
  show();
}

function show() {
  const button = id("notify");
  button.hidden = !possible();
  button.setAttribute("aria-pressed", String(wanted()));
  button.textContent = wanted() ? "Notifications on" : "Notify me";
}

// A notification, or undefined where there can be none: then nobody is offered any.
function made(title, options) {
  try {
    return new Notification(title, options);
  } catch {
    refuses = true;
    ours.set(KEY, false);
    show();
    return undefined;
  }
}

// Somebody who does not look hears of it.
export function notify(message, model, open) {
  if (model.attentive() || model.catchingUp || !wanted() || message.sid === model.sid) return;
  const forMe = message.t === "dm" || ((message.t === "say" || message.t === "me") && mentions(message.text, model.alias));
  if (!forMe) return;
  const title = safe(`${message.from}${message.room ? ` in ${message.room}` : ""}`);
  const note = made(title, { body: safe(message.text), tag: message.room ?? `@${message.from}` });
  if (!note) return;
  note.onclick = () => {
    focus();
    open(message.room ?? `@${message.from}`);
    note.close();
  };
}
