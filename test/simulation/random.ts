/** Chance from a seed: the same seed and label give the same numbers on every machine. Generator: sfc32. */
export class Chance {
  #a: number;
  #b: number;
  #c: number;
  #d = 1;

  /** Streams with different labels are independent: what one part of a run draws changes nothing for the others. */
  constructor(
    private readonly seed: number,
    label = "",
  ) {
    let state = seed | 0;
    for (let i = 0; i < label.length; i++) state = Math.imul(state ^ label.charCodeAt(i), 0x01000193);
    const word = () => {
      state = (state + 0x9e3779b9) | 0;
      const mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
      return Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    };
    this.#a = word() ^ seed;
    this.#b = word();
    this.#c = word();
    for (let i = 0; i < 12; i++) this.next();
  }

  stream(label: string): Chance {
    return new Chance(this.seed, label);
  }

  /** Evenly in [0, 1). */
  readonly next = (): number => {
    const sum = (((this.#a + this.#b) | 0) + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };

  between(low: number, high: number): number {
    return low + this.next() * (high - low);
  }

  /** A whole number from `low` to `high`, both included. */
  whole(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  happens(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(all: readonly T[]): T {
    if (all.length === 0) throw new RangeError("nothing to pick from");
    return all[this.whole(0, all.length - 1)] as T;
  }

  /** One of the names, as often as its weight says. */
  weighted<T extends string>(weights: Readonly<Record<T, number>>): T {
    const names = Object.keys(weights) as T[];
    let left = this.next() * names.reduce((sum, name) => sum + weights[name], 0);
    for (const name of names) {
      left -= weights[name];
      if (left < 0) return name;
    }
    return names.at(-1) as T;
  }

  digits(count: number, alphabet: string): string {
    let text = "";
    for (let i = 0; i < count; i++) text += alphabet[this.whole(0, alphabet.length - 1)];
    return text;
  }
}
