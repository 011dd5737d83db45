/** How is a picture loaded? In one of few widths, so that few are made. */

import { ask, bodyOf, Problem } from "./api.js";

const WIDTHS = [320, 640, 960, 1280, 1920];
const NOT_RESIZED = ["picture_not_resizable", "resizing_not_installed"];

/** The width of ``node`` in pixels of the screen, rounded up; Infinity for a picture's own. */
export function widthOf(node) {
  const shown = node.clientWidth * devicePixelRatio;
  return WIDTHS.find((width) => width >= shown) ?? Infinity;
}

/** The Response with the picture in this width, or in its own where it cannot be resized. */
export async function askForPicture(path, width, options = {}) {
  if (width === Infinity) return ask(path, options);
  const sized = `${path}${path.includes("?") ? "&" : "?"}width=${width}`;
  return ask(sized, options).catch((problem) => {
    if (!NOT_RESIZED.includes(problem.code)) throw problem;
    return ask(path, options);
  });
}

/** An image of the bytes of a Response, decoded; throws a Problem with ``detail`` else. */
export async function decoded(response, detail) {
  const image = new Image();
  image.src = URL.createObjectURL(await bodyOf(response.blob()));
  await image.decode().catch(() => {
    URL.revokeObjectURL(image.src);
    throw new Problem(200, { code: "undecodable", detail });
  });
  return image;
}
