/** An entry, by what is left to know of it. */
interface Entry {
  readonly group: string;
  readonly slot: number;
}

/**
 * What lives until its deadline, unless it is extended or removed before, counted by group. Deadlines are rounded up to
 * whole seconds. Every call takes constant time, but for the first of a second, which also drops what has ended since.
 */
export class LiveSet {
  readonly #entries = new Map<string, Entry>();
  /** The ids by the second in which they end. */
  readonly #slots = new Map<number, Set<string>>();
  readonly #counts = new Map<string, number>();
  #droppedUpTo = Number.NEGATIVE_INFINITY;

  /** `capacity`: entries at a time; 160 to 350 bytes each, by their texts. */
  constructor(private readonly capacity: number) {}

  /** Adds or extends an entry, never shortening it within its group. False: there is no room for one more. */
  put(id: string, group: string, endsMs: number, nowMs: number): boolean {
    this.#dropEnded(nowMs);
    const known = this.#entries.get(id);
    if (!known && this.#entries.size >= this.capacity) return false;
    const slot = Math.ceil(endsMs / SLOT_MS);
    if (known?.group === group && known.slot >= slot) return true;
    if (known) this.#remove(id, known);
    this.#entries.set(id, { group, slot });
    this.#counts.set(group, (this.#counts.get(group) ?? 0) + 1);
    const ids = this.#slots.get(slot);
    if (ids) ids.add(id);
    else this.#slots.set(slot, new Set([id]));
    return true;
  }

  remove(id: string): void {
    const entry = this.#entries.get(id);
    if (entry) this.#remove(id, entry);
  }

  has(id: string, nowMs: number): boolean {
    this.#dropEnded(nowMs);
    return this.#entries.has(id);
  }

  /** How many entries of the group live. */
  count(group: string, nowMs: number): number {
    this.#dropEnded(nowMs);
    return this.#counts.get(group) ?? 0;
  }

  /** Entries that are kept. */
  get size(): number {
    return this.#entries.size;
  }

  #dropEnded(nowMs: number): void {
    const slot = Math.floor(nowMs / SLOT_MS);
    if (slot <= this.#droppedUpTo) return;
    this.#droppedUpTo = slot;
    for (const [ending, ids] of this.#slots) if (ending <= slot) for (const id of ids) this.remove(id);
  }

  #remove(id: string, { group, slot }: Entry): void {
    this.#entries.delete(id);
    const rest = (this.#counts.get(group) ?? 1) - 1;
    if (rest > 0) this.#counts.set(group, rest);
    else this.#counts.delete(group);
    const ids = this.#slots.get(slot);
    ids?.delete(id);
    if (ids?.size === 0) this.#slots.delete(slot);
  }
}

const SLOT_MS = 1_000;
