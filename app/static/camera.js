/** The large view of one camera: its picture, events, diagnostics and changes. */

import { pictureOf } from "./boxes.js";
import { el, mayWrite, words } from "./element.js";
import * as facts from "./facts.js";
import { changeCamera, deleteCamera } from "./forms.js";

/** Opens the camera of ``tile`` over the wall; calls ``changed`` with what was done there. */
export async function enlarge(tile, changed) {
  const { id } = tile.camera;
  const title = el("h2", { id: "large-title", tabindex: "-1" });
  const figure = el("figure", {});
  const line = el("p", { class: "facts" });
  const parts = [
    facts.detections(id, (chosen, all) => show(chosen, all)),
    facts.events(id),
    facts.diagnostics(id),
    facts.audit(id),
  ];
  const dialog = el("dialog", { id: "large", "aria-labelledby": "large-title", close: gone },
    el("div", { class: "bar" }, title,
      el("button", { type: "button", click: () => dialog.close() }, "Close")),
    figure, line, el("p", { class: "choices" },
      el("a", { class: "button", href: `/cameras/${id}` }, "Pictures by time"), ...buttons()),
    el("div", { class: "sections" }, ...parts.map(([node]) => node)));
  let chosenId = null;
  let shown = null; // the newest picture, if that is shown

  function buttons() {
    const button = (text, click) => el("button", { type: "button", click }, text);
    const told = (text) => changed(text).then(fill);
    return mayWrite ? [
      button("Rename or move", () => changeCamera(tile.camera, told)),
      button("Delete", () => deleteCamera(tile.camera, (text) => (dialog.close(), changed(text)))),
    ] : [];
  }

  function newest() {
    const { name } = tile.camera;
    if (title.textContent !== name) title.replaceChildren(words(name));
    line.textContent = ["state", "age", "why"].map((part) => tile.part(part).textContent).join(" ");
    if (chosenId !== null || shown === tile.picture) return;
    shown = tile.picture;
    const alt = `Newest picture of ${name}`;
    figure.replaceChildren(tile.picture ? el("img", { src: tile.picture, alt })
      : el("p", {}, "No picture."));
  }

  async function show(chosen, all) {
    const wasChosen = chosenId === chosen.id;
    chosenId = wasChosen ? null : chosen.id;
    for (const button of dialog.querySelectorAll("[data-detection]")) {
      button.setAttribute("aria-pressed", button.dataset.detection === `${chosenId}`);
    }
    if (wasChosen) return newest();
    const picture = await pictureOf(chosen, all).catch((problem) => el("p", {}, problem.detail));
    if (chosenId !== chosen.id) return;
    shown = null;
    const caption = "Press the same button again to see the newest picture.";
    figure.replaceChildren(picture, el("figcaption", {}, caption));
    figure.scrollIntoView({ block: "nearest" });
  }

  async function fill() {
    for (const [, load] of parts) await load();
  }

  function gone() {
    tile.isLarge = false;
    tile.node.removeEventListener("shown", newest);
    dialog.remove();
    if (location.hash !== `#${id}`) return;
    history.replaceState(null, "", location.pathname + location.search);
  }

  tile.node.addEventListener("shown", newest);
  newest();
  document.body.append(dialog);
  dialog.showModal();
  title.focus();
  await fill();
}
