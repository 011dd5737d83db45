/** What does the tile of one camera show, and when is its picture loaded again? */

import { inTurn, Problem } from "./api.js";
import { announce } from "./element.js";
import { Silence } from "./silence.js";
import { askForPicture, decoded, widthOf } from "./sizes.js";
import { ageText, stateOf } from "./state.js";

// A deleted picture changes nothing in the list of cameras, so every picture is checked sometimes.
const LOOK_ANYWAY_MS = 30_000;
const LONGEST_WAIT_MS = 300_000;
const UNDECODABLE = "The newest picture cannot be displayed.";

export class Tile {
  /** ``refresh`` and ``stale`` in seconds; ``resizes``: given if the service can resize. */
  constructor(node, camera, { stale, refresh, resizes }) {
    Object.assign(this, { node, camera, resizes, picture: "", etag: null, problem: null });
    Object.assign(this, { stale: Number(stale), silence: new Silence(refresh * 1000) });
    this.width = 0; // that the picture was asked for in, Infinity for its own
    this.age = null; // of the picture at the time ``measured``, in seconds
    this.measured = 0;
    this.asked = -Infinity;
    this.wait = LOOK_ANYWAY_MS;
    this.seen = ""; // the ``news`` of the camera when its picture was last requested
    this.unannounced = false; // whether the picture changed without ``news``
    this.isLarge = false; // whether the large view shows it
    this.part = (name) => node.querySelector(`.${name}`);
  }

  /** Whether the picture may have changed since it was loaded. */
  get isDue() {
    if (this.busy) return false;
    if (performance.now() - this.asked >= this.wait) return true;
    const isSmall = this.picture && this.wanted > this.width;
    return (isSmall || this.unannounced || this.seen !== this.news) && !this.problem?.isTrouble;
  }

  /** A text that changes when there may be a new picture. */
  get news() {
    return [this.camera.last_seen_at, this.camera.status, this.camera.folder_path].join("\n");
  }

  /** The width in pixels of the screen that the picture is shown in, rounded up. */
  get wanted() {
    return this.resizes !== undefined && !this.isLarge ? widthOf(this.part("picture")) : Infinity;
  }

  /** Loads the picture; one that is shown already costs a 304. */
  async look() {
    const isNews = this.seen !== this.news;
    this.busy = true;
    this.silence.begin();
    this.seen = this.news;
    try {
      const fresh = await inTurn(this.camera.id, () => this.#fetch());
      if (isNews || fresh) this.unannounced = !isNews;
      this.problem = null;
      this.wait = LOOK_ANYWAY_MS;
    } catch (problem) {
      this.#fail(problem);
    }
    this.silence.end(this.problem?.status !== 0);
    this.busy = false;
    this.asked = performance.now();
    this.show();
  }

  /** The present age of the picture in seconds; null without a picture. */
  get seconds() {
    return this.age === null ? null : this.age + (performance.now() - this.measured) / 1000;
  }

  /** Sort key by age; the last upload counts while the picture has not been loaded. */
  get rank() {
    const last = this.asked === -Infinity ? this.camera.last_seen_at : null;
    return this.seconds ?? (last ? (Date.now() - Date.parse(last)) / 1000 : Number.MAX_VALUE);
  }

  /** Updates the tile; elements that are right already are not touched. */
  show() {
    const unanswered = this.silence.since;
    if (this.asked === -Infinity && !unanswered) return;
    const age = this.seconds;
    const { status, name } = this.camera;
    const state = stateOf({ status, age, problem: this.problem, unanswered }, this.stale);
    const before = this.node.dataset.state;
    const news = unanswered ? `No answer about ${name}.` : `${name} is ${state} now.`;
    if (before && before !== state) announce(news);
    if (before !== state) this.node.dataset.state = this.part("state").textContent = state;
    if (unanswered) this.#write("age", `since ${unanswered.toLocaleTimeString()}`);
    else this.#write("age", age === null ? "" : ageText(age));
    this.#write("why", this.#reason());
    this.#write("name", name);
    this.node.dispatchEvent(new Event("shown"));
  }

  async #fetch() {
    const width = this.wanted;
    const headers = this.etag ? { "If-None-Match": this.etag } : {};
    const path = `/api/cameras/${this.camera.id}/snapshot`;
    const answer = await askForPicture(path, width, { headers });
    Object.assign(this, { width, etag: answer.headers.get("ETag") });
    if (answer.status !== 304) await this.#swap(answer);
    else if (!this.picture) throw new Problem(200, { code: "undecodable", detail: UNDECODABLE });
    this.age = Number(answer.headers.get("X-Snapshot-Age"));
    this.measured = performance.now();
    return answer.status !== 304;
  }

  /** Decodes the new picture first, so that nothing flickers. */
  async #swap(answer) {
    const image = await decoded(answer, UNDECODABLE);
    const old = this.node.querySelector("img");
    image.alt = `Newest picture of ${this.camera.name}`;
    if (old) old.replaceWith(image);
    else this.part("picture").prepend(image);
    URL.revokeObjectURL(this.picture);
    this.picture = image.src;
  }

  #fail(problem) {
    this.problem = problem;
    if (problem.isTrouble) {
      if (!this.picture) this.etag = null;
      this.wait = Math.min(LONGEST_WAIT_MS, 2 * this.wait);
      return;
    }
    this.wait = LOOK_ANYWAY_MS;
    this.age = null;
    if (problem.code !== "undecodable") this.etag = null;
    this.node.querySelector("img")?.remove();
    URL.revokeObjectURL(this.picture);
    this.picture = "";
  }

  #reason() {
    const { status } = this.camera;
    if (!this.problem) return status === "online" ? "" : `Its status is ${status}.`;
    const again = this.problem.isTrouble ? ` Next attempt in ${this.wait / 1000} s.` : "";
    return this.problem.detail + again;
  }

  #write(part, text) {
    const node = this.part(part);
    if (node.textContent !== text) node.textContent = text;
  }
}
