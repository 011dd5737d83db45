/** Where in its picture was something detected? Draws boxes over the picture. */

import { ask, inTurn } from "./api.js";
import { el } from "./element.js";
import { decoded } from "./sizes.js";

const SVG = "http://www.w3.org/2000/svg";
const SHARE = 70; // greatest height of a picture, in percent of the window's height
const LABEL = 0.875; // height of a label, relative to the page's font size

/** Object type and confidence: ``person 93 %``. */
export function label({ object_type: type, confidence }) {
  return `${type} ${Math.round(confidence * 100)} %`;
}

/** An element with the picture of a detection and a box for each of its ``detections``. */
export async function pictureOf(chosen, detections) {
  const image = await fetched(chosen);
  const same = detections.filter((other) => other.file_path === chosen.file_path && other.bbox);
  image.alt = `Picture of ${new Date(chosen.detected_at).toLocaleString()}: ${
    same.map(label).join(", ") || label(chosen)}`;
  const { naturalWidth: width, naturalHeight: height } = image;
  const boxes = svg("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
  for (const detection of same) boxes.append(...drawn(detection, detection === chosen));
  new ResizeObserver(() => place(boxes, image)).observe(image);
  const boxed = el("div", { class: "boxed" }, image, boxes);
  boxed.style.inlineSize = `${SHARE * width / height}vh`;
  return boxed;
}

async function fetched({ id, camera_id: cameraId }) {
  const path = `/api/detections/${id}/image`;
  const image = await inTurn(cameraId, async () =>
    decoded(await ask(path), "The picture cannot be shown."));
  URL.revokeObjectURL(image.src);
  return image;
}

/** A box, in pixels of the picture, and its label. */
function drawn(detection, isChosen) {
  const text = svg("text", {});
  text.textContent = label(detection);
  return [svg("rect", { ...detection.bbox, class: isChosen ? "chosen" : "other" }), text];
}

/** Places the labels at their boxes, inside the picture and legible at any size. */
function place(boxes, image) {
  const scale = image.naturalHeight / image.clientHeight;
  if (!Number.isFinite(scale)) return;
  const size = LABEL * parseFloat(getComputedStyle(boxes).fontSize) * scale;
  for (const text of boxes.querySelectorAll("text")) {
    const { x, y } = text.previousElementSibling;
    text.setAttribute("font-size", size);
    const edge = size / 6; // width of the letters' outline
    const last = image.naturalWidth - text.getComputedTextLength() - edge;
    text.setAttribute("x", Math.max(edge, Math.min(x.baseVal.value, last)));
    text.setAttribute("y", Math.max(y.baseVal.value - size / 4, size));
  }
}

function svg(tag, attributes) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}
