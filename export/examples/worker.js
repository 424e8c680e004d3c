// Holds the photo's pixels and runs the networks, so that the page stays responsive.
// The page sends { load: true }, { open: File }, { fill: strokes }, { keep: true } or { save: true } and a port, which
// gets one reply.

import { findFace } from "./faces.js";
import { readProfile, writePng } from "./png.js";
import { paint } from "./sketch.js";

const RUNTIME = "./node_modules/onnxruntime-web/dist/"; // beside this page
const MOST_PIXELS = 50e6;

let photo; // { rgb: Uint8Array (height x width x 3), width, height, profile }
let result; // the rgb of the latest fill
let networks; // a promise: they are loaded once

class Refusal extends Error {} // an error that the user can solve

onmessage = async ({ data, ports: [port] }) => {
  try {
    if (data.load) port.postMessage({ runtime: (await load()).runtime });
    else if (data.open) port.postMessage(await open(data.open));
    else if (data.fill) port.postMessage(await fill(data.fill));
    else if (data.keep) port.postMessage({ kept: Boolean(photo.rgb = result) });
    else if (data.save) port.postMessage({ file: await writePng(result, photo.width, photo.height, photo.profile) });
  } catch (error) {
    port.postMessage({ error: error instanceof Refusal ? error.message : `It did not work: ${reason(error)}.` });
  }
};

async function open(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const profile = await readProfile(bytes);
  if (bytes[1] === 0x50 && bytes[24] === 16) throw new Refusal("The photo has more than 8 bits per channel. Save it with 8.");
  // Rotated by its EXIF. The pixel values are unchanged if the colour profile is kept.
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: profile === undefined ? "default" : "none" })
    .catch(() => { throw new Refusal("This is no photo that the browser can read."); });
  const { width, height } = bitmap;
  if (width * height > MOST_PIXELS) throw new Refusal("The photo has more than 50 megapixels: save it with fewer.");
  const rgb = new Uint8Array(3 * width * height);
  rasterise(width, height, (context) => context.drawImage(bitmap, 0, 0), (rgba, start) => {
    for (let from = 0, to = 3 * start; from < rgba.length; from += 4) {
      if (rgba[from + 3] < 255) throw new Refusal("The photo is transparent in places: put it on a background first.");
      rgb[to++] = rgba[from]; rgb[to++] = rgba[from + 1]; rgb[to++] = rgba[from + 2];
    }
  });
  bitmap.close();
  photo = { rgb, width, height, profile };
  return { opened: { width, height, converted: profile === undefined } };
}

async function fill(strokes) {
  const { rgb, width, height, profile } = photo, hole = new Uint8Array(width * height), started = performance.now();
  rasterise(width, height, (context) => paint(context, strokes), (rgba, start) => {
    for (let from = 3, to = start; from < rgba.length; from += 4) hole[to++] = rgba[from] > 127 ? 1 : 0;
  });
  if (!hole.includes(1)) throw new Refusal("Nothing is painted over yet: paint over what should go.");
  if (!hole.includes(0)) throw new Refusal("Everything is painted over: leave some of the face.");
  const { ort, detector } = await load();
  const inputs = (mask) => ({
    image: new ort.Tensor("uint8", rgb, [1, height, width, 3]), mask: new ort.Tensor("uint8", mask, [1, height, width]),
  });
  say("Looking for the face ...");
  const found = await findFace(() => detector.run(inputs(hole)), hole, width, height);
  if (!found) throw new Refusal("No face was found under what you painted. Only upright faces are found.");
  const points = new ort.Tensor("float32", found.points, [1, 5, 2]);
  const { result: filled, face } = await complete({ ...inputs(found.mask), points });
  const seconds = (performance.now() - started) / 1000;

  result = rgb.slice();
  let [left, top, right, bottom] = [width, height, 0, 0];
  found.mask.forEach((inside, pixel) => {
    if (!inside) return;
    result.set(filled.data.subarray(3 * pixel, 3 * pixel + 3), 3 * pixel);
    const x = pixel % width, y = Math.floor(pixel / width);
    [left, top, right, bottom] = [Math.min(left, x), Math.min(top, y), Math.max(right, x + 1), Math.max(bottom, y + 1)];
  });
  [left, top] = [Math.max(left - 4, 0), Math.max(top - 4, 0)]; // known pixels around it, so that no edge is visible
  [right, bottom] = [Math.min(right + 4, width), Math.min(bottom + 4, height)];
  const patch = await writePng(cut(result, width, left, top, right, bottom), right - left, bottom - top, profile);
  return { patch, left, top, seconds, runtime: (await load()).runtime, others: found.others, unlikely: face.data[0] < 0.5 };
}

