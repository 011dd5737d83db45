/** The state of a camera and the age of its picture, as pure functions. */

export const STATES = ["LIVE", "STALE", "SILENT", "ERROR", "NO ANSWER"];

/**
 * The state of a camera in one word.
 *
 * ``status`` is that of the API; ``age`` is the newest picture's in seconds, null without a
 * picture; ``problem`` is why the service gave no picture, or null; ``unanswered`` is since when
 * the service has not answered, where that is long ago; ``stale`` is the age in seconds beyond
 * which a picture is STALE.
 */
export function stateOf({ status, age, problem, unanswered }, stale) {
  if (unanswered) return "NO ANSWER";
  if (status === "error" || (problem && problem.code !== "no_snapshot")) return "ERROR";
  if (status === "offline" || problem || age === null) return "SILENT";
  return age > stale ? "STALE" : "LIVE";
}

const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

/** An age in seconds as text: ``12 s ago``. */
export function ageText(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [size, unit] = UNITS.find(([least]) => whole >= least) ?? [1, "s"];
  return `${Math.floor(whole / size)} ${unit} ago`;
}
