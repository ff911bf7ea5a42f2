/**
 * Service worker: the wallet without a connection.
 *
 * Kept always: the look of the pages and the page that says "no connection". Kept only where the citizen turned it on
 * (a cache named "cards" exists): the dashboard and the pages of cards, as they were last seen. Nothing is ever answered
 * from a cache while there is a connection.
 */

const SHELL = "shell-1";
const CARDS = "cards";
const SHELL_FILES = ["/offline", "/static/shared/byoid.css", "/static/wallet.css", "/static/app.js", "/static/passkey.js", "/static/icon.svg"];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(SHELL).then((cache) => cache.addAll(SHELL_FILES)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const old = (name) => name !== SHELL && name !== CARDS;
  const clean = async () => Promise.all((await caches.keys()).filter(old).map((name) => caches.delete(name)));
  event.waitUntil(clean().then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== location.origin) return;
  if (request.method === "POST" && url.pathname === "/sign-out") event.waitUntil(caches.delete(CARDS));
  if (request.method !== "GET") return;
  if (request.mode === "navigate") event.respondWith(page(request, url));
  else if (SHELL_FILES.includes(url.pathname)) event.respondWith(fetch(request).catch(() => caches.match(url.pathname)));
});

async function page(request, url) {
  try {
    const answer = await fetch(request);
    if (isCard(url) && answer.ok && !answer.redirected && (await caches.has(CARDS))) {
      await (await caches.open(CARDS)).put(url.pathname, answer.clone());
    }
    return answer;
  } catch {
    return (isCard(url) && (await caches.match(url.pathname))) || caches.match("/offline");
  }
}

function isCard(url) {
  return url.pathname === "/" || /^\/cards\/[\w-]+$/.test(url.pathname);
}
