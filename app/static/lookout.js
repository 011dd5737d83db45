/** Which pictures are loaded now? Those in view or near it, a few at a time. */

const AT_ONCE = 3; // by default: the service answers 4 requests at once
const AHEAD = "50%"; // margin above and below the window, of its height

export class Lookout {
  #near = new WeakSet(); // nodes of tiles in view
  #due = new Set(); // tiles that have not been loaded in this round
  #asking = 0;

  /** ``settled`` is called whenever no request is left. */
  constructor(settled, atOnce = AT_ONCE) {
    Object.assign(this, { settled, atOnce });
    this.observer = new IntersectionObserver((seen) => {
      for (const { target, isIntersecting } of seen) {
        if (isIntersecting) this.#near.add(target);
        else this.#near.delete(target);
      }
      this.look();
    }, { rootMargin: `${AHEAD} 0px` });
  }

  /** Begins a round: each of ``tiles`` that may have changed is loaded once. */
  begin(tiles) {
    this.#due = new Set(tiles.filter((tile) => tile.isDue));
    return this.look();
  }

  /** Loads the picture of ``tile`` now, if it may have changed or is too small. */
  demand(tile) {
    if (tile.isDue) this.#due.add(tile);
    return this.look();
  }

  /** Loads what is due and in view; resolves when all of it has arrived. */
  async look() {
    await Promise.all(Array.from({ length: this.atOnce - this.#asking }, () => this.#work()));
    if (!this.#asking) this.settled();
  }

  async #work() {
    this.#asking += 1;
    for (let tile = this.#next(); tile; tile = this.#next()) {
      this.#due.delete(tile);
      await tile.look();
    }
    this.#asking -= 1;
  }

  #next() {
    if (document.hidden) return undefined;
    return [...this.#due].find((tile) => tile.isLarge || this.#near.has(tile.node));
  }
}
