/** The pages "on this device" and "no connection": installing the wallet, and looking at cards without a connection. */

import { run, text } from "/static/app.js";
import { isOn, open, turnOff, turnOn } from "/static/offline.js";

const state = document.getElementById("offline-state");
const [on, off] = ["on", "off"].map((name) => document.querySelector(`[data-offline=${name}]`));

async function show() {
  const kept = await isOn();
  state.textContent = text(kept ? "offline_on" : "offline_off");
  on.hidden = kept;
  off.hidden = !kept;
}

if (on && "caches" in window && "serviceWorker" in navigator) {
  on.addEventListener("click", () => run(on, () => turnOn().then(show)));
  off.addEventListener("click", () => run(off, () => turnOff().then(show)));
  show();
}

const opener = document.querySelector("[data-open-copy]");
const cards = document.getElementById("copy");
if (opener && (await isOn())) {
  document.getElementById("copy-locked").hidden = false;
  opener.addEventListener("click", () => run(opener, openCopy));
}

async function openCopy() {
  const { at, html } = await open();
  cards.replaceChildren(...new DOMParser().parseFromString(html, "text/html").body.children);
  const style = { dateStyle: "medium", timeStyle: "short" };
  document.getElementById("copy-at").textContent = new Intl.DateTimeFormat(document.documentElement.lang, style).format(new Date(at));
  document.getElementById("copy-none").hidden = true;
  document.getElementById("copy-open").hidden = false;
  document.querySelector("#copy-open h1").focus();
}

for (const again of document.querySelectorAll("[data-again]")) again.addEventListener("click", () => location.reload());

window.addEventListener("beforeinstallprompt", (event) => {
  const button = document.getElementById("install");
  if (!button) return;
  event.preventDefault();
  button.hidden = false;
  button.addEventListener("click", () => event.prompt(), { once: true });
});
