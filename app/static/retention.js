/** What does retention delete, now or in its next run, and why does it delete nothing? */

import { send } from "./api.js";
import { el, many, moment, words } from "./element.js";
import { size } from "./limits.js";

const PATIENCE_MS = 600_000; // a run is over before it is answered

const SUSPENDED = {
  clock: "Nothing is deleted, because the clock of the box cannot be right. Let the box set its " +
    "clock (NTP), or, if the clock is right, run prune --believe-clock on the box.",
  base_path_missing: "Nothing is deleted, because the folder of the uploads is missing. Connect " +
    "or mount its disk.",
  restored: "Nothing is deleted, because the database was restored or replaced, and its limits " +
    "may be old. Check the limits; then say that they are right, here or with prune --resume.",
};

/** Runs retention, or with ``isDry`` finds out what it would delete. */
export async function run(isDry) {
  const path = `/api/system/retention${isDry ? "?dry_run=true" : ""}`;
  return JSON.parse(await send(path, "POST", undefined, PATIENCE_MS));
}

/** ``12 pictures and 1 clip (3.4 MB)``. */
export function amount({ pictures, clips, bytes }) {
  return `${many(pictures, "picture")} and ${many(clips, "clip")} (${size(bytes)})`;
}

/** What a run deleted or would delete, or why it deletes nothing. */
export function report(result) {
  const { dry_run: isDry, suspended, pictures, clips, cameras } = result;
  if (suspended) return [el("p", {}, SUSPENDED[suspended] ?? `Nothing is deleted: ${suspended}.`)];
  const total = pictures + clips
    ? `${amount(result)} ${isDry ? "would be deleted" : "were deleted"}:`
    : `Nothing ${isDry ? "would be deleted" : "was deleted"}.`;
  const told = cameras.filter((camera) => camera.pictures + camera.clips + camera.existing > 0);
  return [el("p", {}, total), el("ul", {}, ...told.map((camera) => el("li", {}, ...line(camera))))];
}

function line({ name, oldest, newest, existing, ...camera }) {
  const goes = camera.pictures + camera.clips > 0;
  return [
    el("b", {}, words(name)), ": ", goes ? amount(camera) : "nothing",
    ...(goes ? [", from ", moment(oldest), " to ", moment(newest)] : []),
    existing ? `. ${many(existing, "file")} from before the camera had this folder ` +
      `${existing === 1 ? "stays" : "stay"}.` : ".",
  ];
}
