// Writes PNG files without a canvas, which would change the pixel values (colour management, alpha).

// The photo's colour profile: null if it has none, undefined if it cannot be kept and the browser must convert.
export async function readProfile(bytes) {
  const text = (at, length) => String.fromCharCode(...bytes.subarray(at, at + length));
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const parts = [];
  if (text(0, 3) === "\xff\xd8\xff") { // JPEG: the segments APP2, in order
    for (let at = 2; at + 4 < bytes.length && bytes[at] === 0xff && bytes[at + 1] !== 0xda; at += 2 + view.getUint16(at + 2)) {
      if (bytes[at + 1] === 0xe2 && text(at + 4, 11) === "ICC_PROFILE") {
        parts[bytes[at + 16]] = bytes.subarray(at + 18, at + 2 + view.getUint16(at + 2));
      }
    }
  } else if (text(1, 3) === "PNG") {
    for (let at = 8; at + 8 < bytes.length && text(at + 4, 4) !== "IDAT"; at += 12 + view.getUint32(at)) {
      if (text(at + 4, 4) !== "iCCP") continue;
      const start = bytes.indexOf(0, at + 8) + 2; // after the name and the method
      parts.push(await pipe(bytes.subarray(start, at + 8 + view.getUint32(at)), new DecompressionStream("deflate")));
    }
  } else if (text(8, 4) === "WEBP") {
    for (let at = 12; at + 8 < bytes.length; at += 8 + view.getUint32(at + 4, true) + (view.getUint32(at + 4, true) & 1)) {
      if (text(at, 4) === "ICCP") parts.push(bytes.subarray(at + 8, at + 8 + view.getUint32(at + 4, true)));
    }
  } else return undefined;
  if (!parts.some(Boolean)) return null;
  const profile = new Uint8Array(await new Blob(parts.filter(Boolean)).arrayBuffer());
  return String.fromCharCode(...profile.subarray(16, 20)) === "RGB " ? profile : undefined;
}

// rgb: Uint8Array (height x width x 3). Returns the file as a Blob.
export async function writePng(rgb, width, height, profile) {
  const row = 3 * width, filtered = new Uint8Array((row + 1) * height);
  for (let y = 0, from = 0, to = 0; y < height; y++) {
    filtered[to++] = 1; // the filter "Sub": the difference to the pixel on the left
    for (let x = 0; x < row; x++, from++) filtered[to++] = rgb[from] - (x < 3 ? 0 : rgb[from - 3]);
  }
  const head = new Uint8Array(13);
  new DataView(head.buffer).setUint32(0, width);
  new DataView(head.buffer).setUint32(4, height);
  head.set([8, 2], 8); // 8 bits, RGB
  const chunks = [chunk("IHDR", head)];
  if (profile) chunks.push(chunk("iCCP", new Uint8Array([0x70, 0, 0]), await pipe(profile, new CompressionStream("deflate"))));
  chunks.push(chunk("IDAT", await pipe(filtered, new CompressionStream("deflate"))), chunk("IEND"));
  return new Blob([new Uint8Array([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]), ...chunks.flat()], { type: "image/png" });
}

async function pipe(bytes, stream) {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
}

const TABLE = Uint32Array.from({ length: 256 }, (_, value) => {
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

// Length, name, data, and their CRC-32.
function chunk(name, ...parts) {
  const length = new Uint8Array(4), sum = new Uint8Array(4), type = new TextEncoder().encode(name);
  new DataView(length.buffer).setUint32(0, parts.reduce((total, part) => total + part.length, 0));
  let crc = ~0;
  for (const part of [type, ...parts]) for (const byte of part) crc = TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  new DataView(sum.buffer).setUint32(0, ~crc);
  return [length, type, ...parts, sum];
}
