/** Which day and time is a moment of the API in the box's time zone, and the other way round? */

const DAY_MS = 86_400_000;
const PARTS = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit",
  minute: "2-digit", second: "2-digit", hourCycle: "h23" };

export class Zone {
  /** ``name``: of the IANA, or an offset from UTC. */
  constructor(name) {
    this.name = name;
    this.parts = new Intl.DateTimeFormat("en-US", { ...PARTS, timeZone: name });
  }

  /** The day of a moment, in milliseconds since the epoch: ``2025-12-23``. */
  day(ms) {
    return new Date(this.#local(ms)).toISOString().slice(0, 10);
  }

  /** The time of a moment within its day: ``03:12:05``. */
  time(ms) {
    return new Date(this.#local(ms)).toISOString().slice(11, 19);
  }

  /** A day in the reader's words: ``Tuesday, 23 December 2025``. */
  dayName(day) {
    return new Date(`${day}T00:00Z`).toLocaleDateString(undefined, {
      timeZone: "UTC", weekday: "long", year: "numeric", month: "long", day: "numeric" });
  }

  /**
   * The moment of a day and time, in milliseconds since the epoch.
   *
   * Of a time that comes twice it is the first; a time that clocks skip is as long after their
   * change as it seems to be.
   */
  moment(day, time = "00:00") {
    const local = Date.parse(`${day}T${time}Z`);
    const [before, behind] = [-DAY_MS, DAY_MS].map((step) => this.#local(local + step) - step);
    const found = [before, behind].map((each) => 2 * local - each)
      .filter((ms) => this.#local(ms) === local);
    return Math.min(...found, found.length ? Infinity : 2 * local - before);
  }

  /** A day with its first moment, and that of the next day, as texts of the API. */
  period(day) {
    const next = new Date(Date.parse(`${day}T00:00Z`) + DAY_MS).toISOString().slice(0, 10);
    const [start, end] = [day, next].map((each) => new Date(this.moment(each)).toISOString());
    return { day, start, end };
  }

  /** The time that clocks show at a moment, as if they showed UTC. */
  #local(ms) {
    const { year, month, day, hour, minute, second } = Object.fromEntries(
      this.parts.formatToParts(ms).map(({ type, value }) => [type, value]));
    return Date.parse(`${year.padStart(4, "0")}-${month}-${day}T${hour}:${minute}:${second}Z`);
  }
}

/** The text of the API for a microsecond after the moment of ``text``. */
export function after(text) {
  const [, second, fraction = ""] = /^([^.]+?)(?:\.(\d+))?Z$/.exec(text);
  const next = Number(fraction.padEnd(6, "0")) + 1;
  if (next === 1_000_000) return new Date(Date.parse(`${second}Z`) + 1000).toISOString();
  return `${second}.${String(next).padStart(6, "0")}Z`;
}
