/**
 * MurmurHash3 x86 32-bit of the text's UTF-8 bytes, seed 0: an integer from 0 to 2^32 - 1. A lone
 * surrogate counts as U+FFFD, as TextEncoder has it. Source: Appleby, MurmurHash3.cpp,
 * MurmurHash3_x86_32.
 *
 * @example murmur3("hello") // 0x248bfa47
 */
export function murmur3(text: string): number {
  const length = text.length;
  const wholeEnd = length & ~3;
  let state = 0;
  for (let at = 0; at < wholeEnd; at += 4) {
    const a = text.charCodeAt(at);
    const b = text.charCodeAt(at + 1);
    const c = text.charCodeAt(at + 2);
    const d = text.charCodeAt(at + 3);
    if ((a | b | c | d) > ASCII_MAX) return murmur3OfEncoded(text);
    state = mixBlock(state, a | (b << 8) | (c << 16) | (d << 24));
  }
  let tail = 0;
  for (let at = length - 1; at >= wholeEnd; at--) {
    const unit = text.charCodeAt(at);
    if (unit > ASCII_MAX) return murmur3OfEncoded(text);
    tail = (tail << 8) | unit;
  }
  return finalMix(state ^ scramble(tail), length) >>> 0;
}

/**
 * The state after the whole 4-byte blocks of `bytes[0, end)`, as a signed 32-bit integer; up to three bytes behind the
 * last block are left for `finish`. `state` is the seed, or the result of an earlier call for `bytes[0, start)`;
 * `start` is a multiple of 4. Texts with a common prefix can thus share the work on it.
 */
export function absorb(state: number, bytes: Uint8Array, start: number, end: number): number {
  const wholeEnd = end & ~3;
  let next = state;
  for (let at = start; at < wholeEnd; at += 4) {
    next = mixBlock(next, littleEndian(bytes, at, at + 4));
  }
  return next;
}

/** The hash of `bytes[0, end)`, from 0 to 2^32 - 1, given the state that `absorb` returned for all its whole blocks. */
export function finish(state: number, bytes: Uint8Array, end: number): number {
  // An empty tail scrambles to 0 and so changes nothing, as the algorithm requires.
  return finalMix(state ^ scramble(littleEndian(bytes, end & ~3, end)), end) >>> 0;
}

const ASCII_MAX = 0x7f;
const encoder = new TextEncoder();

/** Room for a key of 1 KB, and for 1,365 UTF-16 units at three bytes each. Its content never outlives a call. */
const reused = new Uint8Array(4096);

function murmur3OfEncoded(text: string): number {
  if (text.length * 3 > reused.length) {
    const bytes = encoder.encode(text);
    return finish(absorb(0, bytes, 0, bytes.length), bytes, bytes.length);
  }
  const { written } = encoder.encodeInto(text, reused);
  return finish(absorb(0, reused, 0, written), reused, written);
}

function littleEndian(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let at = end - 1; at >= start; at--) value = (value << 8) | (bytes[at] as number);
  return value;
}

function scramble(block: number): number {
  const k = Math.imul(block, 0xcc9e2d51);
  return Math.imul((k << 15) | (k >>> 17), 0x1b873593);
}

function mixBlock(state: number, block: number): number {
  const h = state ^ scramble(block);
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}

function finalMix(state: number, lengthBytes: number): number {
  let h = state ^ lengthBytes;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
