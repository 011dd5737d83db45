/** How is an element made? Text is always inserted as text, never as HTML. */

/** Whether the token may write; the service checks it again with each change. */
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

/** Text that a person entered, which may run from right to left. */
export function words(text) {
  return el("bdi", {}, text);
}

/** A time of the API in the reader's time zone and format. */
export function moment(text) {
  return el("time", { datetime: text }, new Date(text).toLocaleString());
}

/** ``1 event``, ``2,000 events``. */
export function many(count, noun) {
  return `${count.toLocaleString()} ${noun}${count === 1 ? "" : "s"}`;
}

/** Replaces what is in ``node``; a focus there goes to what has the same id, else to ``next``. */
export function replaceContent(node, content, next = document.querySelector("#main")) {
  const focused = node.contains(document.activeElement) ? document.activeElement : null;
  node.replaceChildren(...content);
  if (focused && !focused.isConnected) (document.getElementById(focused.id) ?? next).focus();
}

/** Lets a screen reader say ``text``. */
export function announce(text) {
  document.querySelector("#news").textContent = text;
}
