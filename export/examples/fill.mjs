// Fill the hole in a photo of a face: node fill.mjs photo.jpg mask.png out.png
// Needs `npm install` here, once, and faces.js, photo.onnx and detector.onnx beside it. mask: white in the hole, with the
// size of the upright photo. out: upright, with the photo's colour profile; in a PNG known pixels are unchanged.

import { readFile } from "node:fs/promises";
import * as ort from "onnxruntime-web";
import sharp from "sharp";
import { findFace } from "./faces.js";

const [photo, maskFile, out] = process.argv.slice(2);
const stop = (sentence) => { console.error(sentence); process.exit(1); };
if (!out) stop("node fill.mjs photo.jpg mask.png out.png");
process.on("uncaughtException", (error) => stop(`It did not work: ${error.message}.`)); // for example, a file that cannot be read
const load = async (model) => ort.InferenceSession.create(await readFile(new URL(model, import.meta.url)));

const { space, depth } = await sharp(photo).metadata();
if (depth !== "uchar") stop(`${photo} has more than 8 bits per channel. Save it with 8.`);
if (!(await sharp(photo).stats()).isOpaque) stop(`${photo} is transparent in places: put it on a background first.`);
// Pixel values and colour profile are unchanged. CMYK is converted.
const open = () => sharp(photo, { ignoreIcc: space !== "cmyk" }).autoOrient().toColourspace("srgb");
const image = await open().removeAlpha().raw().toBuffer({ resolveWithObject: true });
const { width, height } = image.info;

const drawn = await sharp(maskFile).autoOrient().removeAlpha().toColourspace("b-w").raw().toBuffer({ resolveWithObject: true });
if (drawn.info.width !== width || drawn.info.height !== height) {
  const rotated = drawn.info.width === height && drawn.info.height === width;
  stop(`The mask has ${drawn.info.width} x ${drawn.info.height} pixels, the upright photo ${width} x ${height}. ` +
    (rotated ? "Rotate it as the photo's EXIF rotates the photo." : "Both must have the same size."));
}
const hole = Uint8Array.from(drawn.data, (value) => (value > 127 ? 1 : 0));
if (!hole.includes(0)) stop("The mask covers the whole photo. Leave part of the face unmasked.");
if (!hole.includes(1)) stop("The mask is empty, so nothing is filled. Paint the hole white.");

const inputs = (mask) => ({
  image: new ort.Tensor("uint8", image.data, [1, height, width, 3]),
  mask: new ort.Tensor("uint8", mask, [1, height, width]),
});
const detector = await load("detector.onnx");
const found = await findFace(() => detector.run(inputs(hole)), hole, width, height);
if (!found) stop("No face was found under the mask. Only upright faces are found.");
if (found.others) {
  console.error("The mask also covers another face, which was not filled. Fill it in a second run with its own mask.");
}

const points = new ort.Tensor("float32", found.points, [1, 5, 2]);
const { result, face } = await (await load("photo.onnx")).run({ ...inputs(found.mask), points });
if (face.data[0] < 0.5) {
  console.error("The fill may not look like a face. Use a frontal face, or a smaller mask.");
}
const filled = open().composite([{ input: result.data, raw: { width, height, channels: 3 } }]).removeAlpha();
await (space === "cmyk" ? filled : filled.keepIccProfile()).toFile(out);
