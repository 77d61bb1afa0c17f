// Images as the page holds them: bytes of all bands, deflated, in base64. A byte q of a band is the
// value sky + softening * sinh(start + step * q).

const DECODED_KEPT = 160;
const decoded = new Map();

async function unpack(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function decode(image) {
  const bytes = await unpack(image.data);
  const size = image.width * image.height;
  return image.bands.map(([sky, softening, start, step], band) => {
    const values = Float64Array.from({ length: 256 }, (_, q) => sky + softening * Math.sinh(start + step * q));
    return Float32Array.from(bytes.subarray(band * size, (band + 1) * size), (q) => values[q]);
  });
}

// The bands of a candidate's image; those looked at last are kept.
async function planesOf(candidate) {
  let planes = decoded.get(candidate.n);
  decoded.delete(candidate.n);
  planes ??= decode(candidate.image);
  decoded.set(candidate.n, planes);
  if (decoded.size > DECODED_KEPT) decoded.delete(decoded.keys().next().value);
  return planes;
}
