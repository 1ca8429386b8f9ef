// The service worker: keeps every file of the live page for the next visit, with or without a network,
// and isolates the page, so that WebAssembly may use threads where a host sets no headers.
// `itskit live` puts the list of the files here: name -> {bytes, sha256}.

const FILES = {/* files */};
const CACHE = "itskit-live";
const LARGE = 1e6; // bytes; what is smaller is fetched at once, and networks when they are asked for
const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};

const nameOf = (url) => url.href.slice(self.registration.scope.length).replace(/[?#].*$/, "") || "index.html";
/** Where a file lies in the cache: another content has another address. */
const keyOf = (name) => new URL(`${name}?${FILES[name].sha256}`, self.registration.scope).href;

async function keep(cache, name) {
  const key = keyOf(name);
  if (await cache.match(key)) return;
  const response = await fetch(new URL(name, self.registration.scope), { cache: "no-cache" });
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  await cache.put(key, response);
}

async function install() {
  const cache = await caches.open(CACHE);
  await Promise.all(Object.keys(FILES).filter((name) => FILES[name].bytes < LARGE).map((name) => keep(cache, name)));
  await self.skipWaiting();
}

/** Forgets what no longer belongs to the page. */
async function activate() {
  const cache = await caches.open(CACHE);
  const keys = new Set(Object.keys(FILES).map(keyOf));
  for (const { url } of await cache.keys()) if (!keys.has(url)) await cache.delete(url);
  await self.clients.claim();
}

function isolated(response) {
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  headers.delete("content-encoding"); // it is unpacked already
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}

/** A file of the page: out of the cache, else from the host, and into the cache. */
async function answer(name, request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(keyOf(name));
  if (kept) return isolated(kept);
  const response = await fetch(request);
  if (response.status !== 200) return response;
  const copy = response.clone();
  const putting = cache.put(keyOf(name), copy).catch(() => {}); // no room: it is fetched again next time
  return { response: isolated(response), putting };
}

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || !url.href.startsWith(self.registration.scope)) return;
  const name = nameOf(url);
  if (!(name in FILES) || request.headers.has("range")) return;
  const answered = answer(name, request);
  event.respondWith(answered.then((one) => one.response || one));
  event.waitUntil(answered.then((one) => one.putting, () => {}));
});
