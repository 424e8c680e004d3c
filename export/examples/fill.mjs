// Fill the hole in a photo of a face: node fill.mjs photo.jpg mask.png out.png
// Needs `npm install` here, once, and faces.js, photo.onnx and detector.onnx beside it. mask: white in the hole, of the size
// of the upright photo. out: upright, with the photo's colour profile; in a PNG every known pixel is as it was.

import { readFile } from "node:fs/promises";
import * as ort from "onnxruntime-web";
import sharp from "sharp";
import { findFace } from "./faces.js";

const [photo, maskFile, out] = process.argv.slice(2);
const stop = (sentence) => { console.error(sentence); process.exit(1); };
if (!out) stop("node fill.mjs photo.jpg mask.png out.png");
process.on("uncaughtException", (error) => stop(`It did not work: ${error.message}.`)); // a file that cannot be read, say
const load = async (model) => ort.InferenceSession.create(await readFile(new URL(model, import.meta.url)));

const { space, depth } = await sharp(photo).metadata();
if (depth !== "uchar") stop(`${photo} has more than 8 bits a channel: save it with 8.`);
if (!(await sharp(photo).stats()).isOpaque) stop(`${photo} is transparent in places: put it on a background first.`);
// The numbers stay as they are in the file, and so does the profile that says which colours they mean. CMYK is converted.
const open = () => sharp(photo, { ignoreIcc: space !== "cmyk" }).autoOrient().toColourspace("srgb");
const image = await open().removeAlpha().raw().toBuffer({ resolveWithObject: true });
const { width, height } = image.info;

const drawn = await sharp(maskFile).autoOrient().removeAlpha().toColourspace("b-w").raw().toBuffer({ resolveWithObject: true });
if (drawn.info.width !== width || drawn.info.height !== height) {
  const lying = drawn.info.width === height && drawn.info.height === width;
  stop(`The mask has ${drawn.info.width} x ${drawn.info.height} pixels, the upright photo ${width} x ${height}: ` +
    (lying ? "turn it as the photo's EXIF turns the photo." : "they have to be of one size."));
}
const hole = Uint8Array.from(drawn.data, (value) => (value > 127 ? 1 : 0));
if (!hole.includes(0)) stop("The mask is white everywhere: leave some of the face.");
if (!hole.includes(1)) stop("The mask is black everywhere: there is nothing to fill.");

const inputs = (mask) => ({
  image: new ort.Tensor("uint8", image.data, [1, height, width, 3]),
  mask: new ort.Tensor("uint8", mask, [1, height, width]),
});
const detector = await load("detector.onnx");
const found = await findFace(() => detector.run(inputs(hole)), hole, width, height);
if (!found) stop("No face was found under the mask. Only upright faces are found.");
if (found.others) {
  console.error("The mask also covers another face, which was left. Fill it in a second run, with a mask of it alone.");
}

const points = new ort.Tensor("float32", found.points, [1, 5, 2]);
const { result, face } = await (await load("photo.onnx")).run({ ...inputs(found.mask), points });
if (face.data[0] < 0.5) {
  console.error("The fill may not look like a face: is it seen from the front, and is enough left of it?");
}
const filled = open().composite([{ input: result.data, raw: { width, height, channels: 3 } }]).removeAlpha();
await (space === "cmyk" ? filled : filled.keepIccProfile()).toFile(out);
