/*
 * The service worker of the screens, and of the customer's page: a page that was open before opens again without a network.
 *
 * Network first, always; the copy is used only when the network gives nothing. Sessions, sockets and the hub's API are never
 * kept: what a board shows without a network comes from its own last state, and says so.
 */

const STORE = "hotpass-1";
const KEPT = /^\/(static\/|t\/|_nicegui\/|kitchen\/|rider$|operations\/|home$|$)/;

self.addEventListener("install", () => self.skipWaiting());

self.addEventListener("activate", (event) => {
  const forgetOld = async () => {
    for (const name of await caches.keys()) if (name !== STORE) await caches.delete(name);
    await self.clients.claim();
  };
  event.waitUntil(forgetOld());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method === "GET" && url.origin === location.origin && KEPT.test(url.pathname)) event.respondWith(answer(request));
});

async function answer(request) {
  const store = await caches.open(STORE);
  try {
    const response = await fetch(request);
    if (response.ok && !response.redirected) store.put(request, response.clone());
    return response;
  } catch (error) {
    const kept = await store.match(request, { ignoreVary: true });
    if (kept === undefined) throw error;
    return kept;
  }
}