function cut(rgb, width, left, top, right, bottom) {
  const part = new Uint8Array(3 * (right - left) * (bottom - top));
  for (let y = top, to = 0; y < bottom; y++, to += 3 * (right - left)) {
    part.set(rgb.subarray(3 * (y * width + left), 3 * (y * width + right)), to);
  }
  return part;
}

// On WebGPU, or on WASM if that fails, with a message.
async function complete(feeds) {
  const { photo, gpu, runtime } = await load();
  say(`Filling, on ${runtime} ...`);
  try {
    return await photo.run(feeds);
  } catch (error) {
    if (!gpu) throw error;
    networks = undefined;
    await load(without(error));
    return complete(feeds);
  }
}

function load(failure = "") {
  networks ??= create(failure);
  networks.catch(() => { networks = undefined; }); // so that it can be tried again
  return networks;
}

// failure: why WASM is used. Otherwise WebGPU is used if it supports fp16 and the fp16 file exists.
async function create(failure) {
  say("Loading the networks ...");
  const adapter = failure ? undefined : await navigator.gpu?.requestAdapter();
  const half = adapter?.features.has("shader-f16") ? await get("photo.fp16.onnx") : undefined;
  const ort = await import(`${RUNTIME}${half ? "ort.webgpu.bundle.min.mjs" : "ort.wasm.bundle.min.mjs"}`);
  const threads = ort.env.wasm.numThreads = crossOriginIsolated ? Math.min(8, navigator.hardwareConcurrency) : 1;
  const open = (file, provider) => ort.InferenceSession.create(file, { executionProviders: [provider] });
  const need = async (name) => await get(name) ?? Promise.reject(new Error(`${name} cannot be loaded: is it beside this page?`));
  const detector = await open(await need("detector.onnx"), "wasm");
  if (!half) {
    const runtime = `WASM with ${threads} thread${threads > 1 ? "s" : ""}${failure}`;
    return { ort, detector, photo: await open(await need("photo.onnx"), "wasm"), runtime };
  }
  try {
    const photo = await open(half, { name: "webgpu", preferredLayout: "NCHW" }); // its NHWC convolutions are wrong
    await compare(ort, photo, await open(half, "wasm"));
    return { ort, detector, photo, gpu: true, runtime: "WebGPU in fp16" };
  } catch (error) {
    return create(without(error));
  }
}

// WebGPU may compute wrong values without an error, so its output is compared with that of WASM.
async function compare(ort, gpu, wasm) {
  const side = 256, inner = (pixel) => pixel % side > 80 && pixel % side < 180 && pixel > 90 * side && pixel < 150 * side;
  const inputs = {
    image: new ort.Tensor("uint8", Uint8Array.from({ length: 3 * side ** 2 }, (_, at) => 60 + at % 97), [1, side, side, 3]),
    mask: new ort.Tensor("uint8", Uint8Array.from({ length: side ** 2 }, (_, pixel) => (inner(pixel) ? 1 : 0)), [1, side, side]),
    points: new ort.Tensor("float32", [98, 110, 158, 110, 128, 140, 102, 175, 154, 175], [1, 5, 2]),
  };
  const { result: ours } = await gpu.run(inputs), { result: theirs } = await wasm.run(inputs);
  await wasm.release();
  let difference = 0;
  inputs.mask.data.forEach((inside, pixel) => { if (inside) difference += Math.abs(ours.data[3 * pixel] - theirs.data[3 * pixel]); });
  difference /= inputs.mask.data.reduce((sum, inside) => sum + inside);
  if (!(difference < 4)) throw new Error(`its results differ by ${difference.toFixed(0)} of 255 levels from WASM's`);
}

function without(error) { return `, since WebGPU failed: ${reason(error)}`; }

function reason(error) { return error?.message ?? `onnxruntime's error ${error}`; } // it also throws numbers

async function get(name) {
  const response = await fetch(new URL(name, import.meta.url)).catch(() => undefined);
  return response?.ok ? new Uint8Array(await response.arrayBuffer()) : undefined;
}

// Draws in stripes, because phones have small canvases; passes on each stripe's RGBA and the index of its first pixel.
function rasterise(width, height, draw, take) {
  const rows = Math.min(height, 256);
  const context = new OffscreenCanvas(width, rows).getContext("2d", { willReadFrequently: true });
  for (let top = 0; top < height; top += rows) {
    context.resetTransform();
    context.clearRect(0, 0, width, rows);
    context.translate(0, -top);
    draw(context);
    take(context.getImageData(0, 0, width, Math.min(rows, height - top)).data, top * width);
  }
}

function say(progress) { postMessage({ progress }); }
