// Caches all files of the page, so that it works offline, and isolates the page, so that WASM has threads.

const CACHE = "fill-a-face";
const HEADERS = {
  "Content-Security-Policy": "connect-src 'self'", // for WASM threads, which do not inherit the page's policy
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};

self.oninstall = (event) => {
  const page = ["./", "style.css", "page.js", "sketch.js", "worker.js", "faces.js", "png.js"];
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(page)).then(() => self.skipWaiting()));
};
self.onactivate = (event) => event.waitUntil(self.clients.claim());

// The server's file, or the cached one if the server cannot be reached: an old version never hides a new one.
self.onfetch = (event) => {
  if (event.request.method === "GET" && new URL(event.request.url).origin === location.origin) {
    event.respondWith(answer(event.request));
  }
};

async function answer(request) {
  const cache = await caches.open(CACHE);
  let response = await fetch(request, { cache: "no-cache" }).catch(() => undefined); // revalidates the cached file
  if (response?.status === 200) await cache.put(request, response.clone()).catch(() => {}); // the storage is full
  response ??= await cache.match(request, { ignoreSearch: true }) ?? Response.error();
  if (response.type === "error") return response;
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}
