/** The page of notifications: who is told what, and what became of the last messages. */

import { read, send } from "./api.js";
import { closeDialog, formOf, guarded, opened } from "./dialog.js";
import { announce, el, mayWrite, moment, replaceContent, words } from "./element.js";
import { bodyOf, byField, fieldsOf, KINDS, NEW, termsOf } from "./rules.js";

const STATES = { waiting: "Waiting", delivered: "Delivered", given_up: "Given up" };
// How many of the last messages of each rule are shown.
const LAST = 3;
// A test answers within 15 seconds.
const TEST_PATIENCE_MS = 25_000;

const part = (id) => document.querySelector(`#${id}`);
const path = (rule) => `/api/notifications/${rule.id}`;

/** Loads the rules and their last messages and shows them. */
async function show() {
  try {
    const { notifications } = await read("/api/notifications");
    const { cameras } = await read("/api/cameras");
    const names = Object.fromEntries(cameras.map(({ id, name }) => [id, name]));
    const cards = await Promise.all(notifications.map((rule) => card(rule, names)));
    part("trouble").replaceChildren();
    const none = el("li", {}, "Nobody is told anything yet.");
    replaceContent(part("rules"), cards.length ? cards : [none], part("add") ?? undefined);
  } catch (problem) {
    const again = el("button", { type: "button", click: show }, "Try again");
    part("trouble").replaceChildren(`${problem.detail ?? problem} `, again);
  }
}

async function card(rule, names) {
  const { deliveries } = await read(
    `/api/deliveries?notification_id=${rule.id}&limit=${LAST}&count=false`);
  return el("li", {},
    el("h3", {}, words(rule.name)),
    el("p", {}, rule.enabled ? "" : "Switched off. ", words(rule.url)),
    termsOf(rule, names),
    deliveries.length ? el("ul", {}, ...deliveries.map(message)) : el("p", {}, "No message yet."),
    mayWrite && choices(rule));
}

function message({ kind, created_at: at, state, error }) {
  const why = error && state !== "delivered" ? `: ${error}` : "";
  return el("li", {}, moment(at), ` ${KINDS[kind]}. ${STATES[state]}${why}`);
}

function choices(rule) {
  const failed = el("p", { class: "error", role: "alert" });
  const button = (name, text, work) => el("button", { type: "button", id: `${name}-${rule.id}`,
    click: (event) => guarded(event.currentTarget, failed, work) }, text);
  const toggle = async () => {
    await send(path(rule), "PATCH", { enabled: !rule.enabled });
    return showAndAnnounce(`${rule.name} is switched ${rule.enabled ? "off" : "on"}.`);
  };
  const test = async () => {
    const to = `${path(rule)}/test`;
    const answer = JSON.parse(await send(to, "POST", undefined, TEST_PATIENCE_MS));
    failed.textContent = answer.ok ? "" : `The test failed: ${answer.error}.`;
    if (answer.ok) announce(`The test message for ${rule.name} was taken.`);
  };
  return el("div", {}, el("p", { class: "choices" },
    button("test", "Test", test),
    button("switch", rule.enabled ? "Switch off" : "Switch on", toggle),
    button("change", "Change", () => ask("Change this notification", rule)),
    button("delete", "Delete", () => askToDelete(rule))), failed);
}

async function showAndAnnounce(text) {
  await show();
  announce(text);
}

/** Opens the form for a rule, a new one where it has no id. */
async function ask(title, rule) {
  const { cameras } = await read("/api/cameras");
  const save = async () => {
    const body = bodyOf(form);
    const [to, method] = rule.id ? [path(rule), "PATCH"] : ["/api/notifications", "POST"];
    const answer = await send(to, method, body).catch((problem) => { throw byField(problem); });
    const { secret } = JSON.parse(answer);
    dialog.close();
    await showAndAnnounce(`${body.name} is saved.`);
    if (secret) showSecret(secret);
  };
  const { form } = formOf(fieldsOf(rule, cameras), "Save", save);
  const dialog = opened(title, form);
}

function showSecret(secret) {
  opened("The secret of this notification",
    el("p", {}, "A webhook's messages are signed with it. It is shown only this once."),
    el("p", {}, el("code", {}, secret)),
    el("p", { class: "choices" }, el("button", { type: "button", click: closeDialog }, "Close")));
}

function askToDelete(rule) {
  const remove = () => send(path(rule), "DELETE").then(() => dialog.close())
    .then(() => showAndAnnounce(`${rule.name} is deleted.`));
  const text = el("p", {}, words(rule.name), " and its messages will be deleted.");
  const dialog = opened("Delete this notification?", formOf([text], "Delete", remove).form);
}

part("add")?.addEventListener("click", (event) =>
  guarded(event.currentTarget, part("trouble"), () => ask("Add a notification", NEW)));
show();
