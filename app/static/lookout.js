/** Which pictures are asked for now? Those that are in view or nearly so, a few at a time. */

const AT_ONCE = 3; // the box answers 4 requests at once
const AHEAD = "50%"; // of the window's height, above and below it

export class Lookout {
  #near = new WeakSet(); // the nodes of tiles
  #due = new Set(); // tiles that have not been asked for in this round
  #asking = 0;

  /** ``settled`` is called whenever nothing more is asked for. */
  constructor(settled) {
    this.settled = settled;
    this.observer = new IntersectionObserver((seen) => {
      for (const { target, isIntersecting } of seen) {
        if (isIntersecting) this.#near.add(target);
        else this.#near.delete(target);
      }
      this.look();
    }, { rootMargin: `${AHEAD} 0px` });
  }

  /** A new round begins: of ``tiles``, those that may have changed are asked for once. */
  begin(tiles) {
    this.#due = new Set(tiles.filter((tile) => tile.isDue));
    return this.look();
  }

  /** Asks for what is due and seen; done when that is answered. */
  async look() {
    await Promise.all(Array.from({ length: AT_ONCE - this.#asking }, () => this.#work()));
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
