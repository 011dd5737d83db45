/** Looks for new uploads of a camera every few seconds. */

import { inTurn, read } from "./api.js";

const LONGEST_WAIT_MS = 300_000;

/**
 * Calls ``update`` when the camera has uploaded since ``seen``, while the page shows the present
 * day and is not hidden; ``refresh``: seconds between two requests.
 */
export function follow(cameraId, { refresh, seen, isPresent, update, complain }) {
  let known = seen;
  let failures = 0;
  let timer = setTimeout(look, refresh * 1000);

  async function look() {
    clearTimeout(timer);
    try {
      if (!document.hidden && isPresent()) await ask();
      if (failures) complain(null);
      failures = 0;
    } catch (problem) {
      failures += 1;
      complain(problem, look);
    }
    timer = setTimeout(look, Math.min(LONGEST_WAIT_MS, refresh * 1000 * 2 ** failures));
  }

  async function ask() {
    const camera = await inTurn(cameraId, () => read(`/api/cameras/${cameraId}`));
    if ((camera.last_seen_at ?? "") !== known) await update();
    known = camera.last_seen_at ?? "";
  }

  document.addEventListener("visibilitychange", () => document.hidden || look());
}
