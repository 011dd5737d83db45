/** The pictures and clips of a day, a page of them at a time, oldest first. */

import { inTurn, read } from "./api.js";

export const PAGE = 60;

export class Pages {
  rows = [];
  count = 0; // of the day
  #query = {}; // of the page that is shown

  constructor(cameraId) {
    this.cameraId = cameraId;
  }

  /** Reads the page in whose middle the picture nearest to ``at`` is. */
  async open({ start, end }, at) {
    Object.assign(this, { rows: [], count: 0, next: null, previous: null });
    this.#query = {};
    this.period = { start_date: start, end_date: end };
    const half = { order: "newest", around: at, limit: PAGE / 2, count: false };
    const { pictures: older } = await this.#read({ ...this.period, ...half });
    const around = older.length ? { around: older.at(-1).taken_at } : {};
    await this.#show(around);
  }

  /** Reads the page after this one or before it; whether there is one. */
  async turn(isForward) {
    const cursor = isForward ? this.next : this.previous;
    if (cursor) await this.#show({ cursor });
    return Boolean(cursor);
  }

  /** Reads the page again, with what has come or gone since. */
  again() {
    return this.#show(this.#query);
  }

  /** The row of this id, if it is on the page. */
  find(id) {
    return this.rows.find((row) => row.id === id);
  }

  /** The row nearest to a moment, of two the older; undefined where the page is empty. */
  nearest(at) {
    const distance = (row) => Math.abs(Date.parse(row.taken_at) - Date.parse(at));
    return this.rows.reduce((best, row) =>
      best && distance(best) <= distance(row) ? best : row, undefined);
  }

  /** The row after another on the page, or before it. */
  beside(row, isForward) {
    return this.rows[this.rows.findIndex(({ id }) => id === row.id) + (isForward ? 1 : -1)];
  }

  /** The first picture of any day from ``moment`` on, or the last one before it. */
  async beyond(moment, isForward) {
    const side = isForward ? { order: "oldest", start_date: moment }
      : { order: "newest", end_date: moment };
    return (await this.#read({ ...side, limit: 1, count: false })).pictures[0];
  }

  async #show(query) {
    const page = await this.#read({ ...this.period, order: "oldest", limit: PAGE, ...query });
    this.#query = query;
    this.rows = page.pictures;
    Object.assign(this, { count: page.count, next: page.next_cursor });
    this.previous = page.previous_cursor;
  }

  #read(query) {
    const path = `/api/cameras/${this.cameraId}/pictures?${new URLSearchParams(query)}`;
    return inTurn(this.cameraId, () => read(path));
  }
}
