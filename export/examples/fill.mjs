// Fill the hole in an aligned face: node fill.mjs photo.png mask.png out.png [restorer.onnx]
// Needs `npm install` here, once. photo: a face aligned like FFHQ's. mask: of its size, white = hole.

import { readFile } from "node:fs/promises";
import * as ort from "onnxruntime-web";
import sharp from "sharp";

const [photo, mask, out, model = "restorer.onnx"] = process.argv.slice(2);

const image = await sharp(photo).toColourspace("srgb").removeAlpha().raw().toBuffer({ resolveWithObject: true });
const grey = await sharp(mask).removeAlpha().toColourspace("b-w").raw().toBuffer();
const { width, height } = image.info;

const session = await ort.InferenceSession.create(await readFile(model));
const { result } = await session.run({
  image: new ort.Tensor("uint8", Uint8Array.from(image.data), [1, height, width, 3]),
  mask: new ort.Tensor("uint8", Uint8Array.from(grey, (value) => (value > 127 ? 1 : 0)), [1, height, width]),
  landmarks: new ort.Tensor("float32", new Float32Array(68 * 2).fill(-1), [1, 68, 2]), // -1: let it predict them
});
await sharp(result.data, { raw: { width, height, channels: 3 } }).toFile(out);
