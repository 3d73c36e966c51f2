/**
 * Name patterns: every `*` stands for any characters, also for none; everything else stands for itself. Names are
 * compared code unit by code unit: no case folding and no Unicode normalization, so that no two spellings mean one name.
 */
export class NamePatterns {
  readonly #all: boolean;
  readonly #exact = new Set<string>();
  readonly #prefixes: string[] = [];
  /** What a name must begin with, contain in this order, and end with. */
  readonly #parts: (readonly string[])[] = [];

  constructor(patterns: readonly string[]) {
    this.#all = patterns.some((pattern) => /^\*+$/.test(pattern));
    if (this.#all) return;
    for (const pattern of patterns) {
      const parts = pattern.split(/\*+/);
      if (parts.length === 1) this.#exact.add(pattern);
      else if (parts.length === 2 && parts[1] === "") this.#prefixes.push(parts[0] as string);
      else this.#parts.push(parts);
    }
  }

  /** Whether one of the patterns is nothing but `*`. */
  get all(): boolean {
    return this.#all;
  }

  /** Whether there is no pattern. */
  get none(): boolean {
    return !this.#all && this.#exact.size + this.#prefixes.length + this.#parts.length === 0;
  }

  /** What all names that match begin with: the part that all patterns have in common. */
  get commonBeginning(): string {
    if (this.#all || this.none) return "";
    const beginnings = [
      ...this.#exact,
      ...this.#prefixes,
      ...this.#parts.map(([first = ""]) => first),
    ].sort();
    // Of texts in order, the first and the last have in common what all have.
    const [first = "", last = ""] = [beginnings[0], beginnings.at(-1)];
    let length = 0;
    while (length < first.length && first[length] === last[length]) length++;
    // Half of a character is no beginning of a text.
    if (/[\ud800-\udbff]/.test(first[length - 1] ?? "")) length--;
    return first.slice(0, length);
  }

  match(name: string): boolean {
    if (this.#all || this.#exact.has(name)) return true;
    for (const prefix of this.#prefixes) if (name.startsWith(prefix)) return true;
    for (const parts of this.#parts) if (hasInOrder(name, parts)) return true;
    return false;
  }
}

/** Linear in the length of the name: the first place of each part is as good as any later one. */
function hasInOrder(name: string, parts: readonly string[]): boolean {
  const first = parts[0] as string;
  const last = parts.at(-1) as string;
  if (!name.startsWith(first) || !name.endsWith(last)) return false;
  let from = first.length;
  for (let i = 1; i < parts.length - 1; i++) {
    const part = parts[i] as string;
    const at = name.indexOf(part, from);
    if (at < 0) return false;
    from = at + part.length;
  }
  return from + last.length <= name.length;
}
