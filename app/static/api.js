/** How is the box asked? The answer, or one Problem; one question about a camera at a time. */

const PATIENCE_MS = 20_000;

/** Why there is no answer: the members of RFC 9457, or what the browser knows. */
export class Problem extends Error {
  constructor(status, { code = "unreachable", detail, errors = {} }) {
    super(detail);
    Object.assign(this, { status, code, detail, errors });
  }

  /** Whether the box itself is in trouble, so that it is kinder to wait. */
  get isTrouble() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

const UNREACHABLE = { detail: "The box does not answer." };

/** The Response to a request; throws a Problem for everything but success and 304. */
export async function ask(path, { method = "GET", headers = {}, body } = {}) {
  const json = body === undefined ? {} : { "Content-Type": "application/json" };
  const response = await fetch(path, {
    method,
    headers: { ...headers, ...json },
    body: body === undefined ? undefined : JSON.stringify(body),
    cache: "no-cache",
    referrerPolicy: "no-referrer",
    signal: AbortSignal.timeout(PATIENCE_MS),
  }).catch(() => {
    throw new Problem(0, UNREACHABLE);
  });
  if (response.ok || response.status === 304) return response;
  throw new Problem(response.status, await said(response));
}

/** The JSON value that a GET answers. */
export async function read(path) {
  return bodyOf((await ask(path)).json());
}

/** Changes something; done when the whole answer is there. */
export async function send(path, method, body) {
  await bodyOf((await ask(path, { method, body })).text());
}

/** A body that is still on its way, or a Problem where it does not arrive. */
export function bodyOf(body) {
  return body.catch(() => {
    throw new Problem(0, UNREACHABLE);
  });
}

const turns = new Map();

/** Does ``work`` when all earlier work for the same camera is done. */
export function inTurn(cameraId, work) {
  const turn = (turns.get(cameraId) ?? Promise.resolve()).then(work, work);
  turns.set(cameraId, turn.catch(() => {}));
  return turn;
}

async function said(response) {
  const fallback = { code: "unreadable", detail: `The box answers ${response.status}.` };
  return response.json().then((problem) => ({ ...fallback, ...problem }), () => fallback);
}
