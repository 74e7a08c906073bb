// QR codes made in the page, for the case that the server sent a code's text without its picture.
// ISO/IEC 18004: byte mode, error correction level M, versions 1 to 20 (666 bytes, far more than a payment code holds).

/** Error correction codewords per block at level M, by version. */
const CORRECTION = [10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26];
/** Blocks at level M, by version. */
const BLOCKS = [1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16];
const LEVEL_M = 0;
const QUIET_ZONE = 4;

const MASKS = [
  (x, y) => (x + y) % 2 === 0,
  (x, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

/** Draws `content` into `canvas`, black on white with its quiet zone, `pixels` wide. Throws a RangeError if it is too long. */
export function drawQr(canvas, content, pixels) {
  const modules = qrModules(content);
  const scale = Math.max(1, Math.floor(pixels / (modules.length + 2 * QUIET_ZONE)));
  const side = scale * (modules.length + 2 * QUIET_ZONE);
  canvas.width = side;
  canvas.height = side;
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#ffffff";
  pen.fillRect(0, 0, side, side);
  pen.fillStyle = "#000000";
  modules.forEach((row, y) => {
    row.forEach((dark, x) => {
      if (dark) pen.fillRect((x + QUIET_ZONE) * scale, (y + QUIET_ZONE) * scale, scale, scale);
    });
  });
}

/** The code of `content` as rows of booleans, true is dark, without a quiet zone. Throws a RangeError if it is too long. */
export function qrModules(content) {
  const bytes = Array.from(new TextEncoder().encode(content));
  const version = versionFor(bytes.length);
  const grid = new Grid(version);
  grid.drawFunctionPatterns();
  grid.drawCodewords(interleave(dataCodewords(bytes, version), version));
  return grid.bestMasked();
}

function versionFor(length) {
  for (let version = 1; version <= BLOCKS.length; version += 1) {
    if (4 + countBits(version) + 8 * length <= 8 * dataLength(version)) return version;
  }
  throw new RangeError("the content is too long for a QR code of version 20");
}

function countBits(version) {
  return version < 10 ? 8 : 16;
}

function sizeOf(version) {
  return 17 + 4 * version;
}

/** Codewords of a symbol: its modules less those of the function patterns. */
function totalLength(version) {
  const size = sizeOf(version);
  const finders = 3 * 64;
  const timing = 2 * (size - 16);
  const format = 31;
  const versionInfo = version >= 7 ? 36 : 0;
  const across = alignmentCentres(version).length;
  const alignment = across === 0 ? 0 : 25 * (across * across - 3) - 10 * (across - 2);
  return Math.floor((size * size - finders - timing - format - versionInfo - alignment) / 8);
}

function dataLength(version) {
  return totalLength(version) - CORRECTION[version - 1] * BLOCKS[version - 1];
}

function alignmentCentres(version) {
  if (version === 1) return [];
  const count = Math.floor(version / 7) + 2;
  const last = sizeOf(version) - 7;
  const step = 2 * Math.ceil((last - 6) / (2 * (count - 1)));
  return [6, ...Array.from({ length: count - 1 }, (_, index) => last - step * (count - 2 - index))];
}

function dataCodewords(bytes, version) {
  const bits = [];
  const push = (value, width) => {
    for (let bit = width - 1; bit >= 0; bit -= 1) bits.push((value >>> bit) & 1);
  };
  push(0b0100, 4);
  push(bytes.length, countBits(version));
  for (const byte of bytes) push(byte, 8);
  const capacity = 8 * dataLength(version);
  push(0, Math.min(4, capacity - bits.length));
  push(0, (8 - (bits.length % 8)) % 8);
  const words = [];
  for (let at = 0; at < bits.length; at += 8) words.push(parseInt(bits.slice(at, at + 8).join(""), 2));
  for (let pad = 0; words.length < dataLength(version); pad += 1) words.push(pad % 2 === 0 ? 0xec : 0x11);
  return words;
}

/** Cuts the data into blocks, corrects each, and takes the codewords of all blocks in turn. */
function interleave(data, version) {
  const count = BLOCKS[version - 1];
  const correction = CORRECTION[version - 1];
  const short = Math.floor(data.length / count);
  const longBlocks = data.length % count;
  const generator = generatorPolynomial(correction);
  const blocks = [];
  let at = 0;
  for (let index = 0; index < count; index += 1) {
    const length = short + (index >= count - longBlocks ? 1 : 0);
    blocks.push(data.slice(at, at + length));
    at += length;
  }
  const corrections = blocks.map((block) => remainder(block, generator));
  return [...inTurn(blocks, short + 1), ...inTurn(corrections, correction)];
}

function inTurn(blocks, longest) {
  const taken = [];
  for (let index = 0; index < longest; index += 1) {
    for (const block of blocks) if (index < block.length) taken.push(block[index]);
  }
  return taken;
}

/** The product in GF(256) modulo x^8 + x^4 + x^3 + x^2 + 1. */
function multiply(left, right) {
  let product = 0;
  for (let bit = 7; bit >= 0; bit -= 1) {
    product = (product << 1) ^ ((product >>> 7) * 0x11d);
    product ^= ((right >>> bit) & 1) * left;
  }
  return product;
}

/** The coefficients below the leading one of (x - 1)(x - 2)(x - 4)…, highest first. */
function generatorPolynomial(degree) {
  const coefficients = [...new Array(degree - 1).fill(0), 1];
  let root = 1;
  for (let factor = 0; factor < degree; factor += 1) {
    for (let index = 0; index < degree; index += 1) {
      coefficients[index] = multiply(coefficients[index], root) ^ (coefficients[index + 1] ?? 0);
    }
    root = multiply(root, 2);
  }
  return coefficients;
}

function remainder(data, generator) {
  let rest = new Array(generator.length).fill(0);
  for (const word of data) {
    const factor = word ^ rest[0];
    rest = [...rest.slice(1), 0].map((value, index) => value ^ multiply(generator[index], factor));
  }
  return rest;
}

/** The square of modules while it is drawn. */
class Grid {
  constructor(version) {
    this.version = version;
    this.size = sizeOf(version);
    this.dark = Array.from({ length: this.size }, () => new Array(this.size).fill(false));
    this.reserved = Array.from({ length: this.size }, () => new Array(this.size).fill(false));
  }

  #set(x, y, dark) {
    this.dark[y][x] = dark;
    this.reserved[y][x] = true;
  }

  drawFunctionPatterns() {
    for (let at = 0; at < this.size; at += 1) {
      this.#set(6, at, at % 2 === 0);
      this.#set(at, 6, at % 2 === 0);
    }
    for (const [x, y] of [[3, 3], [this.size - 4, 3], [3, this.size - 4]]) this.#drawFinder(x, y);
    this.#drawAlignments();
    this.#drawFormat(0);
    this.#drawVersion();
  }

  #drawFinder(centreX, centreY) {
    for (let dy = -4; dy <= 4; dy += 1) {
      for (let dx = -4; dx <= 4; dx += 1) {
        const [x, y] = [centreX + dx, centreY + dy];
        if (x < 0 || y < 0 || x >= this.size || y >= this.size) continue;
        const ring = Math.max(Math.abs(dx), Math.abs(dy));
        this.#set(x, y, ring !== 2 && ring !== 4);
      }
    }
  }

  #drawAlignments() {
    const centres = alignmentCentres(this.version);
    const last = centres[centres.length - 1];
    for (const centreX of centres) {
      for (const centreY of centres) {
        const underFinder = (centreX === 6 && (centreY === 6 || centreY === last)) || (centreX === last && centreY === 6);
        if (underFinder) continue;
        for (let dy = -2; dy <= 2; dy += 1) {
          for (let dx = -2; dx <= 2; dx += 1) {
            this.#set(centreX + dx, centreY + dy, Math.max(Math.abs(dx), Math.abs(dy)) !== 1);
          }
        }
      }
    }
  }

  /** Level and mask, twice, with their BCH(15,5) code. */
  #drawFormat(mask) {
    const data = (LEVEL_M << 3) | mask;
    let rest = data;
    for (let bit = 0; bit < 10; bit += 1) rest = (rest << 1) ^ ((rest >>> 9) * 0x537);
    const bits = ((data << 10) | rest) ^ 0x5412;
    const bit = (index) => ((bits >>> index) & 1) === 1;
    const end = this.size - 1;
    for (let index = 0; index <= 5; index += 1) this.#set(8, index, bit(index));
    this.#set(8, 7, bit(6));
    this.#set(8, 8, bit(7));
    this.#set(7, 8, bit(8));
    for (let index = 9; index < 15; index += 1) this.#set(14 - index, 8, bit(index));
    for (let index = 0; index < 8; index += 1) this.#set(end - index, 8, bit(index));
    for (let index = 8; index < 15; index += 1) this.#set(8, end - 14 + index, bit(index));
    this.#set(8, end - 7, true);
  }

  /** The version, twice, with its BCH(18,6) code. */
  #drawVersion() {
    if (this.version < 7) return;
    let rest = this.version;
    for (let bit = 0; bit < 12; bit += 1) rest = (rest << 1) ^ ((rest >>> 11) * 0x1f25);
    const bits = (this.version << 12) | rest;
    for (let index = 0; index < 18; index += 1) {
      const dark = ((bits >>> index) & 1) === 1;
      const near = Math.floor(index / 3);
      const far = this.size - 11 + (index % 3);
      this.#set(far, near, dark);
      this.#set(near, far, dark);
    }
  }

  /** Fills the free modules from the lower right in pairs of columns, up and down by turns, around the timing column. */
  drawCodewords(words) {
    let at = 0;
    for (let right = this.size - 1; right >= 1; right -= 2) {
      if (right === 6) right = 5;
      const upwards = ((right + 1) & 2) === 0;
      for (let step = 0; step < this.size; step += 1) {
        const y = upwards ? this.size - 1 - step : step;
        for (const x of [right, right - 1]) {
          if (this.reserved[y][x] || at >= words.length * 8) continue;
          this.dark[y][x] = ((words[at >>> 3] >>> (7 - (at & 7))) & 1) === 1;
          at += 1;
        }
      }
    }
  }

  bestMasked() {
    let best = null;
    let least = Infinity;
    MASKS.forEach((mask, number) => {
      this.#drawFormat(number);
      const masked = this.dark.map((row, y) => row.map((dark, x) => (this.reserved[y][x] ? dark : dark !== mask(x, y))));
      const cost = penalty(masked);
      if (cost < least) [best, least] = [masked, cost];
    });
    return best;
  }
}

