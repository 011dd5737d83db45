/** A small picture of a picture or a clip, loaded when it comes into view. */

import { inTurn } from "./api.js";
import { el } from "./element.js";
import { askForPicture, decoded } from "./sizes.js";

const WIDTH = 320; // pixels; more is never asked for, not even on a fine screen
const UNDECODABLE = "Cannot be displayed.";
const SHORTEST_WAIT_MS = 2_000;
const LONGEST_WAIT_MS = 60_000;
const REASONS = { picture_not_found: "Gone.", no_thumbnail: "No preview." };

export class Thumb {
  node = el("span", { class: "thumb" });
  picture = ""; // URL of the bytes, once they are here
  isDue = true;
  #wait = SHORTEST_WAIT_MS;

  /** ``isResized``: whether the service makes pictures smaller. */
  constructor(cameraId, id, isResized, lookout) {
    this.path = `/api/cameras/${cameraId}/pictures/${id}?thumbnail=1`;
    Object.assign(this, { cameraId, lookout, width: isResized ? WIDTH : Infinity });
    lookout.observer.observe(this.node);
  }

  /** Loads it; where the service is in trouble, tries again later. */
  async look() {
    this.isDue = false;
    try {
      const image = await inTurn(this.cameraId, async () => decoded(
        await askForPicture(this.path, this.width, { cache: "default" }), UNDECODABLE));
      image.alt = "";
      this.picture = image.src;
      this.node.replaceChildren(image);
    } catch (problem) {
      if (problem.isTrouble) return this.#lookLater();
      this.node.textContent = REASONS[problem.code] ?? UNDECODABLE;
    }
  }

  /** Gives back what it holds. */
  drop() {
    this.isDue = false;
    this.#wait = Infinity;
    this.lookout.observer.unobserve(this.node);
    URL.revokeObjectURL(this.picture);
  }

  #lookLater() {
    if (this.#wait === Infinity) return;
    setTimeout(() => {
      this.isDue = this.#wait !== Infinity;
      this.lookout.demand(this);
    }, this.#wait);
    this.#wait = Math.min(LONGEST_WAIT_MS, 2 * this.#wait);
  }
}
