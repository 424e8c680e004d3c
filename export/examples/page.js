// The controls and the status line.

import { Sketch } from "./sketch.js";

const of = (id) => document.getElementById(id);
const sketch = new Sketch(of("canvas"), refresh);
let worker, opened, filled = false, busy = false;

function say(text, working = false) {
  of("status").textContent = text;
  of("status").classList.toggle("busy", working);
}

function refresh() {
  for (const id of ["zoom-in", "zoom-out", "zoom-fit"]) of(id).disabled = !opened;
  of("undo").disabled = !sketch.canUndo;
  of("redo").disabled = !sketch.canRedo;
  of("fill").disabled = of("clear").disabled = busy || !opened;
  for (const id of ["download", "go-on", "before"]) of(id).disabled = busy || !filled;
  of("file").disabled = busy || !worker;
  of("before").value = 100 * sketch.before;
}

// Sends a message to the worker and waits for its reply.
async function ask(message) {
  const { port1, port2 } = new MessageChannel();
  worker.postMessage(message, [port2]);
  const { data } = await new Promise((done) => { port1.onmessage = done; });
  if (data.error) throw new Error(data.error);
  return data;
}

// Runs one action at a time and reports its error.
const act = (work) => async () => {
  busy = true;
  refresh();
  try {
    say(await work());
  } catch (error) {
    say(error.message);
  } finally {
    busy = false;
    refresh();
  }
};

of("file").onchange = act(async () => {
  const [file] = of("file").files;
  of("file").value = ""; // the same file can be chosen again
  say("Reading the photo ...", true);
  const answer = await ask({ open: file });
  opened = { ...answer.opened, name: file.name.replace(/\.[^.]*$/, "") };
  filled = false;
  sketch.open(await createImageBitmap(file));
  return `${opened.width} x ${opened.height} pixels. Paint over what should go.` +
    (opened.converted ? " The colours are converted to sRGB." : "");
});

of("fill").onclick = act(async () => {
  const answer = await ask({ fill: sketch.strokes });
  filled = true;
  sketch.show({ picture: await createImageBitmap(answer.patch), left: answer.left, top: answer.top });
  return `Filled in ${answer.seconds.toFixed(1)} s, on ${answer.runtime}.` +
    (answer.others ? " You also painted over another face, which was left. To fill it, go on from the result." : "") +
    (answer.unlikely ? " It may not look like a face. Use a frontal face, or paint over less." : "");
});

of("go-on").onclick = act(async () => {
  await ask({ keep: true });
  filled = false;
  sketch.goOn();
  return "The result is the photo now. Paint over what else should go.";
});

of("download").onclick = act(async () => {
  say("Writing the file ...", true);
  const link = document.createElement("a");
  link.href = URL.createObjectURL((await ask({ save: true })).file);
  link.download = `${opened.name}-filled.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  return `${link.download} is written, upright and at full size.`;
});

of("undo").onclick = () => sketch.undo();
of("redo").onclick = () => sketch.redo();
of("clear").onclick = () => sketch.clear();
of("zoom-in").onclick = () => sketch.zoom(1.5);
of("zoom-out").onclick = () => sketch.zoom(1 / 1.5);
of("zoom-fit").onclick = () => sketch.fit();
of("size").oninput = () => { sketch.size = Number(of("size").value); };
of("before").oninput = () => { sketch.before = of("before").value / 100; sketch.draw(); };
for (const radio of document.querySelectorAll("[name=tool]")) {
  radio.onchange = () => { sketch.tool = radio.value; of("canvas").classList.toggle("hand", radio.value === "hand"); };
}

document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
  const key = event.key.toLowerCase();
  if (key !== "z" && key !== "y") return;
  event.preventDefault();
  key === "y" || event.shiftKey ? sketch.redo() : sketch.undo();
});
// Single letters work on the photo only, so that they do not conflict with screen readers and text fields.
of("canvas").addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const tool = { b: "brush", e: "eraser", m: "hand" }[event.key.toLowerCase()];
  if (tool) document.querySelector(`[value=${tool}]`).click();
  if (event.key === "[" || event.key === "]") {
    of("size").valueAsNumber += event.key === "]" ? 5 : -5;
    of("size").oninput();
  }
  const button = { "+": "zoom-in", "=": "zoom-in", "-": "zoom-out", 0: "zoom-fit" }[event.key];
  if (button) of(button).click();
});

// The service worker caches all files if it is active before they are loaded.
async function keepOffline() {
  const workers = navigator.serviceWorker; // undefined for a page over http from another machine
  await workers?.register("service-worker.js");
  for (let tries = 0; workers && !workers.controller && tries < 30; tries++) await new Promise((done) => setTimeout(done, 100));
  if (workers?.controller && !crossOriginIsolated && !sessionStorage.reloaded) {
    sessionStorage.reloaded = true;
    location.reload(); // through the service worker, which isolates the page, as WASM threads require
    await new Promise(() => {});
  }
}

await keepOffline().catch(() => {});
// A worker from a blob has this page's Content-Security-Policy; one from a file would have none.
const start = new Blob([`import ${JSON.stringify(new URL("worker.js", import.meta.url))}`], { type: "text/javascript" });
worker = new Worker(URL.createObjectURL(start), { type: "module" });
worker.onmessage = ({ data }) => say(data.progress, true);
worker.onerror = ({ message }) => say(`It did not work: ${message ?? "the worker did not start"}.`);
refresh();
try {
  await ask({ load: true });
  if (!opened && !busy) say("Open a photo, and paint over what should go.");
} catch (error) {
  say(error.message);
}
of("offline").textContent = await globalThis.caches?.match("detector.onnx")
  ? "It works without a network, too." : "It takes a network: offline, it works over https only, after it was loaded twice.";
