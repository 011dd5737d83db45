/** The sections of the large view: each is loaded from the API and shown as text. */

import { inTurn, read } from "./api.js";
import { aroundLink } from "./around.js";
import { el, moment, words } from "./element.js";
import { ageText } from "./state.js";
import { label } from "./boxes.js";

const MOST = 10; // rows of each list

/** A section, and what loads it: ``fill`` turns the JSON of ``path`` into its content. */
function section(cameraId, title, path, fill) {
  const body = el("div", {}, el("p", {}, "…"));
  const node = el("section", {}, el("h3", {}, title), body);
  const load = () => read(path).then(fill).catch((problem) => [el("p", {}, sentence(problem))]);
  return [node, async () => body.replaceChildren(...(await inTurn(cameraId, load)))];
}

function sentence(problem) {
  return problem.code === "not_found" ? "Not available here." : problem.detail ?? `${problem}`;
}

/** The latest detections, each a button that shows it by calling ``choose``. */
export function detections(id, choose) {
  const path = `/api/detections?camera_id=${id}&limit=${MOST}&count=false`;
  return section(id, "Detections", path, ({ detections: rows }) => list(rows, (row) => {
    const press = () => choose(row, rows);
    const text = [words(label(row)), " ", moment(row.detected_at)];
    return [el("button", { type: "button", click: press, "data-detection": row.id }, ...text)];
  }));
}

export function events(id) {
  const path = `/api/events?camera_id=${id}&limit=${MOST}&count=false`;
  return section(id, "Events", path, ({ events: rows }) => [
    ...list(rows, (row) => [
      aroundLink(row, moment(row.started_at)), " ",
      el("b", { class: "level" }, row.risk_level ?? "no score"), " ",
      words(row.summary), row.reviewed ? " (reviewed)" : "",
    ]),
    el("p", {}, el("a", { href: `/events?camera_id=${id}` }, "All events of this camera")),
  ]);
}

export function audit(id) {
  const path = `/api/audit?resource_id=${id}&limit=${MOST}&count=false`;
  return section(id, "Changes", path, ({ entries }) => list(entries, (entry) => [
    moment(entry.timestamp), " ", entry.action.replaceAll("_", " "), " by ", words(entry.actor),
    ...Object.entries(entry.details.changes ?? {}).flatMap(([field, { old, new: now }]) => [
      `; ${field.replaceAll("_", " ")} `, words(`${old}`), " → ", words(`${now}`)]),
  ]));
}

/** What a person needs to know to repair a silent camera. */
export function diagnostics(id) {
  return section(id, "Diagnostics", `/api/cameras/${id}/diagnostics`, (found) => [
    ...(found.problems.length ? list(found.problems, (it) => [words(it.message)])
      : [el("p", {}, "No problem was found.")]),
    el("dl", {}, ...facts(found).flatMap(([name, value]) => [
      el("dt", {}, name), el("dd", {}, ...value)])),
  ]);
}

function facts({ folder, newest, pictures, watching, shared_with: shared, ...rest }) {
  const few = (rows) => rows.flatMap((row, at) => [at ? ", " : "", words(row.name)]);
  const facts = [
    ["Folder", [words(folder)]],
    ["Newest picture", newest && [words(newest.name), `, ${ageText(newest.age_seconds)}`]],
    ["Pictures", pictures && [`${pictures.count}${pictures.complete ? "" : " or more"}`]],
    ["Unfinished uploads", rest.unfinished_uploads?.length && few(rest.unfinished_uploads)],
    ["New pictures found by", watching && [
      [watching.mode, watching.reason, watching.remedy].filter(Boolean).join(". ")]],
    ["Folder shared with", shared.length && few(shared)],
    ["Last upload", rest.last_seen_at && [moment(rest.last_seen_at)]],
  ];
  return facts.map(([name, value]) => [name, value || ["none"]]);
}

function list(rows, write) {
  if (!rows.length) return [el("p", {}, "None.")];
  return [el("ul", { role: "list" }, ...rows.map((row) => el("li", {}, ...write(row))))];
}
