/** Which day, moment and picture does the address of the page name? */

// Without the first and the last year of the API, because its first and last day have no neighbour.
const DAY = /^(?!000[01]|9999)\d{4}-\d\d-\d\d$/;
const MOMENT = /^(?!000[01]|9999)\d{4}-\d\d-\d\dT\d\d:\d\d.*(Z|[+-]\d\d:\d\d)$/i;
const PICTURE = /^[\w-]{1,64}$/;

/** The address of this page with a picture, or what was nearest to a moment, or a day. */
export function addressOf({ day, taken_at: at, id: picture }) {
  const given = Object.entries({ day, at, picture }).filter(([, value]) => value);
  return `?${new URLSearchParams(given)}`;
}

/** The day, moment and picture that the address names; null for what it does not. */
export function addressed() {
  const given = new URLSearchParams(location.search);
  const valid = (name, form) => {
    const text = given.get(name) ?? "";
    return form.test(text) ? text : null;
  };
  const dated = (text) => text && isInCalendar(text) ? text : null;
  return { day: dated(valid("day", DAY)), at: dated(valid("at", MOMENT)),
    picture: valid("picture", PICTURE) };
}

/** Whether there is the day and the time; some browsers take 30 February for 2 March. */
function isInCalendar(text) {
  const day = text.slice(0, 10);
  return !Number.isNaN(Date.parse(text)) && new Date(day).toISOString().startsWith(day);
}

/** Puts a picture into an address without a moment, which would soon name a newer picture. */
export function addMoment(row) {
  if (!addressed().at) history.replaceState(null, "", addressOf(row));
}

/** Listens to the click of a link: calls ``work``, unless a new tab or window is asked for. */
export function followed(work) {
  return (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    work();
  };
}
