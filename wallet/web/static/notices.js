/**
 * The page "notices": this browser (Push API), e-mail addresses, and which notices go where.
 *
 * A message that arrives says only of which kind it is; its words, in the citizen's language, are kept for the service
 * worker in the cache "notices", with the id of this browser's subscription.
 */

import { run, text } from "/static/app.js";
import { post } from "/static/passkey.js";

const KINDS = ["security", "promise", "expiry"];
const KEPT = "/notices";
const SUBSCRIPTIONS = "/notifications/subscriptions";
const state = document.getElementById("push-state");
const [on, off] = ["on", "off"].map((name) => document.querySelector(`[data-push=${name}]`));

async function kept() {
  return (await (await caches.open("notices")).match(KEPT))?.json();
}

async function show() {
  const mine = await kept();
  const place = mine && document.querySelector(`[data-place="${mine.id}"]`);
  place?.querySelector("[data-this-one]").removeAttribute("hidden");
  state.textContent = text(place ? "notices_on" : "notices_off");
  on.hidden = Boolean(place);
  off.hidden = !place;
}

async function turnOn() {
  if ((await Notification.requestPermission()) !== "granted") throw Object.assign(new Error("denied"), { code: "notices_denied" });
  const registration = await navigator.serviceWorker.ready;
  const wishes = { userVisibleOnly: true, applicationServerKey: on.dataset.key };
  const subscription = await registration.pushManager.subscribe(wishes).catch(() => null);
  if (!subscription) throw Object.assign(new Error("no push service"), { code: "no_notices" });
  const { endpoint, keys } = subscription.toJSON();
  const { id } = await post(SUBSCRIPTIONS, { channel: "push", subscription: { endpoint, keys } });
  const words = Object.fromEntries(KINDS.map((kind) => [kind, text(`notice_${kind}`)]));
  const title = document.querySelector(".brand").textContent.trim();
  await (await caches.open("notices")).put(KEPT, Response.json({ id, title, words, lang: document.documentElement.lang }));
  return location.pathname;
}

async function turnOff() {
  const { id } = await kept();
  await send("DELETE", `${SUBSCRIPTIONS}/${id}`);
  await forget();
  return location.pathname;
}

async function forget() {
  await caches.delete("notices");
  const registration = await navigator.serviceWorker.ready;
  await (await registration.pushManager.getSubscription())?.unsubscribe();
}

async function send(method, url, body) {
  const answer = await fetch(url, { method, headers: { "Content-Type": "application/json" }, body: body && JSON.stringify(body) });
  if (answer.ok) return;
  const { error, message } = await answer.json().catch(() => ({}));
  throw Object.assign(new Error(error), { code: error ?? "server_error", message_id: message });
}

if ("PushManager" in window && "serviceWorker" in navigator) {
  on.addEventListener("click", () => run(on, turnOn));
  off.addEventListener("click", () => run(off, turnOff));
  show();
}

document.querySelector("[data-mail]")?.addEventListener("submit", (event) => {
  event.preventDefault();
  run(event.submitter, async () => {
    await post(SUBSCRIPTIONS, { channel: "mail", address: event.target.elements.address.value.trim() });
    return location.pathname;
  });
});

for (const form of document.querySelectorAll("[data-confirm]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run(event.submitter, async () => {
      await send("POST", form.dataset.confirm, { code: form.elements.code.value });
      return location.pathname;
    });
  });
}

let saving = Promise.resolve(); // one after the other: a second tap must not be lost while the first is on its way
for (const form of document.querySelectorAll("[data-choose]")) {
  const save = async () => {
    const { security, cards } = form.elements;
    await send("PUT", form.dataset.choose, { security: security.checked, cards: cards.checked });
    form.querySelector("[role=status]").hidden = false;
  };
  form.addEventListener("change", () => (saving = saving.then(() => run(null, save))));
}

for (const button of document.querySelectorAll("[data-remove]")) {
  button.addEventListener("click", () =>
    run(button, async () => {
      await send("DELETE", button.dataset.remove);
      if ((await kept())?.id === button.closest("[data-place]").dataset.place) await forget();
      return location.pathname;
    }),
  );
}
