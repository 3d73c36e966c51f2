/**
 * The set of states that were reached, in the order in which they were: an open-addressing hash table of numbers over
 * the states themselves, which lie whole in large blocks. Whole states, not only hashes: "exhausted" then has no
 * "with high probability" in it.
 */
export class States {
  #count = 0;
  readonly #blocks: Uint32Array[] = [];
  /** Number of a state + 1, 0 for free; and a part of its hash, which spares most looks at states that differ. */
  #table = new Int32Array(1 << 16);
  #tags = new Int32Array(1 << 16);

  constructor(private readonly wordsPerState: number) {}

  get size(): number {
    return this.#count;
  }

  /** True when it was not there yet: its number is then `size - 1`. */
  add(state: Uint32Array): boolean {
    if (this.#count >= this.#table.length * FULL_AT) this.#grow();
    const hash = hashOf(state, 0, this.wordsPerState);
    const mask = this.#table.length - 1;
    const table = this.#table;
    const tags = this.#tags;
    let slot = hash & mask;
    for (let entry = table[slot]; entry !== undefined && entry !== 0; entry = table[slot]) {
      if (tags[slot] === hash && this.#equals(entry - 1, state)) return false;
      slot = (slot + 1) & mask;
    }
    table[slot] = this.#count + 1;
    tags[slot] = hash;
    this.#store(state);
    return true;
  }

  /** Its number, -1 where it is not there. */
  find(state: Uint32Array): number {
    const hash = hashOf(state, 0, this.wordsPerState);
    const mask = this.#table.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#table[slot] as number;
      if (entry === 0) return -1;
      if (this.#tags[slot] === hash && this.#equals(entry - 1, state)) return entry - 1;
    }
  }

  /** Copies state `number` into `into`. */
  read(number: number, into: Uint32Array): void {
    const block = this.#blockOf(number);
    const from = (number & BLOCK_MASK) * this.wordsPerState;
    for (let k = 0; k < this.wordsPerState; k++) into[k] = block[from + k] as number;
  }

  #store(state: Uint32Array): void {
    if (this.#count % BLOCK_STATES === 0)
      this.#blocks.push(new Uint32Array(BLOCK_STATES * this.wordsPerState));
    const block = this.#blockOf(this.#count);
    const to = (this.#count & BLOCK_MASK) * this.wordsPerState;
    for (let k = 0; k < this.wordsPerState; k++) block[to + k] = state[k] as number;
    this.#count++;
  }

  #equals(number: number, state: Uint32Array): boolean {
    const block = this.#blockOf(number);
    const from = (number & BLOCK_MASK) * this.wordsPerState;
    for (let k = 0; k < this.wordsPerState; k++) if (block[from + k] !== state[k]) return false;
    return true;
  }

  #blockOf(number: number): Uint32Array {
    return this.#blocks[number >>> BLOCK_BITS] as Uint32Array;
  }

  #grow(): void {
    const length = this.#table.length * 2;
    const table = new Int32Array(length);
    const tags = new Int32Array(length);
    for (let slot = 0; slot < this.#table.length; slot++) {
      const entry = this.#table[slot] as number;
      if (entry === 0) continue;
      const hash = this.#tags[slot] as number;
      let free = hash & (length - 1);
      while (table[free] !== 0) free = (free + 1) & (length - 1);
      table[free] = entry;
      tags[free] = hash;
    }
    this.#table = table;
    this.#tags = tags;
  }
}

const FULL_AT = 0.7;
const BLOCK_BITS = 15;
const BLOCK_STATES = 1 << BLOCK_BITS;
const BLOCK_MASK = BLOCK_STATES - 1;

/** MurmurHash3's mixing of words: short, and spreads small bytes well. */
function hashOf(words: Uint32Array, from: number, length: number): number {
  let hash = length;
  for (let k = from; k < from + length; k++) {
    let word = Math.imul(words[k] as number, 0xcc9e2d51);
    word = (word << 15) | (word >>> 17);
    hash ^= Math.imul(word, 0x1b873593);
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
