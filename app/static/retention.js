/** What would retention delete now, or why nothing? Shows it, and deletes on request. */

import { Problem, read, send } from "./api.js";
import { formOf, guarded, opened } from "./dialog.js";
import { announce, el, many, moment, replaceContent, words } from "./element.js";
import { BOX, size } from "./limits.js";

const PATIENCE_MS = 600_000; // a run is over before it is answered
const SAFE_MINUTES = 10; // a changed limit acts in an hourly run that much later at the earliest

const SUSPENDED = {
  clock: "Nothing is deleted, because the clock of the box cannot be right. Let the box set its " +
    "clock (NTP), or, if the clock is right, run prune --believe-clock on the box.",
  base_path_missing: "Nothing is deleted, because the folder of the uploads is missing. Connect " +
    "or mount its disk.",
  restored: "Nothing is deleted, because the database was restored or replaced, and its limits " +
    "may be old. Check the limits; then say that they are right, here or with prune --resume.",
};

/** Runs retention, or with ``isDry`` finds out what it would delete. */
async function run(isDry) {
  const path = `/api/system/retention${isDry ? "?dry_run=true" : ""}`;
  return JSON.parse(await send(path, "POST", undefined, PATIENCE_MS));
}

/** ``12 pictures and 1 clip (3.4 MB)``. */
function amount({ pictures, clips, bytes }) {
  return `${many(pictures, "picture")} and ${many(clips, "clip")} (${size(bytes)})`;
}

/** What a run deleted or would delete, or why it deletes nothing. */
function report(result) {
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

/**
 * Shows what a run would delete now, with the buttons that make sense then.
 *
 * ``changed`` loads the page's figures again; ``takeBack`` undoes the change that was just made.
 */
export async function preview(changed, takeBack) {
  put(el("p", {}, "Looking what would be deleted …"));
  try {
    const result = await run(true);
    put(el("div", {}, ...report(result), ...deadline(takeBack),
      ...choices(result, changed, takeBack)));
  } catch (problem) {
    put(el("p", { class: "error" }, problem.detail ?? `${problem}`));
  }
}

function put(content) {
  const [plan, button] = ["#plan", "#preview"].map((each) => document.querySelector(each));
  replaceContent(plan, [content], button);
}

function deadline(takeBack) {
  if (!takeBack) return [];
  const time = new Date(Date.now() + SAFE_MINUTES * 60_000).toLocaleTimeString();
  return [el("p", {}, "The limits are saved, but the hourly run deletes nothing by them before " +
    `${time}. Until then they can be taken back.`)];
}

function choices(result, changed, takeBack) {
  const failed = el("p", { class: "error", role: "alert" });
  const button = (text, work) => el("button", { type: "button",
    click: (event) => guarded(event.currentTarget, failed, work) }, text);
  const after = async (work, text) => {
    await work();
    announce(text);
    await changed();
    return preview(changed);
  };
  const row = el("p", { class: "choices" });
  if (takeBack) {
    const back = () => after(takeBack, "The old limits hold again.");
    row.append(button("Take the change back", back));
  }
  if (result.suspended === "restored") {
    row.append(button("The limits are right", () => after(resume, "Retention goes on.")));
  }
  if (result.pictures + result.clips) row.append(button("Delete now", () => ask(result, changed)));
  return [row, failed];
}

/** Sets a limit to its present value, which ends the pause after a restore. */
async function resume() {
  const settings = await read("/api/settings");
  const name = Object.keys(BOX).find((each) => !settings.fixed.includes(each));
  const detail = "The environment fixes all limits; run prune --resume on the box.";
  if (!name) throw new Problem(409, { detail });
  await send("/api/settings", "PATCH", { [name]: settings[name] });
}

/** Asks the person whether to delete, then deletes. */
function ask(result, changed) {
  const { form } = formOf([
    el("p", {}, `${amount(result)} are deleted and cannot be brought back.`),
  ], "Delete", async () => {
    const done = await run(false);
    dialog.close();
    put(el("div", {}, ...report(done)));
    announce("Deleted.");
    await changed();
  });
  const dialog = opened("Delete these pictures and clips?", form);
}
