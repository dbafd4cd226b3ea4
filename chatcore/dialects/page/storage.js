// What stays in this browser. Somebody may have forbidden it, or it may be full: then things are remembered for as
// long as the page is open, and nothing else changes.

class Box {
  // `find` may throw: even looking at the storage is an error where it is forbidden.
  constructor(find) {
    this.memory = new Map();
    try {
      this.storage = find();
    } catch {
      this.storage = null;
    }
  }

  get(key) {
    try {
      return JSON.parse(this.memory.get(key) ?? this.storage?.getItem(key) ?? "null");
    } catch {
      return null;
    }
  }

  set(key, value) {
    const text = JSON.stringify(value);
    this.memory.delete(key);
    try {
      if (!this.storage) throw new Error("there is no storage");
      this.storage.setItem(key, text);
    } catch {
      this.memory.set(key, text);
    }
  }

  remove(key) {
    this.memory.delete(key);
    try {
      this.storage?.removeItem(key);
    } catch {
      // What cannot be read again is gone, too.
    }
  }

  keys(prefix) {
    const all = new Set(this.memory.keys());
    for (let at = 0; at < (this.storage?.length ?? 0); at++) all.add(this.storage.key(at));
    return [...all].filter((key) => key.startsWith(prefix));
  }
}

export const ours = new Box(() => localStorage); // shared by all tabs, and kept
export const thisTab = new Box(() => sessionStorage); // as long as the tab is there

// Call `act` once, a while after the first of many calls.
export function throttled(act, delay) {
  let timer;
  const now = () => {
    clearTimeout(timer);
    timer = undefined;
    act();
  };
  return Object.assign(() => (timer ??= setTimeout(now, delay)), { flush: () => timer !== undefined && now() });
}

// The same for what has to be kept: at the latest when the page goes.
export function later(save, delay) {
  const soon = throttled(save, delay);
  addEventListener("pagehide", soon.flush);
  return soon;
}
