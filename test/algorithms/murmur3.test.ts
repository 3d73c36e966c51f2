import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { absorb, finish, murmur3 } from "../../src/algorithms/murmur3.js";

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

const hashOfBytes = (bytes: Uint8Array, seed = 0): number =>
  finish(absorb(seed, bytes, 0, bytes.length), bytes, bytes.length);

/** MurmurHash3_x86_32 written again from its definition, in unbounded integers and without haste. */
function slowMurmur3(bytes: Uint8Array, seed = 0): number {
  const wrap = (value: bigint): bigint => value % 2n ** 32n;
  const rotate = (value: bigint, by: bigint): bigint => wrap(value * 2n ** by) + value / 2n ** (32n - by);
  let hash = BigInt(seed);
  for (let at = 0; at < bytes.length; at += 4) {
    const block = [...bytes.subarray(at, at + 4)];
    const k = block.reduce((sum, byte, place) => sum + BigInt(byte) * 256n ** BigInt(place), 0n);
    hash ^= wrap(rotate(wrap(k * 0xcc9e2d51n), 15n) * 0x1b873593n);
    if (block.length === 4) hash = wrap(rotate(hash, 13n) * 5n + 0xe6546b64n);
  }
  hash ^= BigInt(bytes.length);
  hash = wrap((hash ^ (hash / 2n ** 16n)) * 0x85ebca6bn);
  hash = wrap((hash ^ (hash / 2n ** 13n)) * 0xc2b2ae35n);
  return Number(hash ^ (hash / 2n ** 16n));
}

const PUBLISHED_OF_TEXT: [text: string, hash: number][] = [
  ["", 0],
  ["hello", 0x248bfa47],
  ["hello, world", 0x149bbb7f],
  ["The quick brown fox jumps over the lazy dog", 0x2e4ff723],
];

const PUBLISHED_OF_BYTES: [bytes: number[], seed: number, hash: number][] = [
  [[], 1, 0x514e28b7],
  [[], 0xffffffff, 0x81f16f39],
  [[0xff, 0xff, 0xff, 0xff], 0, 0x76293b50],
  [[0x21, 0x43, 0x65, 0x87], 0, 0xf55b516b],
  [[0x21, 0x43, 0x65, 0x87], 0x5082edee, 0x2362f9de],
  [[0x21, 0x43, 0x65], 0, 0x7e4a8634],
  [[0x21, 0x43], 0, 0xa0f7b07a],
  [[0x21], 0, 0x72661cf4],
  [[0, 0, 0, 0], 0, 0x2362f9de],
  [[0, 0, 0], 0, 0x85f0b427],
  [[0, 0], 0, 0x30f4c306],
  [[0], 0, 0x514e28b7],
];

describe("MurmurHash3", () => {
  it.each(PUBLISHED_OF_TEXT)("of %j is the published value", (text, hash) => {
    expect(murmur3(text)).toBe(hash);
    expect(slowMurmur3(utf8(text))).toBe(hash);
  });

  it.each(PUBLISHED_OF_BYTES)("of the bytes %j with seed %i is the published value", (bytes, seed, hash) => {
    expect(hashOfBytes(Uint8Array.from(bytes), seed)).toBe(hash);
    expect(slowMurmur3(Uint8Array.from(bytes), seed)).toBe(hash);
  });

  it("agrees with the slow reference on any bytes and seed", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), fc.nat(0xffffffff), (bytes, seed) => {
        expect(hashOfBytes(bytes, seed)).toBe(slowMurmur3(bytes, seed));
      }),
    );
  });

  it("of ASCII text is the hash of its bytes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary-ascii", maxLength: 70 }), (text) => {
        expect(murmur3(text)).toBe(slowMurmur3(utf8(text)));
      }),
    );
  });

  it("of any text is the hash of its UTF-8 bytes, lone surrogates being U+FFFD", () => {
    const anyUnits = fc
      .array(fc.oneof(fc.nat(0x7f), fc.nat(0xffff), fc.integer({ min: 0xd800, max: 0xdfff })), {
        maxLength: 40,
      })
      .map((units) => String.fromCharCode(...units));
    fc.assert(
      fc.property(anyUnits, (text) => {
        expect(murmur3(text)).toBe(slowMurmur3(utf8(text)));
      }),
    );
    expect(murmur3("a\ud800b")).toBe(murmur3("a\ufffdb"));
  });

  it("finds the one character outside ASCII wherever it stands", () => {
    for (let length = 1; length <= 9; length++) {
      for (let at = 0; at < length; at++) {
        const text = `${"x".repeat(at)}é${"x".repeat(length - at - 1)}`;
        expect(murmur3(text)).toBe(slowMurmur3(utf8(text)));
      }
    }
  });

  it.each([1365, 1366, 5000])("of %i characters of three bytes needs no special case", (length) => {
    const text = "€".repeat(length);
    expect(murmur3(text)).toBe(slowMurmur3(utf8(text)));
  });

  it("of a shorter text is not touched by a longer one before it", () => {
    murmur3("é".repeat(100));
    expect(murmur3("é")).toBe(slowMurmur3(utf8("é")));
  });

  it("can go on from the state of a common beginning", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(40), (bytes, cut) => {
        const common = Math.min(cut, bytes.length);
        const state = absorb(absorb(0, bytes, 0, common), bytes, common & ~3, bytes.length);
        expect(finish(state, bytes, bytes.length)).toBe(hashOfBytes(bytes));
      }),
    );
  });
});
