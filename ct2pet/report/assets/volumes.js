"use strict";
// The volumes of one case as 8-bit codes, and their slices as pixels. No page in here.

const PLANES = {
  // axes of the arrays (Z, Y, X): the fixed one, the one of the picture's rows, of its columns; whether rows run upwards
  axial: { fixed: 0, row: 1, column: 2, up: false, sides: ["R", "L", "A", "P"] },
  coronal: { fixed: 1, row: 0, column: 2, up: true, sides: ["R", "L", "H", "F"] },
  sagittal: { fixed: 2, row: 0, column: 1, up: true, sides: ["A", "P", "H", "F"] },
};

/** The codes of a case: {shape: [z, y, x], voxel, input, real, fake, regions (or null), lesions: [[z, y, x], ...]}. `element` holds them as base64 of gzip. */
async function decodeVolumes(element) {
  const text = element.textContent.trim();
  const packed = Uint8Array.fromBase64
    ? Uint8Array.fromBase64(text)
    : Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const codes = new Uint8Array(await new Response(stream).arrayBuffer());
  const shape = element.dataset.shape.split(" ").map(Number);
  const size = shape[0] * shape[1] * shape[2];
  const part = (index) => codes.subarray(index * size, (index + 1) * size);
  const places = element.dataset.lesions ? element.dataset.lesions.split(",") : [];
  const lesions = places.map((place) => place.split(" ").map(Number));
  const regions = codes.length > 3 * size ? part(3) : null;
  return { shape, voxel: Number(element.dataset.voxel), input: part(0), real: part(1), fake: part(2), regions, lesions };
}

/** Where the pixels of a slice lie in the arrays. `start` is the first pixel's, `down` and `right` the steps. */
function sliceLayout(shape, plane, index) {
  const { fixed, row, column, up } = PLANES[plane];
  const steps = [shape[1] * shape[2], shape[2], 1];
  const start = index * steps[fixed] + (up ? (shape[row] - 1) * steps[row] : 0);
  return { height: shape[row], width: shape[column], start, down: up ? -steps[row] : steps[row], right: steps[column] };
}

/** The pixels (RGBA) of a slice; `colour(voxel)` gives red + 256 green + 65536 blue. */
function paintSlice(image, layout, colour) {
  const pixels = new Uint32Array(image.data.buffer);
  let pixel = 0;
  for (let y = 0; y < layout.height; y++) {
    let voxel = layout.start + y * layout.down;
    for (let x = 0; x < layout.width; x++, voxel += layout.right) pixels[pixel++] = 0xff000000 | colour(voxel);
  }
}

const LESION = 128; // the bit of a lesion in the codes of regions; the other bits number the districts
const DISTRICT_LINE = 0xffc0d035; // as pixels: alpha, blue, green, red
const LESION_LINE = 0xffff40ff;

/** Draw over the pixels of a slice the borders between districts, and around lesions. */
function paintContours(image, layout, regions) {
  const pixels = new Uint32Array(image.data.buffer);
  const { width, height, start, down, right } = layout;
  const code = (x, y) => regions[start + y * down + x * right];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const here = code(x, y);
      const beside = [x + 1 < width ? code(x + 1, y) : here, y + 1 < height ? code(x, y + 1) : here];
      if (beside.some((other) => (other ^ here) & LESION)) pixels[y * width + x] = LESION_LINE;
      else if (beside.some((other) => (other ^ here) & ~LESION)) pixels[y * width + x] = DISTRICT_LINE;
    }
  }
}

/** Where the voxels of the line through a position along one axis lie in the arrays. */
function profileLine(shape, position, axis) {
  const steps = [shape[1] * shape[2], shape[2], 1];
  const at = position.reduce((sum, index, number) => sum + index * steps[number], 0);
  return { start: at - position[axis] * steps[axis], step: steps[axis], count: shape[axis] };
}

/** 256 colours from a text of six hexadecimal digits each, as [red, green, blue]. */
function colourTable(text) {
  const channel = (index) => parseInt(text.slice(index, index + 2), 16);
  return Array.from({ length: 256 }, (_, i) => [channel(6 * i), channel(6 * i + 2), channel(6 * i + 4)]);
}

const share = (value, low, high) => Math.min(1, Math.max(0, (value - low) / (high - low)));
const packed = ([r, g, b]) => r | (g << 8) | (b << 16);

/** What the four panels show of a voxel. `tables`: values of the codes, `windows`: the reader's choices. A CT is grey,
 * an input that is a PET has the colours of the other PETs. */
function panelColours(volumes, tables, colours, windows, inputIsCt) {
  const { input, real, fake } = volumes;
  const low = windows.level - windows.width / 2;
  const grey = Uint8Array.from(tables.input, (hu) => Math.round(255 * share(hu, low, low + windows.width)));
  // How much of a PET's colour covers the CT: by uptake up to a fusion of 50%, from there on everywhere more and more.
  const cover = new Float32Array(256);
  const pet = tables.pet.map((suv, code) => {
    const uptake = share(suv, 0, windows.suv);
    cover[code] = Math.min(1, Math.max(2 * windows.fusion - 1, 2 * windows.fusion * uptake));
    return colours.pet[Math.round(255 * uptake)];
  });
  const fused = (codes) => (voxel) => {
    const code = codes[voxel];
    const [r, g, b] = pet[code];
    const weight = cover[code];
    const rest = (1 - weight) * grey[input[voxel]];
    return (r * weight + rest) | ((g * weight + rest) << 8) | ((b * weight + rest) << 16);
  };
  const error = colours.error.map(packed);
  return {
    input: inputIsCt ? (voxel) => grey[input[voxel]] * 0x010101 : (voxel) => packed(pet[input[voxel]]),
    real: fused(real),
    fake: fused(fake),
    error: (voxel) => {
      const difference = tables.pet[fake[voxel]] - tables.pet[real[voxel]];
      return error[Math.round(255 * share(difference, -windows.error, windows.error))];
    },
  };
}
