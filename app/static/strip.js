/** The row of small pictures: one page of the day. */

import { addressOf, followed } from "./address.js";
import { el } from "./element.js";

export class Strip {
  #items = new Map(); // id of a picture → its element and thumb

  /** ``thumbOf`` makes the thumb of an id; ``choose`` gets a row that was clicked. */
  constructor(node, { zone, thumbOf, choose }) {
    Object.assign(this, { node, zone, thumbOf, choose });
  }

  /** Shows these rows; elements that are right already are not touched. */
  show(rows) {
    const ids = new Set(rows.map((row) => row.id));
    for (const [id, { item, thumb }] of this.#items) {
      if (ids.has(id)) continue;
      item.remove();
      thumb.drop();
      this.#items.delete(id);
    }
    rows.forEach((row, at) => {
      const item = this.#itemOf(row);
      if (this.node.children[at] !== item) {
        this.node.insertBefore(item, this.node.children[at] ?? null);
      }
    });
  }

  /** Marks the row that is shown large and brings it into view, in the row alone. */
  mark({ id }) {
    for (const [each, { item, link }] of this.#items) {
      if (each !== id) link.removeAttribute("aria-current");
      else if (link.getAttribute("aria-current") === null) {
        link.setAttribute("aria-current", "true");
        const room = this.node.clientWidth - item.clientWidth;
        this.node.scrollLeft = item.offsetLeft - room / 2;
        if (this.node.contains(document.activeElement)) link.focus({ preventScroll: true });
      }
    }
  }

  /** The URL of the small picture, or an empty text while it is not here. */
  preview({ id }) {
    return this.#items.get(id)?.thumb.picture ?? "";
  }

  get thumbs() {
    return [...this.#items.values()].map(({ thumb }) => thumb);
  }

  #itemOf(row) {
    const { item, marks } = this.#items.get(row.id) ?? this.#make(row);
    const text = `${row.kind === "clip" ? " clip" : ""}${row.kept ? " kept" : ""}`;
    if (marks.textContent !== text) marks.textContent = text;
    return item;
  }

  #make(row) {
    const thumb = this.thumbOf(row.id);
    const marks = el("span", {});
    const time = this.zone.time(Date.parse(row.taken_at));
    const link = el("a", { href: addressOf(row), click: followed(() => this.choose(row)) },
      thumb.node, el("time", { datetime: row.taken_at }, time), marks);
    const made = { item: el("li", {}, link), link, marks, thumb };
    this.#items.set(row.id, made);
    return made;
  }
}
