/** The list of events: filters, pages, keys and review. */

import { inTurn, read, send } from "./api.js";
import { aroundLink, picturesOf } from "./around.js";
import { label, pictureOf } from "./boxes.js";
import { announce, el, many, mayWrite, moment, words } from "./element.js";

const PAGE = 50;
const filter = document.querySelector("#filter");
const list = document.querySelector("#events");
const more = document.querySelector("#more");
const found = document.querySelector("#found");
const trouble = document.querySelector("#trouble");
const names = new Map(
  [...filter.elements.camera_id.options].map((option) => [option.value, option.text]));
let cursor = null;
let count = 0;
let asking = 0; // counts requests, so that a late response to an earlier one is ignored

/** The form's values as filters of the API; the day is in the reader's time zone. */
function filters() {
  const { day, ...rest } = Object.fromEntries(
    [...new FormData(filter)].filter(([, value]) => value));
  if (!day) return rest;
  const start = new Date(`${day}T00:00`);
  const end = new Date(start);
  end.setDate(end.getDate() + 1);
  return { ...rest, start_date: start.toISOString(), end_date: end.toISOString() };
}

/** Loads the newest events, or the page after the last one. */
async function load(isFurther) {
  const mine = (asking += 1);
  const query = { ...filters(), limit: PAGE, ...(isFurther ? { cursor, count: "false" } : {}) };
  more.disabled = true;
  try {
    const page = await read(`/api/events?${new URLSearchParams(query)}`);
    if (mine !== asking) return;
    trouble.replaceChildren();
    write(page, isFurther);
  } catch (problem) {
    if (mine !== asking) return;
    const again = el("button", { type: "button", click: () => load(isFurther) }, "Try again");
    trouble.replaceChildren(`${problem.detail ?? problem} `, again);
  }
  more.disabled = false;
}

function write({ events, count: all, next_cursor: next }, isFurther) {
  count = all ?? count;
  cursor = next;
  const rows = events.map(row);
  if (isFurther) list.append(...rows);
  else list.replaceChildren(...rows);
  if (isFurther) rows[0]?.focus();
  more.hidden = !next;
  found.textContent = count ? `${list.children.length} of ${many(count, "event")}` : "No events.";
}

/** The row of an event, with its keys. */
function row(event) {
  const button = mayWrite ? el("button",
    { type: "button", "aria-keyshortcuts": "R", click: toggle }, "Reviewed") : el("span", {});
  const score = event.risk_score === null ? "no score" : `${event.risk_level} ${event.risk_score}`;
  const node = el("li", { tabindex: "-1", keydown: keys },
    el("p", { class: "facts" }, moment(event.started_at), " ",
      el("b", { class: "level", "data-level": event.risk_level ?? "none" }, score), " ",
      words(names.get(event.camera_id) ?? event.camera_id)),
    el("p", { class: "summary" }, words(event.summary || "No summary.")),
    el("p", { class: "choices" }, button, aroundLink(event, "Pictures around it")), details(event));
  const paint = () => {
    if (mayWrite) button.setAttribute("aria-pressed", event.reviewed);
    else button.textContent = event.reviewed ? "Reviewed" : "Not reviewed";
  };
  let saving = false;

  async function toggle() {
    if (saving) return;
    saving = true;
    const body = { reviewed: !event.reviewed };
    try {
      await inTurn(event.camera_id, () => send(`/api/events/${event.id}`, "PATCH", body));
      Object.assign(event, body);
      paint();
      announce(event.reviewed ? "Reviewed." : "Not reviewed.");
    } catch (problem) {
      trouble.replaceChildren(problem.detail ?? `${problem}`);
    }
    saving = false;
  }

  function keys(press) {
    if (press.ctrlKey || press.metaKey || press.altKey) return;
    const does = {
      r: mayWrite && toggle,
      ArrowDown: () => node.nextElementSibling?.focus(),
      ArrowUp: () => node.previousElementSibling?.focus(),
    }[press.key.length === 1 ? press.key.toLowerCase() : press.key];
    if (!does) return;
    press.preventDefault();
    does();
  }

  paint();
  return node;
}

/** The rest of an event, loaded when it is opened. */
function details(event) {
  const body = el("div", {});
  const fill = async () => {
    if (!node.open || body.childElementCount) return;
    const texts = [["Reasoning", event.reasoning], ["Notes", event.notes]].filter(([, t]) => t);
    body.append(...texts.map(([name, text]) => el("p", {}, el("b", {}, `${name}: `), words(text))));
    const path = `/api/events/${event.id}/detections?limit=${PAGE}&count=false`;
    const seen = await inTurn(event.camera_id, () => read(path)).catch(() => ({ detections: [] }));
    body.append(el("p", {}, seen.detections.map(label).join(", ") || "No detection."));
    const shown = seen.detections.find((detection) => detection.file_path);
    const said = (problem) => el("p", {}, problem.detail);
    if (shown) body.append(await pictureOf(shown, seen.detections).catch(said));
    body.append(await picturesOf(event, "resizes" in list.dataset).catch(said));
  };
  const text = `More, ${many(event.detection_count, "detection")}`;
  const node = el("details", { toggle: fill }, el("summary", {}, text), body);
  return node;
}

/** The address and the download follow the form. */
function follow() {
  const chosen = [...new FormData(filter)].filter(([, value]) => value);
  history.replaceState(null, "", chosen.length ? `?${new URLSearchParams(chosen)}` : "/events");
  document.querySelector("#csv").href = `/api/events/export?${new URLSearchParams(filters())}`;
  return load(false);
}

document.addEventListener("keydown", (press) => {
  if (press.key !== "ArrowDown" || document.activeElement !== document.body) return;
  press.preventDefault();
  list.firstElementChild?.focus();
});
filter.addEventListener("submit", (event) => event.preventDefault());
filter.addEventListener("change", follow);
more.addEventListener("click", () => load(true));
document.querySelector("#csv").href = `/api/events/export?${new URLSearchParams(filters())}`;
load(false);
