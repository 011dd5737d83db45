/** The picture or clip that is shown large, and what can be done with it. */

import { ask, bodyOf, inTurn, send } from "./api.js";
import { formOf, guarded, opened } from "./dialog.js";
import { el, mayWrite, words } from "./element.js";
import { size } from "./limits.js";
import { askForPicture, decoded, widthOf } from "./sizes.js";

const UNPLAYABLE = "This browser cannot play this clip. Its format may be one that the browser "
  + "does not know, such as H.265. Save it and open it in a video player. ";

export class Viewer {
  row = null;
  url = ""; // of the bytes of the picture, to be given back

  /**
   * ``changed`` is called with the row that was kept or released, ``deleted`` with the one that was
   * deleted, ``complain`` with the problem where that failed.
   */
  constructor(node, { cameraId, zone, isResized, ...calls }) {
    Object.assign(this, { cameraId, zone, isResized, calls });
    this.figure = node.querySelector(".shown");
    this.caption = node.querySelector("figcaption");
    this.tools = node.querySelector(".tools");
    this.save = el("a", { class: "button", download: true }, "Save");
    const button = (text, click) => mayWrite && el("button", { type: "button", click }, text);
    this.keep = button("Keep", () => this.#keep());
    this.tools.append(...[this.save, this.keep, button("Delete", () => this.#delete())]
      .filter(Boolean));
  }

  /** Shows a row; ``preview`` is a smaller picture of it, until it is here. */
  show(row, preview) {
    const isShown = this.row?.id === row.id;
    this.row = row;
    this.#paint();
    if (isShown) return undefined;
    if (row.kind === "clip") return this.#put(this.#player(row));
    this.#put(preview ? el("img", { src: preview, alt: this.title }) : el("p", {}, "…"));
    return this.#load(row);
  }

  /** Shows a sentence where there is no picture. */
  say(text) {
    this.row = null;
    this.tools.hidden = true;
    this.caption.replaceChildren();
    this.#put(el("p", {}, text));
  }

  get title() {
    const { kind, taken_at: at } = this.row;
    const ms = Date.parse(at);
    return `${kind === "clip" ? "Clip" : "Picture"} of ${this.zone.day(ms)} ${this.zone.time(ms)}`;
  }

  #paint() {
    const { name, size: bytes, kept } = this.row;
    this.tools.hidden = false;
    this.save.href = this.#path(this.row);
    this.caption.replaceChildren(el("b", {}, this.title), " ", words(name), ` ${size(bytes)}`,
      kept ? ", kept: retention never deletes it" : "");
    if (this.keep) this.keep.textContent = kept ? "Release" : "Keep";
  }

  async #load(row) {
    const width = this.isResized ? widthOf(this.figure) : Infinity;
    const isWanted = () => this.row?.id === row.id;
    const alt = this.title;
    const image = await inTurn(this.cameraId, async () => isWanted() && decoded(
      await askForPicture(this.#path(row), width, { cache: "default" }),
      "This picture cannot be displayed. Save it to keep its bytes.",
    )).catch((problem) => this.#fail(row, problem));
    if (!image) return;
    image.alt = alt;
    if (isWanted()) this.#put(image, image.src);
    else URL.revokeObjectURL(image.src);
  }

  #player(row) {
    const refuse = async () => {
      const first = { headers: { Range: "bytes=0-0" } };
      const isThere = await inTurn(this.cameraId, async () =>
        bodyOf((await ask(this.#path(row), first)).blob()),
      ).catch((problem) => this.#fail(row, problem));
      if (!isThere || this.row?.id !== row.id) return;
      const save = el("a", { class: "button", href: this.#path(row), download: true },
        "Save the clip");
      this.#put(el("p", {}, UNPLAYABLE, save));
    };
    const video = el("video", { src: `${this.#path(row)}?disposition=inline`, controls: true,
      playsinline: true, preload: "metadata", "aria-label": this.title, error: refuse,
      // Of a clip whose pictures it cannot decode a browser may play the sound alone.
      loadedmetadata: () => video.videoWidth || refuse() });
    return video;
  }

  /** Says why a picture or clip is not shown. */
  #fail(row, { detail, isTrouble }) {
    if (this.row?.id !== row.id) return;
    const again = () => {
      this.row = null;
      this.show(row, "");
    };
    this.#put(el("p", {}, `${detail} `,
      isTrouble && el("button", { type: "button", click: again }, "Try again")));
  }

  /** Puts a node into the figure; a clip that was there is loaded no further. */
  #put(node, url = "") {
    for (const video of this.figure.querySelectorAll("video")) {
      video.removeAttribute("src");
      video.load();
    }
    URL.revokeObjectURL(this.url);
    this.url = url;
    this.figure.replaceChildren(node);
  }

  async #keep() {
    const { row, keep } = this;
    const method = row.kept ? "DELETE" : "PUT";
    const problem = await guarded(keep, el("span", {}), async () => this.calls.changed(JSON.parse(
      await inTurn(this.cameraId, () => send(`${this.#path(row)}/keep`, method)))));
    if (problem) this.calls.complain(problem);
  }

  #delete() {
    const { row, title } = this;
    const remove = async () => {
      await inTurn(this.cameraId, () => send(this.#path(row), "DELETE"));
      dialog.close();
      return this.calls.deleted(row);
    };
    const content = [el("p", {}, title, " ", words(row.name)),
      el("p", {}, "Its file is deleted from the camera's folder and cannot be restored.")];
    const dialog = opened(`Delete this ${row.kind}?`, formOf(content, "Delete", remove).form);
  }

  #path({ id }) {
    return `/api/cameras/${this.cameraId}/pictures/${id}`;
  }
}
