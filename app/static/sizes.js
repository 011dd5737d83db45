/** In which width is the picture of a camera asked for? In few, so that few are made. */

import { ask } from "./api.js";

const WIDTHS = [320, 640, 960, 1280, 1920];
const NOT_RESIZED = ["picture_not_resizable", "resizing_not_installed"];

/** The width of ``node`` in pixels of the screen, rounded up; Infinity for a picture's own. */
export function widthOf(node) {
  const shown = node.clientWidth * devicePixelRatio;
  return WIDTHS.find((width) => width >= shown) ?? Infinity;
}

/** The Response with the picture in this width, or in its own where it cannot be resized. */
export async function askForPicture(cameraId, width, etag) {
  const path = `/api/cameras/${cameraId}/snapshot`;
  const headers = etag ? { "If-None-Match": etag } : {};
  if (width === Infinity) return ask(path, { headers });
  return ask(`${path}?width=${width}`, { headers }).catch((problem) => {
    if (!NOT_RESIZED.includes(problem.code)) throw problem;
    return ask(path, { headers });
  });
}
