/** How do the pages call the API? One request about a camera at a time; failures are Problems. */

const PATIENCE_MS = 20_000;

/** Why a request failed: the members of RFC 9457, the ``checks`` of health, or what is known. */
export class Problem extends Error {
  constructor(status, { code = "unreachable", detail, errors = {}, checks = {} }) {
    super(detail);
    Object.assign(this, { status, code, detail, errors, checks });
  }

  /** Whether the service itself is in trouble, so that the next attempt should wait longer. */
  get isTrouble() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

const UNREACHABLE = { detail: "The service does not answer." };

/** The Response to a request; throws a Problem for everything but success and 304. */
export async function ask(path, options = {}) {
  const { method = "GET", headers = {}, body, patience = PATIENCE_MS } = options;
  const json = body === undefined ? {} : { "Content-Type": "application/json" };
  const response = await fetch(path, {
    method,
    headers: { ...headers, ...json },
    body: body === undefined ? undefined : JSON.stringify(body),
    cache: options.cache ?? "no-cache",
    referrerPolicy: "no-referrer",
    signal: AbortSignal.timeout(patience),
  }).catch(() => {
    throw new Problem(0, UNREACHABLE);
  });
  if (response.ok || response.status === 304) return response;
  throw new Problem(response.status, await problemOf(response));
}

/** The JSON value of a GET. */
export async function read(path) {
  return bodyOf((await ask(path)).json());
}

/** Sends a change; the text of the response, once all of it has arrived. */
export async function send(path, method, body, patience = PATIENCE_MS) {
  return bodyOf((await ask(path, { method, body, patience })).text());
}

/** A response body; throws a Problem if it does not arrive completely. */
export function bodyOf(body) {
  return body.catch(() => {
    throw new Problem(0, UNREACHABLE);
  });
}

const turns = new Map();

/** Runs ``work`` when all earlier work for the same camera is done. */
export function inTurn(cameraId, work) {
  const turn = (turns.get(cameraId) ?? Promise.resolve()).then(work, work);
  turns.set(cameraId, turn.catch(() => {}));
  return turn;
}

async function problemOf(response) {
  const fallback = { code: "unreadable", detail: `The service answered ${response.status}.` };
  return response.json().then((problem) => ({ ...fallback, ...problem }), () => fallback);
}
