/** The moments of the day: uploads that follow each other closely, newest first. */

import { addressOf, followed } from "./address.js";
import { inTurn, read } from "./api.js";
import { el, many, words } from "./element.js";

const PAGE = 40;

export class Moments {
  #items = new Map(); // start → moment, its element, and what it was made of
  #further = null; // cursor of the next page

  /** ``go`` gets where a moment that was clicked begins; ``more`` is the button for older ones. */
  constructor(node, more, { cameraId, zone, thumbOf, go }) {
    Object.assign(this, { node, more, cameraId, zone, thumbOf, go });
  }

  /** Shows the newest moments of a day. */
  open({ start, end }) {
    this.clear();
    this.period = { start_date: start, end_date: end };
    return this.#load();
  }

  /** Reads the newest moments again, with those that have come since. */
  again() {
    return this.period && this.#load();
  }

  /** Shows the next page of older moments too. */
  further() {
    return this.#load(this.#further);
  }

  clear() {
    for (const { thumb } of this.#items.values()) thumb.drop();
    this.#items.clear();
    this.#further = null;
    this.node.replaceChildren();
    this.more.hidden = true;
  }

  /** The last moment that begins before ``end``, on whatever day; undefined without one. */
  async before(end) {
    return (await this.#ask({ end_date: end, limit: 1 })).moments[0];
  }

  /** Marks the moment of the picture that is shown large. */
  mark(row) {
    this.row = row;
    for (const { moment, link } of this.#items.values()) {
      const isHere = row && moment.start <= row.taken_at && row.taken_at <= moment.end;
      if (isHere) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }

  get thumbs() {
    return [...this.#items.values()].map(({ thumb }) => thumb);
  }

  async #load(cursor) {
    const isFirst = this.#items.size === 0 || cursor;
    const { moments, next_cursor: next } = await this.#ask(
      { ...this.period, limit: PAGE, ...(cursor ? { cursor } : {}) });
    if (isFirst) this.#further = next;
    this.more.hidden = !this.#further;
    if (!cursor) this.#forget(moments, next ? moments.at(-1).start : "");
    for (const moment of moments) this.#put(moment);
    const items = [...this.#items.values()];
    items.sort((a, b) => b.moment.start < a.moment.start ? -1 : 1);
    items.forEach(({ item }, at) => {
      if (this.node.children[at] !== item) {
        this.node.insertBefore(item, this.node.children[at] ?? null);
      }
    });
    this.mark(this.row);
  }

  /** Removes the moments from ``start`` on that are not among ``moments`` any more. */
  #forget(moments, start) {
    const still = new Set(moments.map((moment) => moment.start));
    for (const [each, { item, thumb }] of this.#items) {
      if (each < start || still.has(each)) continue;
      thumb.drop();
      item.remove();
      this.#items.delete(each);
    }
  }

  /** Makes the element of a moment, or another one where the moment has changed. */
  #put(moment) {
    const old = this.#items.get(moment.start);
    const made = JSON.stringify(moment);
    if (old?.made === made) return;
    const thumb = old?.moment.cover === moment.cover ? old.thumb : this.thumbOf(moment.cover);
    if (old && old.thumb !== thumb) old.thumb.drop();
    const link = el("a", { href: addressOf({ taken_at: moment.start }),
      click: followed(() => this.go({ taken_at: moment.start })) },
    thumb.node, el("span", {}, ...this.#text(moment)));
    const hadFocus = old?.link === document.activeElement;
    const item = el("li", {}, link);
    old?.item.replaceWith(item);
    this.#items.set(moment.start, { moment, made, thumb, link, item });
    if (hadFocus) link.focus();
  }

  #text({ start, end, pictures, clips, object_types: types, event_ids: events, continuous }) {
    const [from, to] = [start, end].map((text) => this.zone.time(Date.parse(text)));
    const counts = [[pictures, "picture"], [clips, "clip"], [events.length, "event"]]
      .filter(([count]) => count).map(([count, noun]) => many(count, noun)).join(", ");
    return [el("b", {}, from === to ? from : `${from} – ${to}`),
      el("span", {}, counts, continuous && ", without a pause"), words(types.join(", "))];
  }

  #ask(query) {
    const path = `/api/cameras/${this.cameraId}/moments?${new URLSearchParams(query)}`;
    return inTurn(this.cameraId, () => read(path));
  }
}
