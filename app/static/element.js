/** How is an element made? Whatever a text holds, it stays text. */

/** Whether the reader may change things; the box refuses it all the same where not. */
export const mayWrite = !("reading" in document.documentElement.dataset);

/** A new element; a function among ``attributes`` listens to the event of its name. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child != null && child !== false));
  return node;
}

/** Somebody's own words, which may run from right to left. */
export function words(text) {
  return el("bdi", {}, text);
}

/** A moment of the API in the reader's own time and manner of writing. */
export function moment(text) {
  return el("time", { datetime: text }, new Date(text).toLocaleString());
}

/** ``1 event``, ``2 events``. */
export function many(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** Lets a screen reader say ``text``. */
export function announce(text) {
  document.querySelector("#news").textContent = text;
}
