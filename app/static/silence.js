/** Since when has the service not answered about a camera? */

// Without an answer for so long it is not known what a camera shows now.
const UNANSWERED_MS = 15_000;

export class Silence {
  #heard = now();
  #asked = null; // when the request that runs began

  /** ``refreshMs``: between two rounds; where that is long, the next answer is due later. */
  constructor(refreshMs) {
    this.patience = UNANSWERED_MS + (refreshMs < UNANSWERED_MS ? 0 : refreshMs);
  }

  /** Notes that the service is asked for the camera's picture. */
  begin() {
    this.#asked = now();
  }

  /** Notes that it is not asked any more; ``isAnswered``: whether it has answered. */
  end(isAnswered) {
    this.#asked = null;
    if (isAnswered) this.hear();
  }

  /** Notes that the service has answered about the camera. */
  hear() {
    this.#heard = now();
  }

  /** Since when it has not answered; null where that is not long ago. */
  get since() {
    const isOver = ({ ms }, patience) => performance.now() - ms >= patience;
    if (this.#asked && isOver(this.#asked, UNANSWERED_MS)) return this.#asked.at;
    return isOver(this.#heard, this.patience) ? this.#heard.at : null;
  }
}

/** The present moment, by the clock that counts on and by the one on the wall. */
function now() {
  return { ms: performance.now(), at: new Date() };
}
