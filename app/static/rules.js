/** What does a notification's rule say, and how do the fields of its form change it? */

import { Problem } from "./api.js";
import { el, many, words } from "./element.js";

export const KINDS = {
  camera_online: "A camera is online",
  camera_offline: "A camera is offline",
  camera_error: "A camera's folder cannot be read",
  moment_started: "Uploads begin after a pause",
  detection: "Something is detected",
  event: "An event happens",
  event_reviewed: "An event is reviewed",
  storage_low: "Little space is left",
  storage_ok: "There is enough space again",
};
const RISKS = { "": "Any", low: "Low", medium: "Medium", high: "High", critical: "Critical" };
// Stands for every camera, also one that is added later.
const ALL = "";

export const NEW = { name: "", url: "", kinds: [], cameras: null, object_types: null,
  min_confidence: null, min_risk_level: null, quiet_hours: null, cooldown_seconds: 0,
  with_picture: false };

/** What a rule says, as the terms of a list; ``names`` are those of the cameras by their ids. */
export function termsOf(rule, names) {
  const { cameras, object_types: types, min_confidence: least, quiet_hours: quiet } = rule;
  const listed = (all) => all.flatMap((text, at) => [at ? ", " : "", words(text)]);
  const terms = [
    ["Told", [rule.kinds.map((kind) => KINDS[kind]).join(", ")]],
    ["Cameras", cameras && (cameras.length ? listed(cameras.map((id) => names[id] ?? id))
      : ["none"])],
    ["Object types", types && listed(types)],
    ["Detections", least != null && [`at least ${least} sure`]],
    ["Events", rule.min_risk_level && [`of at least ${rule.min_risk_level} risk`]],
    ["Quiet hours", quiet && [`${quiet.from} to ${quiet.to}`]],
    ["Cool-down", rule.cooldown_seconds > 0 && [many(rule.cooldown_seconds, "second")]],
    ["Picture", rule.with_picture && ["attached where Apprise can"]],
  ];
  return el("dl", {}, ...terms.filter(([, value]) => value).flatMap(([name, value]) => [
    el("dt", {}, name), el("dd", {}, ...value)]));
}

/** The fields of the form, with the values of ``rule``. */
export function fieldsOf(rule, cameras) {
  const names = Object.fromEntries(cameras.map(({ id, name }) => [id, name]));
  const { from, to } = rule.quiet_hours ?? {};
  return [
    field("name", "Name", {}, rule.name),
    field("url", "URL of a webhook, or of Apprise", { inputmode: "url" }, rule.url),
    several("kinds", "What is told", Object.entries(KINDS), rule.kinds),
    several("cameras", "Of which cameras", [[ALL, "All cameras"], ...Object.entries(names)],
      rule.cameras ?? [ALL]),
    labelled("object_types", "Only these object types, one on each line; empty: all",
      el("textarea", { name: "object_types", id: "f-object_types", rows: 2,
        "aria-describedby": "e-object_types" }, (rule.object_types ?? []).join("\n"))),
    field("min_confidence", "Least confidence of a detection, from 0 to 1; empty: any",
      { type: "number", min: 0, max: 1, step: "any" }, rule.min_confidence),
    labelled("min_risk_level", "Least risk level of an event", select("min_risk_level",
      Object.entries(RISKS), [rule.min_risk_level ?? ""], {})),
    field("quiet_from", "Quiet hours from, in the time zone of the box", { type: "time" }, from),
    field("quiet_to", "Quiet hours to", { type: "time" }, to),
    field("cooldown_seconds", "Seconds without a message after one", { type: "number", min: 0 },
      rule.cooldown_seconds),
    el("p", { class: "check" }, el("input", { type: "checkbox", name: "with_picture",
      id: "f-with_picture", checked: rule.with_picture, "aria-describedby": "e-with_picture" }),
    el("label", { for: "f-with_picture" }, "With the picture, where Apprise can attach it"),
    el("span", { class: "error", id: "e-with_picture" })),
  ];
}

/** The body for the API from what a person entered. */
export function bodyOf({ elements }) {
  const chosen = (name) => [...elements[name].selectedOptions].map((option) => option.value);
  const types = elements.object_types.value.split("\n").map((line) => line.trim()).filter(Boolean);
  const [from, to] = [elements.quiet_from.value, elements.quiet_to.value];
  return {
    name: elements.name.value,
    url: elements.url.value,
    kinds: chosen("kinds"),
    cameras: chosen("cameras").includes(ALL) ? null : chosen("cameras"),
    object_types: types.length ? types : null,
    min_confidence: number(elements.min_confidence),
    min_risk_level: elements.min_risk_level.value || null,
    quiet_hours: from || to ? { ...(from && { from }), ...(to && { to }) } : null,
    cooldown_seconds: number(elements.cooldown_seconds) ?? 0,
    with_picture: elements.with_picture.checked,
  };
}

/** The problem with its errors by the fields of the form; the API says ``quiet_hours.to``. */
export function byField(problem) {
  if (!problem.errors?.json) return problem;
  const json = {};
  for (const [name, found] of Object.entries(problem.errors.json)) {
    const [field] = name.replace("quiet_hours.", "quiet_").split(".");
    json[field] = [...(json[field] ?? []), ...found];
  }
  return new Problem(problem.status, { ...problem, detail: problem.detail, errors: { json } });
}

function number(input) {
  if (input.validity.badInput) {
    throw new Problem(422, { errors: { json: { [input.name]: ["Give a number."] } } });
  }
  return input.value === "" ? null : Number(input.value);
}

function several(name, label, options, chosen) {
  const size = Math.min(options.length, Object.keys(KINDS).length);
  return labelled(name, label, select(name, options, chosen, { multiple: true, size }));
}

function select(name, options, chosen, attributes) {
  return el("select", { name, id: `f-${name}`, "aria-describedby": `e-${name}`, ...attributes },
    ...options.map(([value, text]) =>
      el("option", { value, selected: chosen.includes(value) }, text)));
}

function field(name, label, attributes, value) {
  return labelled(name, label, el("input", { name, id: `f-${name}`, dir: "auto",
    autocomplete: "off", "aria-describedby": `e-${name}`, value, ...attributes }));
}

function labelled(name, label, input) {
  return el("p", {}, el("label", { for: `f-${name}` }, label), input,
    el("span", { class: "error", id: `e-${name}` }));
}
