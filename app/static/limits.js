/** Which limits have the box and its cameras, in which units, and how are they changed? */

import { inTurn, Problem, read, send } from "./api.js";
import { formOf, opened } from "./dialog.js";
import { el, many, words } from "./element.js";

const GB = 1e9;
const SIZES = ["kilobyte", "megabyte", "gigabyte", "terabyte"];

/** The limits of the box by their names in the API; ``unit``: how many days or bytes 1 is. */
export const BOX = {
  keep_days: { title: "Greatest age in days", unit: 1 },
  keep_bytes: { title: "Room for all pictures and clips, in GB", unit: GB },
  keep_free_bytes: { title: "Room that stays free on each disk, in GB", unit: GB },
};
const CAMERA = {
  keep_days: { title: "Greatest age in days", unit: 1 },
  keep_bytes: { title: "Room for its pictures and clips, in GB", unit: GB },
};

/** A number of bytes in the reader's format: ``1.2 GB``. */
export function size(bytes) {
  const power = Math.min(SIZES.length, Math.floor(Math.log10(Math.max(1000, bytes)) / 3));
  const format = { style: "unit", unit: SIZES[power - 1], maximumSignificantDigits: 3 };
  return new Intl.NumberFormat(undefined, format).format(bytes / 1000 ** power);
}

/** The limits of the box in sentences. */
export function sentences({ keep_days: days, keep_bytes: bytes, keep_free_bytes: free }) {
  const said = [
    days && `Pictures and clips are deleted when they are older than ${many(days, "day")}.`,
    bytes && `All together may take ${size(bytes)}; the oldest are deleted first.`,
    free && `${size(free)} stay free on each disk; the oldest are deleted first.`,
  ].filter(Boolean);
  return said.length ? said : ["No limit is set for the box; its disk fills up in time."];
}

/** Opens the form for the limits of the box; calls ``saved`` with how to take them back. */
export function changeBox(settings, saved) {
  const fields = Object.entries(BOX).map(([name, { title, unit }]) => {
    const fixed = settings.fixed.includes(name);
    const hint = fixed ? `NVR_${name.toUpperCase()} in the environment of the service fixes it.`
      : "0: no limit.";
    return number(name, title, hint, settings[name] / unit, fixed);
  });
  open("Limits of the box", fields, BOX, settings, "/api/settings", saved);
}

/** Opens the form for the limits of a camera. */
export async function changeCamera({ camera_id: id, name }, box, saved) {
  const path = `/api/cameras/${id}/settings`;
  const settings = await inTurn(id, () => read(path));
  const { keep_days: days, keep_bytes: bytes } = settings;
  const ofBox = box.keep_days ? many(box.keep_days, "day") : "no limit";
  const fields = [
    el("p", {}, words(name)),
    number("keep_days", CAMERA.keep_days.title, `Empty: the box's (${ofBox}). 0: no limit.`, days),
    number("keep_bytes", CAMERA.keep_bytes.title, "0: no limit of its own.", (bytes ?? 0) / GB),
    el("p", { class: "check" },
      el("input", { type: "checkbox", name: "prune_existing", id: "f-prune_existing",
        checked: settings.prune_existing, "aria-describedby": "e-prune_existing" }),
      el("label", { for: "f-prune_existing" },
        "Files from before the camera had this folder may be deleted, too")),
    el("p", { class: "error", id: "e-prune_existing" }),
  ];
  open("Limits of this camera", fields, CAMERA, settings, path, saved);
}

function open(title, fields, limits, settings, path, saved) {
  const { form } = formOf(fields, "Save", async () => {
    const body = changes(form, limits);
    const names = Object.keys(body);
    if (names.length) await send(path, "PATCH", body);
    dialog.close();
    const before = Object.fromEntries(names.map((name) => [name, settings[name]]));
    if (names.length) await saved(() => send(path, "PATCH", before));
  });
  const dialog = opened(title, form);
}

/** What a person changed, in days and bytes; what was not touched is not rounded. */
function changes(form, limits) {
  const body = {};
  for (const [name, { unit }] of Object.entries(limits)) {
    const input = form.elements[name];
    if (input.validity.badInput) {
      throw new Problem(422, { errors: { json: { [name]: ["Give a number."] } } });
    }
    if (input.disabled || input.value === input.defaultValue) continue;
    const value = Number(input.value);
    if (input.value === "") body[name] = null;
    else body[name] = unit === 1 ? value : Math.round(value * unit);
  }
  const existing = form.elements.prune_existing;
  if (existing && existing.checked !== existing.defaultChecked) {
    body.prune_existing = existing.checked;
  }
  return body;
}

function number(name, title, hint, value, disabled = false) {
  return el("p", {}, el("label", { for: `f-${name}` }, title),
    el("small", { id: `h-${name}` }, hint),
    el("input", { type: "number", step: "any", min: "0", name, id: `f-${name}`, value, disabled,
      "aria-describedby": `h-${name} e-${name}` }),
    el("span", { class: "error", id: `e-${name}` }));
}
