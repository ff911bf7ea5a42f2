/** The page "on this device": installing the wallet, and keeping cards for looking at them offline. */

const CARDS = "cards";
const state = document.getElementById("offline-state");
const [on, off] = ["on", "off"].map((name) => document.querySelector(`[data-offline=${name}]`));

function words(name) {
  const term = [...document.querySelectorAll("#offline-texts dt")].find((each) => each.textContent === name);
  return term.nextElementSibling.textContent;
}

async function show() {
  const kept = await caches.has(CARDS);
  state.textContent = words(kept ? "on" : "off");
  on.hidden = kept;
  off.hidden = !kept;
}

async function keepCards() {
  const cache = await caches.open(CARDS);
  const dashboard = await fetch("/");
  if (dashboard.redirected) return;
  await cache.put("/", dashboard.clone());
  const page = new DOMParser().parseFromString(await dashboard.text(), "text/html");
  await cache.addAll([...page.querySelectorAll("a.card")].map((link) => new URL(link.getAttribute("href"), location.href).pathname));
}

if ("caches" in window && "serviceWorker" in navigator) {
  on.addEventListener("click", () => keepCards().then(show));
  off.addEventListener("click", () => caches.delete(CARDS).then(show));
  show();
}

window.addEventListener("beforeinstallprompt", (event) => {
  event.preventDefault();
  const button = document.getElementById("install");
  button.hidden = false;
  button.addEventListener("click", () => event.prompt(), { once: true });
});
