/** The pictures and clips around an event; each leads to the day of its camera. */

import { inTurn, read } from "./api.js";
import { el } from "./element.js";
import { Lookout } from "./lookout.js";
import { Thumb } from "./thumb.js";

const MOST = 100; // pictures of an event
const lookout = new Lookout(() => {});

/** The address of what a camera uploaded around the moment ``at``, or of one picture of then. */
export function dayAddress(cameraId, at, picture) {
  return `/cameras/${cameraId}?${new URLSearchParams({ at, ...(picture && { picture }) })}`;
}

/** A link to what the camera of an event uploaded around it. */
export function aroundLink({ camera_id: cameraId, started_at: at }, ...content) {
  return el("a", { href: dayAddress(cameraId, at) }, ...content);
}

/** The first small pictures of an event, oldest first, or a sentence that there is none. */
export async function picturesOf(event, isResized) {
  const path = `/api/events/${event.id}/pictures?limit=${MOST}&count=false`;
  const { pictures, next_cursor: next } = await inTurn(event.camera_id, () => read(path));
  if (!pictures.length) return el("p", {}, "Nothing was uploaded around this event.");
  const items = pictures.map((picture) => item(picture, isResized));
  const { taken_at: at, id } = pictures.at(-1);
  const further = next && el("p", {}, `Only the first ${MOST} are shown. `,
    el("a", { href: dayAddress(event.camera_id, at, id) }, "The others are in the camera's day."));
  return el("div", {}, el("ol", { class: "strip", role: "list",
    "aria-label": "Pictures around it" }, ...items), further);
}

function item({ camera_id: cameraId, id, taken_at: at, kind }, isResized) {
  const thumb = new Thumb(cameraId, id, isResized, lookout);
  lookout.demand(thumb);
  const time = el("time", { datetime: at }, new Date(at).toLocaleTimeString());
  return el("li", {}, el("a", { href: dayAddress(cameraId, at, id) },
    thumb.node, time, kind === "clip" && " clip"));
}
