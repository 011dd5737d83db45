/** The storage page: how long the room lasts, its limits, and what they delete. */

import { read } from "./api.js";
import { guarded } from "./dialog.js";
import { announce, el, many, mayWrite, moment, replaceContent, words } from "./element.js";
import { changeBox, changeCamera, sentences, size } from "./limits.js";
import { preview } from "./retention.js";

const CHECKS = ["base_path", "storage", "storage_answering", "retention"];

const part = (id) => document.querySelector(`#${id}`);
let settings;

/** Loads the figures and limits and shows them. */
async function show() {
  try {
    const storage = await read("/api/system/storage");
    settings = await read("/api/settings");
    part("trouble").replaceChildren();
    part("room").replaceChildren(...room(storage));
    replaceContent(part("limits"), limits());
    const cards = storage.cameras.map(card);
    replaceContent(part("cameras"), cards.length ? cards : [el("li", {}, "No camera yet.")]);
    part("advice").replaceChildren(...await advice());
  } catch (problem) {
    const again = el("button", { type: "button", click: show }, "Try again");
    part("trouble").replaceChildren(`${problem.detail ?? problem} `, again);
  }
}

/** What the health checks of the disk say, where something is wrong. */
async function advice() {
  const { checks } = await read("/api/system/health").catch((problem) => problem);
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

function inWords(days) {
  if (days > 3653) return "More than 10 years are left";
  return days < 1 ? "Less than a day is left" : `${many(Math.floor(days), "day")} left`;
}

function lasting({ days_left: days, cameras }) {
  const strong = (text) => el("strong", {}, text);
  if (days !== null) {
    return [strong(inWords(days)), " until the disk is full, at the rate of the last 7 days."];
  }
  const isUsed = cameras.some((camera) => camera.bytes_per_day);
  return [strong(isUsed ? "A limit holds before the disk is full."
    : "Nothing was uploaded in 7 days.")];
}

function limits() {
  const change = el("button", { type: "button", id: "change",
    click: () => changeBox(settings, saved) }, "Change the limits");
  return [
    ...sentences(settings).map((text) => el("p", {}, text)),
    el("p", {}, "Kept pictures and the newest ones of each camera are never deleted. Those of an " +
      "event that nobody has reviewed stay for 30 days."),
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
    mayWrite && el("button",
      { type: "button", id: `limits-${camera.camera_id}`, click: change }, "Limits",
      el("span", { class: "unseen" }, " of ", words(name))), failed);
}

/** Shows what a changed limit would delete, while it can be taken back. */
async function saved(takeBack) {
  announce("The limits are saved.");
  await show();
  await preview(show, takeBack);
}

part("preview")?.addEventListener("click", () => preview(show));
await show();
