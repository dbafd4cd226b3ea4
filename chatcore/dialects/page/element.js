// Elements, made and kept. Everything that somebody typed goes in as text, never as markup.

export const id = (name) => document.getElementById(name);

// An element with attributes (`class`, `title`, …) and children, which are texts or elements.
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

// A button that does something when it is pressed.
export function button(attributes, press, ...children) {
  const element = make("button", { type: "button", ...attributes }, ...children);
  element.addEventListener("click", press);
  return element;
}

// Make the children of `parent` those of `rows`, [{key, look, make}]: what looks as it did stays the same element, so
// that nobody's focus, pointer or place in the page is lost because something else in the list has changed.
export function sync(parent, rows) {
  const before = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const focused = parent.contains(document.activeElement) ? document.activeElement.closest("[data-key]") : null;
  let next = parent.firstElementChild;
  for (const row of rows) {
    let child = before.get(row.key);
    before.delete(row.key);
    if (child?.dataset.look !== row.look) {
      const fresh = row.make();
      fresh.dataset.key = row.key;
      fresh.dataset.look = row.look;
      if (child) child.replaceWith(fresh);
      if (next === child) next = fresh;
      if (child && child === focused) fresh.querySelector("button")?.focus();
      child = fresh;
    }
    if (child === next) next = next.nextElementSibling;
    else parent.insertBefore(child, next);
  }
  for (const gone of before.values()) gone.remove();
}
