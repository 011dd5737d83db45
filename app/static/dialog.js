/** How does a page ask something in a dialog and show what went wrong? */

import { Problem } from "./api.js";
import { el } from "./element.js";

/** Closes the dialog of a button that was pressed. */
export const closeDialog = (event) => event.currentTarget.closest("dialog").close();

/** A form with this content in a dialog; ``work`` gets the values of its fields. */
export function formOf(content, action, work) {
  const failed = el("p", { class: "error", role: "alert" });
  const submit = el("button", { type: "submit", class: "main" }, action);
  const form = el("form", { novalidate: true, submit: (event) => {
    event.preventDefault();
    const body = Object.fromEntries(new FormData(form));
    guarded(submit, failed, () => work(body)).then((problem) => mark(form, problem));
  } }, ...content, failed, el("p", { class: "choices" }, submit,
    el("button", { type: "button", click: closeDialog }, "Cancel")));
  return { form, submit };
}

/** Shows the error of each field and moves the focus to the first one. */
function mark(form, problem) {
  const errors = problem?.errors.json ?? {};
  for (const field of [...form.elements].filter((each) => each.name)) {
    field.setAttribute("aria-invalid", field.name in errors);
    form.querySelector(`#e-${field.name}`).textContent = (errors[field.name] ?? []).join(" ");
  }
  form.querySelector("[aria-invalid=true]")?.focus();
}

/**
 * Runs ``work`` unless it runs already; a Problem is shown in ``failed`` and returned.
 *
 * The button is not ``disabled`` meanwhile, because it would lose the focus.
 */
export async function guarded(button, failed, work) {
  if (button.hasAttribute("aria-disabled")) return undefined;
  button.setAttribute("aria-disabled", "true");
  failed.textContent = "";
  try {
    await work();
  } catch (error) {
    const problem = error instanceof Problem ? error : new Problem(0, { detail: `${error}` });
    failed.textContent = problem.errors.json ? "Correct the marked fields." : problem.detail;
    return problem;
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

/** Opens a dialog that is removed when it closes. */
export function opened(title, ...content) {
  const dialog = el("dialog", { "aria-labelledby": "ask-title", close: () => dialog.remove() },
    el("h2", { id: "ask-title" }, title), ...content);
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