/** How hard a masked symbol is to read: the four rules of the standard. */
function penalty(rows) {
  const size = rows.length;
  const columns = rows.map((_, x) => rows.map((row) => row[x]));
  let cost = 0;
  for (const line of [...rows, ...columns]) cost += runs(line) + finderLike(line);
  for (let y = 0; y + 1 < size; y += 1) {
    for (let x = 0; x + 1 < size; x += 1) {
      const dark = rows[y][x];
      if (dark === rows[y][x + 1] && dark === rows[y + 1][x] && dark === rows[y + 1][x + 1]) cost += 3;
    }
  }
  const darkOnes = rows.flat().filter(Boolean).length;
  return cost + 10 * Math.floor(Math.abs(darkOnes * 20 - size * size * 10) / (size * size));
}

function runs(line) {
  let cost = 0;
  let length = 1;
  for (let at = 1; at <= line.length; at += 1) {
    if (at < line.length && line[at] === line[at - 1]) {
      length += 1;
    } else {
      if (length >= 5) cost += length - 2;
      length = 1;
    }
  }
  return cost;
}

function finderLike(line) {
  const bits = line.map((dark) => (dark ? "1" : "0")).join("");
  let cost = 0;
  for (const pattern of ["10111010000", "00001011101"]) {
    for (let at = bits.indexOf(pattern); at !== -1; at = bits.indexOf(pattern, at + 1)) cost += 40;
  }
  return cost;
}
