/** Forms to add, change and delete a camera through the API. */

import { inTurn, read, send } from "./api.js";
import { closeDialog, formOf, guarded, opened } from "./dialog.js";
import { el, many, mayWrite, words } from "./element.js";
import { ageText } from "./state.js";

const FIELDS = { name: "Name", folder_path: "Upload folder" };
const HINTS = { folder_path: "Absolute, or relative to the base path" };

/** Opens the form for a new camera; calls ``changed`` with what was done. */
export function addCamera(changed) {
  const told = (text) => (dialog.close(), changed(text));
  const add = async (body) => {
    const { id, name } = JSON.parse(await send("/api/cameras", "POST", body));
    await told(`${name} is registered.`);
    return showFolderProblem(id, name);
  };
  const { form } = formOf(fields({}), "Add", add);
  const folders = el("div", {});
  const dialog = opened("Add a camera", form, folders);
  waitingFolders(told).then((list) => folders.append(list));
}

/** Opens the form for the name and folder of ``camera``. */
export function changeCamera(camera, changed) {
  const save = async (body) => {
    await inTurn(camera.id, () => send(`/api/cameras/${camera.id}`, "PATCH", body));
    dialog.close();
    await changed(`${body.name} is changed.`);
    return showFolderProblem(camera.id, body.name);
  };
  const dialog = opened("Rename or move", formOf(fields(camera), "Save", save).form);
}

/** Opens a dialog if the folder of a camera cannot be listed: says why and what to do. */
async function showFolderProblem(id, name) {
  const found = await inTurn(id, () => read(`/api/cameras/${id}/diagnostics`)).catch(() => null);
  if (!found || found.readable || !found.problems.length) return;
  opened("The upload folder cannot be used yet", el("p", {}, words(name)),
    el("p", {}, words(found.problems[0].message)),
    el("p", { class: "choices" }, el("button", { type: "button", click: closeDialog }, "Close")));
}

/** Asks whether to delete ``camera``, and says what is deleted with it. */
export async function deleteCamera(camera, changed) {
  const count = async (what) =>
    (await inTurn(camera.id, () => read(`/api/${what}?camera_id=${camera.id}&limit=1`))).count;
  const losses = el("p", {}, "…");
  const remove = async () => {
    await inTurn(camera.id, () => send(`/api/cameras/${camera.id}`, "DELETE"));
    dialog.close();
    return changed(`${camera.name} is deleted.`);
  };
  const { form, submit } = formOf(
    [el("p", {}, words(camera.name)), losses], "Delete", remove);
  submit.disabled = true;
  const dialog = opened("Delete this camera?", form);
  try {
    const [seen, happened] = [await count("detections"), await count("events")];
    const went = `${many(seen, "detection")} and ${many(happened, "event")}`;
    losses.textContent = `${went} will be deleted with it. Its pictures stay in their folder.`;
    submit.disabled = false;
  } catch (problem) {
    losses.textContent = problem.detail;
  }
}

/** The upload folders that no camera uses, with a button each that registers it. */
export async function waitingFolders(changed) {
  let folders;
  try {
    ({ folders } = await read("/api/folders"));
  } catch (problem) {
    return el("p", {}, problem.code === "not_found"
      ? "The list of unused folders is not available here." : problem.detail);
  }
  if (!folders.length) return el("p", {}, "There is no upload folder without a camera.");
  return el("div", {}, el("h3", {}, "Upload folders without a camera"),
    el("ul", { role: "list" }, ...folders.map((folder) => waiting(folder, changed))));
}

function waiting({ name, folder_path: path, pictures, newest_at: newest }, changed) {
  const failed = el("p", { class: "error", role: "alert" });
  const register = (event) => guarded(event.currentTarget, failed, async () => {
    await send("/api/cameras", "POST", { name, folder_path: path });
    await changed(`${name} is registered.`);
  });
  const count = pictures.complete ? many(pictures.count, "picture")
    : `${pictures.count} or more pictures`;
  const age = newest ? `, the newest ${ageText((Date.now() - Date.parse(newest)) / 1000)}` : "";
  const button = el("button", { type: "button", click: register }, "Register ", words(name));
  return el("li", {}, mayWrite ? button : words(name), ` ${count}${age}`, failed);
}

/** A field for each value of ``camera`` that a person may change. */
function fields(camera) {
  return Object.keys(FIELDS).map((name) => field(name, camera[name] ?? ""));
}

function field(name, value) {
  const hint = HINTS[name] ? el("small", {}, HINTS[name]) : null;
  const input = el("input", { name, id: `f-${name}`, "aria-describedby": `e-${name}`, value,
    dir: "auto", autocomplete: "off", autofocus: name === "name" });
  return el("p", {}, el("label", { for: `f-${name}` }, FIELDS[name]), hint, input,
    el("span", { class: "error", id: `e-${name}` }));
}
