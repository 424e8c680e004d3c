// Keeps all that the page has loaded, so that it works without a network; and isolates the page, so that WASM has threads.

const CACHE = "fill-a-face";
const HEADERS = {
  "Content-Security-Policy": "connect-src 'self'", // for WASM's threads, which do not have the page's own policy
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};

self.oninstall = (event) => {
  const page = ["./", "style.css", "page.js", "sketch.js", "worker.js", "faces.js", "png.js"];
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(page)).then(() => self.skipWaiting()));
};
self.onactivate = (event) => event.waitUntil(self.clients.claim());

// What the server has, else what it had: a new version of a file is never hidden by an old one.
self.onfetch = (event) => {
  if (event.request.method === "GET" && new URL(event.request.url).origin === location.origin) {
    event.respondWith(answer(event.request));
  }
};

async function answer(request) {
  const cache = await caches.open(CACHE);
  let response = await fetch(request, { cache: "no-cache" }).catch(() => undefined); // asks whether it has changed
  if (response?.status === 200) await cache.put(request, response.clone()).catch(() => {}); // no room: it is not kept
  response ??= await cache.match(request, { ignoreSearch: true }) ?? Response.error();
  if (response.type === "error") return response;
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}
