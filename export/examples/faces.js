// Finds the face that a mask covers. Used by fill.mjs and worker.js.

// detect(): runs detector.onnx and returns its outputs. mask: Uint8Array (height x width), 1 in the hole.
// Returns the points of the face that the mask covers most, a Float32Array of 5 x 2; the mask without other faces; and
// whether any was removed. Returns undefined if the mask covers no face.
export async function findFace(detect, mask, width, height) {
  const { boxes, points } = await detect();
  const faces = Array.from({ length: boxes.dims[0] }, (_, face) => ({
    box: boxes.data.slice(4 * face, 4 * face + 4), points: points.data.slice(10 * face, 10 * face + 10),
  }));
  let covered = faces.map(({ box }) => count(box, 0));
  if (!covered.some(Boolean)) covered = faces.map(({ box }) => count(box, 0.5)); // including hair and chin
  if (!covered.some(Boolean)) return undefined;

  const best = faces[covered.indexOf(Math.max(...covered))];
  const single = mask.slice();
  for (const { box } of faces) visit(box, 0, (pixel) => { single[pixel] = 0; });
  visit(best.box, 0, (pixel) => { single[pixel] = mask[pixel]; });
  return { points: best.points, mask: single, others: single.some((value, pixel) => value !== mask[pixel]) };

  function count(box, margin) {
    let pixels = 0;
    visit(box, margin, (pixel) => { pixels += mask[pixel]; });
    return pixels;
  }

  // Calls with the index of each pixel in a box, enlarged by a share of its size on each side.
  function visit([x, y, wide, high], margin, call) {
    const right = Math.min(width, x + (1 + margin) * wide), bottom = Math.min(height, y + (1 + margin) * high);
    for (let row = Math.max(0, Math.floor(y - margin * high)); row < bottom; row++) {
      for (let column = Math.max(0, Math.floor(x - margin * wide)); column < right; column++) call(row * width + column);
    }
  }
}
