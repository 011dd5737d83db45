/** Loads a part of the page when it is first needed. */

import { el } from "./element.js";

/** Runs ``work`` with the module at ``path``; after an update of the service it may be gone. */
export async function withPart(path, work) {
  const part = await import(path).catch(() => null);
  if (part) return work(part);
  const load = el("button", { type: "button", click: () => location.reload() }, "Reload");
  const sentence = "A part of this page could not be loaded. ";
  return document.querySelector("#trouble").replaceChildren(sentence, load);
}
