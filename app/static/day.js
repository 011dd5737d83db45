/** A day of a camera: its address, its moments and pictures, and the steps between them. */

import { addMoment, addressed, addressOf } from "./address.js";
import { inTurn } from "./api.js";
import { announce, el, many } from "./element.js";
import { follow } from "./follow.js";
import { Lookout } from "./lookout.js";
import { Moments } from "./moments.js";
import { Pages } from "./pages.js";
import { takeSteps } from "./steps.js";
import { Strip } from "./strip.js";
import { Thumb } from "./thumb.js";
import { Viewer } from "./viewer.js";
import { Zone } from "./zone.js";

const EMPTY = "Nothing was uploaded on this day.";
const NOTHING = "This camera has not uploaded a picture or a clip yet.";
const GONE = "This picture is gone: it was deleted, renamed or overwritten.";
const NEAREST = " The one nearest to it is shown.";
const part = (name) => document.querySelector(`#${name}`);
const { camera: cameraId, zone: zoneName, refresh, seen, resizes } = part("day").dataset;
const zone = new Zone(zoneName);
const lookout = new Lookout(() => {}, 1); // so that a click waits for one small picture at most
const shared = { cameraId, zone, isResized: resizes !== undefined,
  thumbOf: (id) => new Thumb(cameraId, id, shared.isResized, lookout) };
const pages = new Pages(cameraId);
// What the page does is done one after another, or a late answer would replace a newer one.
const inOrder = (work) => inTurn("day", work);
const strip = new Strip(part("strip"), { ...shared,
  choose: (row) => inOrder(async () => choose(row, "pushState")) });
const moments = new Moments(part("moments"), part("more"), { ...shared,
  go: (row) => inOrder(() => go(row)) });
const lookOut = () => lookout.begin([...strip.thumbs, ...moments.thumbs]);
const viewer = new Viewer(part("viewer"), { ...shared, changed, deleted, complain });
let period = null;

/** Shows what the address of the page names. */
async function open() {
  const { day, at, picture } = addressed();
  const wanted = zone.period(at ? zone.day(Date.parse(at)) : day ?? zone.day(Date.now()));
  const known = wanted.day === period?.day && pages.find(picture);
  if (known) return choose(known);
  period = wanted;
  part("go").elements.day.value = period.day;
  part("title").textContent = zone.dayName(period.day);
  const problems = [];
  const attempt = (work) => work().catch((problem) => problems.push(problem));
  await attempt(async () => {
    await pages.open(period, at ?? period.end);
    await choosePlace(at ?? period.end, picture);
  });
  if (problems.length) show(problems[0].detail ?? `${problems[0]}`);
  await attempt(() => moments.open(period));
  complain(problems[0], () => inOrder(open));
  return lookOut();
}

/** Chooses the picture of the address, or what is nearest to its moment. */
async function choosePlace(at, picture) {
  const row = pages.find(picture) ?? pages.nearest(at);
  if (row) choose(row);
  if (row) addMoment(row);
  if (picture && row?.id !== picture) part("gone").textContent = `${GONE}${row ? NEAREST : ""}`;
  if (row) return undefined;
  return show((await pages.beyond(period.start, false)) ?? (await pages.beyond(period.end, true))
    ? EMPTY : NOTHING);
}

/** Shows a sentence instead of a picture. */
function show(sentence) {
  paint();
  moments.mark(null);
  viewer.say(sentence);
}

/** Shows a picture; ``how``: the method of `history` that takes its address. */
function choose(row, how) {
  paint();
  part("gone").textContent = "";
  if (how) {
    history[how](null, "", addressOf(row));
    viewer.figure.scrollIntoView({ block: "nearest" });
  }
  viewer.show(row, strip.preview(row));
  strip.mark(row);
  moments.mark(row);
  if (how) announce(viewer.title);
}

/** Shows the page of pictures as it was read. */
function paint() {
  strip.show(pages.rows);
  part("count").textContent = pages.count ? `${many(pages.count, "upload")}.` : "";
  part("earlier").hidden = !pages.previous;
  part("later").hidden = !pages.next;
  lookOut();
}

/** Goes to a row, a moment (``taken_at`` alone) or a ``day``, as a new entry of the history. */
function go(row) {
  history.pushState(null, "", addressOf(row));
  return open();
}

/** Says what failed, with a button that tries it ``again``; without a problem says nothing. */
function complain(problem, again) {
  const button = again ? el("button", { type: "button", click: again }, "Try again") : "";
  part("trouble").replaceChildren(...(problem ? [`${problem.detail ?? problem} `, button] : []));
}

/** Shows whether a picture is kept now. */
function changed(now) {
  const row = pages.find(now.id);
  if (row) Object.assign(row, now);
  strip.show(pages.rows);
  if (viewer.row?.id === now.id) viewer.show(Object.assign(viewer.row, now));
  announce(now.kept ? "Kept." : "Released.");
}

/** Shows the neighbour of a picture that was deleted. */
async function deleted(row) {
  const beside = pages.beside(row, true) ?? pages.beside(row, false);
  announce("Deleted.");
  history.replaceState(null, "", addressOf(beside ?? { taken_at: row.taken_at }));
  period = null;
  await inOrder(open);
}

/** Shows what has come or gone, without leaving the picture that is shown. */
async function update() {
  await pages.again();
  const row = pages.find(viewer.row?.id);
  if (row) choose(row);
  else if (!viewer.row) await choosePlace(period.end);
  else {
    paint();
    part("gone").textContent = GONE;
  }
  await moments.again();
  lookOut();
}

part("more").addEventListener("click", () =>
  inOrder(() => moments.further()).then(lookOut, complain));
document.addEventListener("visibilitychange", lookOut);
addEventListener("popstate", () => inOrder(open));
takeSteps({ pages, moments, viewer, zone, choose, go, complain, inOrder, period: () => period });
await inOrder(open);
follow(cameraId, { refresh, seen, complain, update: () => inOrder(update),
  isPresent: () => period.day === zone.day(Date.now()) });
