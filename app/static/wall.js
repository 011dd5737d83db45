/** The wall: a round of requests every few seconds, never two rounds at once. */

import { read } from "./api.js";
import { announce, el } from "./element.js";
import { Lookout } from "./lookout.js";
import { withPart } from "./part.js";
import { Tile } from "./tile.js";

const LONGEST_WAIT_MS = 300_000;
const COUNT_AGAIN_MS = 30_000;

const wall = document.querySelector("#wall");
const trouble = document.querySelector("#trouble");
const refreshMs = Number(wall.dataset.refresh) * 1000;
const tiles = new Map();
const lookout = new Lookout(arrange);
let running = false;
let wanted = false; // another round, as soon as this one is over
let failures = 0;
let countedAt = -Infinity; // when the unused folders were last counted
let timer;

/** Loads the list of cameras and begins to load every picture in view that may have changed. */
async function round() {
  const { cameras } = await read("/api/cameras");
  adopt(cameras);
  // A folder that does not answer delays its own tile, not the next round.
  lookout.begin([...tiles.values()]);
}

/** Starts a round now and the next one later; a hidden page sends no requests. */
async function refresh() {
  clearTimeout(timer);
  wanted = running;
  if (document.hidden || running) return;
  running = true;
  try {
    await round();
    failures = 0;
    trouble.replaceChildren();
  } catch (problem) {
    failures += 1;
    complain(problem);
  }
  running = false;
  timer = setTimeout(refresh, wanted ? 0 : wait());
}

function wait() {
  return Math.max(refreshMs, Math.min(LONGEST_WAIT_MS, refreshMs * 2 ** failures));
}

function complain(problem) {
  const seconds = `${wait() / 1000} s`;
  const now = el("button", { type: "button", click: refresh }, "Try now");
  trouble.replaceChildren(`${problem.detail ?? problem} Next attempt in ${seconds}. `, now);
}

/** Makes one tile for each camera and removes the others. */
function adopt(cameras) {
  const ids = new Set(cameras.map((camera) => camera.id));
  for (const [id, tile] of tiles) {
    if (ids.has(id)) continue;
    URL.revokeObjectURL(tile.picture);
    lookout.observer.unobserve(tile.node);
    tiles.delete(id);
  }
  for (const camera of cameras) {
    const tile = tiles.get(camera.id) ?? addTile(camera);
    tile.camera = camera;
    tile.silence.hear();
    tile.show();
  }
  wall.querySelectorAll(".tile").forEach((node) => ids.has(node.dataset.id) || removeTile(node));
  showEmpty(cameras.length === 0);
}

/** Removes a tile; if it had the focus, the focus moves to the top. */
function removeTile(node) {
  if (location.hash === `#${node.dataset.id}`) document.querySelector("#large")?.close();
  const wasHere = node.contains(document.activeElement);
  node.remove();
  if (wasHere) document.querySelector("#main").focus();
}

function addTile(camera) {
  const drawn = wall.querySelector(`[data-id="${CSS.escape(camera.id)}"]`);
  const node = drawn ?? document.querySelector("#tile").content.firstElementChild.cloneNode(true);
  node.dataset.id = camera.id;
  const name = node.querySelector(".name");
  name.textContent = camera.name;
  if (name.href !== undefined) name.href = `#${camera.id}`;
  if (!drawn) wall.append(node);
  const tile = new Tile(node, camera, wall.dataset);
  tiles.set(camera.id, tile);
  lookout.observer.observe(node);
  return tile;
}

/** Sorts the tiles by name or age, except while one of them has the focus. */
function arrange() {
  if (wall.contains(document.activeElement)) return;
  const name = (a, b) => a.camera.name.localeCompare(b.camera.name, undefined, { numeric: true });
  const age = (a, b) => a.rank - b.rank || name(a, b);
  const sorted = [...tiles.values()].sort(wall.dataset.order === "age" ? age : name);
  sorted.forEach((tile, at) => {
    if (wall.children[at] !== tile.node) wall.insertBefore(tile.node, wall.children[at] ?? null);
  });
}

function showEmpty(isEmpty) {
  document.querySelector("#empty").hidden = !isEmpty;
  const waiting = document.querySelector("#waiting");
  if (!isEmpty || waiting.contains(document.activeElement)) return;
  if (performance.now() - countedAt < COUNT_AGAIN_MS) return;
  countedAt = performance.now();
  withPart("./forms.js", async ({ waitingFolders }) => {
    waiting.replaceChildren(await waitingFolders(changed));
  });
}

/** Reloads after a change that was made on this page. */
async function changed(text) {
  announce(text);
  await refresh();
  const focused = document.activeElement.closest("body *");
  if (!focused?.checkVisibility()) document.querySelector("#main").focus();
}

/** Opens the large view of the camera in the address; Escape closes it. */
function open() {
  document.querySelector("#large")?.close();
  const tile = tiles.get(location.hash.slice(1));
  if (!tile) return;
  tile.isLarge = true;
  lookout.demand(tile);
  withPart("./camera.js", ({ enlarge }) => enlarge(tile, changed));
}

document.querySelector("#add")?.addEventListener("click", () => {
  withPart("./forms.js", ({ addCamera }) => addCamera(changed));
});
if (document.documentElement.matches(".kiosk") && !wall.dataset.columns) {
  withPart("./columns.js", ({ keepLargest }) => keepLargest(wall));
}
document.addEventListener("visibilitychange", refresh);
addEventListener("hashchange", open);
setInterval(() => document.hidden || tiles.forEach((tile) => tile.show()), 1000);
await refresh();
open();
