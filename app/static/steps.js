/** Steps to the next and the previous picture, page, moment and day, by buttons and keys. */

import { after } from "./zone.js";

const KEYS = { ArrowLeft: false, ArrowRight: true };

// Each goes a step on the ``page`` and returns whether there was one.
const STEPS = {
  picture: async (page, isForward, how) => {
    const beside = page.pages.beside(page.viewer.row, isForward);
    if (!beside) return await STEPS.page(page, isForward, how) || STEPS.day(page, isForward);
    page.choose(beside, how);
    return true;
  },
  page: async ({ pages, choose }, isForward, how) => {
    if (!await pages.turn(isForward)) return false;
    choose(pages.rows.at(isForward ? 0 : -1), how);
    return true;
  },
  moment: async ({ pages, moments, viewer, go }, isForward) => {
    const here = await moments.before(after(viewer.row.taken_at));
    if (!here) return false;
    if (isForward) return arrive(go, await pages.beyond(after(here.end), true));
    const last = await moments.before(here.start);
    return arrive(go, last && { taken_at: last.start });
  },
  // A day on which nothing was uploaded is passed over.
  day: async ({ pages, go, period }, isForward) => {
    const { start, end } = period();
    return arrive(go, await pages.beyond(isForward ? end : start, isForward));
  },
};

async function arrive(go, row) {
  if (row) await go(row);
  return Boolean(row);
}

/** Listens to what goes a step or to a time. */
export function takeSteps(page) {
  let waiting = 0;

  function step(what, isForward, how = "pushState") {
    waiting += 1;
    page.inOrder(() => take(what, isForward, how)).finally(() => waiting -= 1);
  }

  async function take(what, isForward, how) {
    page.complain(null);
    try {
      const isDone = await STEPS[page.viewer.row ? what : "day"](page, isForward, how);
      if (!isDone) page.complain({ detail: `There is no ${isForward ? "later" : "earlier"} one.` });
    } catch (problem) {
      page.complain(problem, () => step(what, isForward, how));
    }
  }

  for (const button of document.querySelectorAll("[data-step]")) {
    const { step: what, ahead } = button.dataset;
    button.addEventListener("click", () => step(what, ahead !== undefined));
  }
  document.addEventListener("keydown", (press) => {
    if (!(press.key in KEYS) || press.ctrlKey || press.metaKey || press.altKey) return;
    if (press.target.closest("input, video, dialog")) return;
    press.preventDefault();
    if (press.repeat && waiting) return; // a key that is held takes no more steps than are shown
    const how = press.repeat ? "replaceState" : "pushState";
    step(press.shiftKey ? "moment" : "picture", KEYS[press.key], how);
  });
  document.querySelector("#go").addEventListener("submit", (event) => {
    event.preventDefault();
    const { day, time } = Object.fromEntries(new FormData(event.target));
    const at = time && new Date(page.zone.moment(day, time)).toISOString();
    page.inOrder(() => page.go(at ? { taken_at: at } : { day }));
  });
}
