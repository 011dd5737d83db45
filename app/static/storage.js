/** The storage page: how long the room lasts, its limits, and what they delete. */

import { read, send } from "./api.js";
import { formOf, guarded, opened } from "./dialog.js";
import { announce, el, many, mayWrite, moment, words } from "./element.js";
import { BOX, changeBox, changeCamera, sentences, size } from "./limits.js";
import { amount, report, run } from "./retention.js";

const SAFE_MINUTES = 10; // a changed limit acts in an hourly run that much later at the earliest
const CHECKS = ["storage", "storage_answering", "retention"];

const part = (id) => document.querySelector(`#${id}`);
let settings;

/** Loads the figures and limits and shows them. */
async function show() {
  try {
    const storage = await read("/api/system/storage");
    settings = await read("/api/settings");
    part("trouble").replaceChildren();
    part("room").replaceChildren(...room(storage));
    part("limits").replaceChildren(...limits());
    part("cameras").replaceChildren(...storage.cameras.map(card));
    if (!storage.cameras.length) part("cameras").append(el("li", {}, "No camera yet."));
    part("advice").replaceChildren(...await advice());
  } catch (problem) {
    complain(problem, show);
  }
}

function complain(problem, again) {
  const button = el("button", { type: "button", click: again }, "Try again");
  part("trouble").replaceChildren(`${problem.detail ?? problem} `, button);
}

/** What the health checks of the disk say, where something is wrong. */
async function advice() {
  const { checks } = await read("/api/system/health").catch(() => ({ checks: {} }));
  return CHECKS.map((name) => checks[name]).filter((check) => check && check.status !== "healthy")
    .map((check) => el("p", {}, words(check.message)));
}

function room({ free_bytes: free, used_bytes: used, database_bytes: database, ...storage }) {
  const total = free + used;
  return [
    el("p", {}, ...lasting(storage)),
    el("p", {}, el("meter", { min: 0, max: total, value: used, "aria-label": "Used" })),
    el("p", {}, `${size(free)} of ${size(total)} are free. The database takes ${size(database)}.`),
  ];
}

function lasting({ days_left: days, cameras }) {
  const strong = (text) => el("strong", {}, text);
  if (days !== null) {
    const left = days < 1 ? "Less than a day is left" : `${many(Math.floor(days), "day")} left`;
    return [strong(left), " until the disk is full, at the rate of the last 7 days."];
  }
  const isUsed = cameras.some((camera) => camera.bytes_per_day);
  return [strong(isUsed ? "A limit holds before the disk is full."
    : "Nothing was uploaded in 7 days.")];
}

function limits() {
  const change = el("button", { type: "button", click: () => changeBox(settings, saved) },
    "Change the limits");
  return [
    ...sentences(settings).map((text) => el("p", {}, text)),
    el("p", {}, "Never deleted are kept pictures, the newest of each camera and those of events " +
      "that nobody reviewed for 30 days."),
    mayWrite && el("p", { class: "choices" }, change),
  ].filter(Boolean);
}

function card(camera) {
  const { name, pictures, clips, bytes, oldest, newest, bytes_per_day: rate } = camera;
  const failed = el("p", { class: "error", role: "alert" });
  const change = (event) => guarded(event.currentTarget, failed,
    () => changeCamera(camera, settings, saved));
  const facts = [
    ["Pictures", [pictures.toLocaleString()]], ["Clips", [clips.toLocaleString()]],
    ["Size", [size(bytes)]], ["A day", [size(rate ?? 0)]],
    ["Oldest", [oldest ? moment(oldest) : "none"]], ["Newest", [newest ? moment(newest) : "none"]],
  ];
  return el("li", {}, el("h3", {}, words(name)),
    el("dl", {}, ...facts.flatMap(([term, value]) => [
      el("dt", {}, term), el("dd", {}, ...value)])),
    mayWrite && el("button", { type: "button", click: change }, "Limits",
      el("span", { class: "unseen" }, " of ", words(name))), failed);
}

/** Shows what a changed limit would delete, while it can be taken back. */
async function saved(takeBack) {
  announce("The limits are saved.");
  await show();
  await preview(takeBack);
}

/** Shows what a run would delete now, with the buttons that make sense then. */
async function preview(takeBack) {
  part("plan").replaceChildren(el("p", {}, "Looking what would be deleted …"));
  try {
    const result = await run(true);
    part("plan").replaceChildren(el("div", {}, ...report(result), ...deadline(takeBack),
      el("p", { class: "choices" }, ...choices(result, takeBack))));
  } catch (problem) {
    part("plan").replaceChildren();
    complain(problem, () => preview(takeBack));
  }
}

function deadline(takeBack) {
  if (!takeBack) return [];
  const time = new Date(Date.now() + SAFE_MINUTES * 60_000).toLocaleTimeString();
  return [el("p", {}, `The limits are saved, but delete nothing before ${time}. ` +
    "Until then they can be taken back.")];
}

function choices({ suspended, pictures, clips, ...rest }, takeBack) {
  const failed = el("p", { class: "error", role: "alert" });
  const free = Object.keys(BOX).find((name) => !settings.fixed.includes(name));
  const button = (text, work) => el("button", { type: "button",
    click: (event) => guarded(event.currentTarget, failed, work) }, text);
  const back = async () => {
    await takeBack();
    announce("The old limits hold again.");
    await show();
    return preview();
  };
  return [
    takeBack && button("Take the change back", back),
    suspended === "restored" && free && button("The limits are right", () => resume(free)),
    pictures + clips > 0 && button("Delete now", () => confirm({ pictures, clips, ...rest })),
    failed,
  ].filter(Boolean);
}

/** Setting a limit again, to its present value too, ends the pause after a restore. */
async function resume(name) {
  await send("/api/settings", "PATCH", { [name]: settings[name] });
  await show();
  return preview();
}

/** Asks before it deletes. */
function confirm(result) {
  const deleteNow = async () => {
    const done = await run(false);
    dialog.close();
    part("plan").replaceChildren(el("div", {}, ...report(done)));
    announce("Deleted.");
    return show();
  };
  const { form } = formOf([
    el("p", {}, `${amount(result)} are deleted and cannot be brought back.`),
  ], "Delete", deleteNow);
  const dialog = opened("Delete these pictures and clips?", form);
}

part("preview")?.addEventListener("click", () => preview());
await show();
