/**
 * Reduction by symmetry: primaries are interchangeable, and so are clients that are alike, so of all states that
 * differ only by an exchange one is explored. It need not find the same representative for all of them: any state it
 * returns is the given one with its parts exchanged, which is what soundness asks for. What it misses costs states,
 * never answers.
 */
import type { Layout, Shape } from "./world.js";

export type Canonical = (words: Uint32Array) => void;

/** Brings a state, in place, to the representative of its class. */
export function canonicalForm<S extends Shape>(layout: Layout<S>): Canonical {
  const primaries = layout.shape.primaries;
  const blockWords = layout.primaryBytes / 4;
  const sortClients = clientSorter(layout);
  return (words) => {
    sortClients(words);
    for (let upper = 1; upper < primaries; upper++)
      for (let place = upper; place > 0; place--)
        if (!swapIfGreater(words, (place - 1) * blockWords, place * blockWords, blockWords)) break;
  };
}

/** Whether the first block was the greater. */
function swapIfGreater(words: Uint32Array, first: number, second: number, length: number): boolean {
  for (let k = 0; k < length; k++) {
    const difference = (words[first + k] as number) - (words[second + k] as number);
    if (difference < 0) return false;
    if (difference === 0) continue;
    for (; k < length; k++) {
      const word = words[first + k] as number;
      words[first + k] = words[second + k] as number;
      words[second + k] = word;
    }
    return true;
  }
  return false;
}

/** Orders clients that are alike by what they are and by what the primaries know of them, in any order of primaries. */
function clientSorter<S extends Shape>(layout: Layout<S>): Canonical {
  const { primaryBytes, linkBytes, linksAt, clientBytes, clientsAt, namingAt } = layout;
  const { alike, primaries } = layout.shape;
  if (alike < 2) return () => {};

  function order(bytes: Uint8Array, one: number, other: number): number {
    for (let k = 0; k < clientBytes; k++) {
      const left = bytes[clientsAt + one * clientBytes + k] as number;
      const right = bytes[clientsAt + other * clientBytes + k] as number;
      if (left !== right) return left - right;
    }
    return signature(bytes, one) - signature(bytes, other);
  }

  function signature(bytes: Uint8Array, client: number): number {
    let sum = 0;
    for (let base = 0; base < primaries * primaryBytes; base += primaryBytes) {
      let mixed = 1;
      const link = base + linksAt + client * linkBytes;
      for (let k = 0; k < linkBytes; k++) mixed = (Math.imul(mixed, 31) + (bytes[link + k] as number)) | 0;
      for (let k = 0; k < linksAt; k++) {
        const value = bytes[base + k] as number;
        const named = namingAt.includes(k) && value !== 0;
        mixed = (Math.imul(mixed, 31) + (named ? (value === client + 1 ? 1 : 2) : value)) | 0;
      }
      sum = (sum + Math.imul(mixed, 0x9e3779b1)) | 0;
    }
    return sum;
  }

  function exchange(bytes: Uint8Array, one: number, other: number): void {
    swapBytes(bytes, clientsAt + one * clientBytes, clientsAt + other * clientBytes, clientBytes);
    for (let base = 0; base < primaries * primaryBytes; base += primaryBytes) {
      swapBytes(bytes, base + linksAt + one * linkBytes, base + linksAt + other * linkBytes, linkBytes);
      for (const offset of namingAt) {
        const named = bytes[base + offset];
        if (named === one + 1) bytes[base + offset] = other + 1;
        else if (named === other + 1) bytes[base + offset] = one + 1;
      }
    }
  }

  // A view of the same few states over and over: making it anew each time would cost a fifth of the whole search.
  let bytes = new Uint8Array();
  return (words) => {
    if (bytes.buffer !== words.buffer) bytes = new Uint8Array(words.buffer as ArrayBuffer);
    for (let upper = 1; upper < alike; upper++)
      for (let place = upper; place > 0 && order(bytes, place - 1, place) > 0; place--)
        exchange(bytes, place - 1, place);
  };
}

function swapBytes(bytes: Uint8Array, first: number, second: number, length: number): void {
  for (let k = 0; k < length; k++) {
    const byte = bytes[first + k] as number;
    bytes[first + k] = bytes[second + k] as number;
    bytes[second + k] = byte;
  }
}
