/**
 * Service worker: the wallet without a connection, and notices while it is closed.
 *
 * Kept always: the look of the pages, and the page "no connection". Where the citizen turned it on, the cache "copy" has
 * their cards, encrypted for their passkey (offline.js); it is deleted when the wallet is closed, locked or deleted.
 * Nothing is ever answered from a cache while there is a connection.
 */

const SHELL = "shell-3";
const COPY = "copy";
const NOTICES = "notices";
const SCRIPTS = ["app", "passkey", "device", "offline"].map((name) => `/static/${name}.js`);
const SHELL_FILES = ["/offline", "/static/shared/byoid.css", "/static/wallet.css", "/static/icon.svg", ...SCRIPTS];
const ENDINGS = ["/sign-out", "/settings/lock", "/api/account/deletion"];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(SHELL).then((cache) => cache.addAll(SHELL_FILES)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const old = (name) => ![SHELL, COPY, NOTICES].includes(name);
  const clean = async () => Promise.all((await caches.keys()).filter(old).map((name) => caches.delete(name)));
  event.waitUntil(clean().then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== location.origin) return;
  if (request.method === "POST" && ENDINGS.includes(url.pathname)) event.waitUntil(caches.delete(COPY));
  if (request.method !== "GET") return;
  if (request.mode === "navigate") event.respondWith(page(event, url));
  else if (SHELL_FILES.includes(url.pathname)) event.respondWith(fetch(request).catch(() => caches.match(url.pathname)));
});

async function page(event, url) {
  try {
    const answer = await fetch(event.request);
    if (url.pathname.startsWith("/language/")) event.waitUntil(caches.open(SHELL).then((cache) => cache.add("/offline")));
    return answer;
  } catch {
    return caches.match("/offline");
  }
}

/** A notice (RFC 8030): which kind it is; the words were kept when the citizen turned notices on (notices.js). */
self.addEventListener("push", (event) => event.waitUntil(notify(event.data?.json().kind)));

async function notify(kind) {
  const kept = await (await caches.match("/notices"))?.json();
  const { title = "byoid wallet", words = {}, lang = "en" } = kept ?? {};
  await self.registration.showNotification(title, { body: words[kind] ?? "", lang, tag: kind, icon: "/static/icon-192.png" });
}

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(self.clients.openWindow("/"));
});
