/** How does the page get what few visits need? When it is needed. */

import { el } from "./element.js";

/** Does ``work`` with the module at ``path``, which a box with newer pages has no longer. */
export async function withPart(path, work) {
  const part = await import(path).catch(() => null);
  if (part) return work(part);
  const load = el("button", { type: "button", click: () => location.reload() }, "Load it again");
  const sentence = "The rest of this page did not come. ";
  return document.querySelector("#trouble").replaceChildren(sentence, load);
}
