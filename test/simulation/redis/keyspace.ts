/** Hashes are Maps of texts, sorted sets Maps of numbers, streams lists of entries; strings are strings. */
export type Value =
  | { readonly type: "string"; readonly text: string }
  | { readonly type: "hash"; readonly fields: Map<string, string> }
  | { readonly type: "zset"; readonly scores: Map<string, number> }
  | { readonly type: "stream"; readonly entries: StreamEntry[] };

export interface StreamEntry {
  readonly ms: number;
  readonly seq: number;
  readonly pairs: readonly string[];
}

interface Entry {
  readonly value: Value;
  /** On the server's clock; infinite when it does not expire. */
  expiresAtMs: number;
}

/** What one command or script changed: the entries before. */
type Undo = Map<string, Entry | undefined>;

/**
 * The keys of one database, on the clock that it is asked by. It remembers the latest writes, so that the tail of them
 * can be cut off, as when an append-only file was not written to its end: whole scripts only, as Redis has it.
 */
export class Keyspace {
  #entries = new Map<string, Entry>();
  #undos: Undo[] = [];
  #undo: Undo = new Map();

  /** What was published and not passed on yet. */
  published: { readonly channel: string; readonly message: string }[] = [];

  /** How many listen on a channel. */
  listeners: (channel: string) => number = () => 0;

  constructor(private readonly nowMs: () => number) {}

  get(key: string): Value | undefined {
    return this.#entry(key)?.value;
  }

  /** Gives the key a new value; it does not expire then. */
  set(key: string, value: Value, expiresAtMs = Number.POSITIVE_INFINITY): void {
    this.#note(key);
    this.#entries.set(key, { value, expiresAtMs });
  }

  /** The fields of a hash that is about to change. */
  hash(key: string): Map<string, string> {
    const value = this.#change(key, () => ({ type: "hash", fields: new Map() }));
    if (value.type !== "hash") throw new WrongType();
    return value.fields;
  }

  /** The scores of a sorted set that is about to change. */
  zset(key: string): Map<string, number> {
    const value = this.#change(key, () => ({ type: "zset", scores: new Map() }));
    if (value.type !== "zset") throw new WrongType();
    return value.scores;
  }

  /** The entries of a stream that is about to change. */
  stream(key: string): StreamEntry[] {
    const value = this.#change(key, () => ({ type: "stream", entries: [] }));
    if (value.type !== "stream") throw new WrongType();
    return value.entries;
  }

  delete(key: string): boolean {
    if (!this.#entry(key)) return false;
    this.#note(key);
    return this.#entries.delete(key);
  }

  rename(from: string, to: string): boolean {
    const entry = this.#entry(from);
    if (!entry) return false;
    this.#note(from);
    this.#note(to);
    this.#entries.delete(from);
    this.#entries.set(to, entry);
    return true;
  }

  /** Infinite when it does not expire; undefined when there is no such key. */
  expiresAtMs(key: string): number | undefined {
    return this.#entry(key)?.expiresAtMs;
  }

  expire(key: string, atMs: number): boolean {
    const entry = this.#entry(key);
    if (!entry) return false;
    this.#note(key);
    entry.expiresAtMs = atMs;
    return true;
  }

  keys(): string[] {
    return [...this.#entries.keys()].filter((key) => this.#entry(key));
  }

  clear(): void {
    this.#entries.clear();
    this.#undos = [];
  }

  /** Takes over all that another has, as a replica does. */
  copyFrom(other: Keyspace): void {
    this.clear();
    for (const [key, entry] of other.#entries) this.#entries.set(key, clone(entry));
  }

  /** Ends one command or script: what it wrote stays or goes together. Whether it wrote anything. */
  commit(): boolean {
    if (this.#undo.size === 0) return false;
    this.#undos.push(this.#undo);
    this.#undo = new Map();
    if (this.#undos.length > UNDOS_MAX) this.#undos.splice(0, UNDOS_MAX / 2);
    return true;
  }

  /** Takes the latest writes back. How many there were. */
  cutTail(writes: number): number {
    let cut = 0;
    for (; cut < writes; cut++) {
      const undo = this.#undos.pop();
      if (!undo) break;
      for (const [key, entry] of undo) {
        if (entry) this.#entries.set(key, entry);
        else this.#entries.delete(key);
      }
    }
    return cut;
  }

  #entry(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (!entry || entry.expiresAtMs > this.nowMs()) return entry;
    this.#entries.delete(key);
    return undefined;
  }

  #change(key: string, empty: () => Value): Value {
    this.#note(key);
    const entry = this.#entry(key) ?? { value: empty(), expiresAtMs: Number.POSITIVE_INFINITY };
    this.#entries.set(key, entry);
    return entry.value;
  }

  /** Remembers a key as it was before the command or script. */
  #note(key: string): void {
    if (this.#undo.has(key)) return;
    const entry = this.#entries.get(key);
    this.#undo.set(key, entry && clone(entry));
  }
}

export class WrongType extends Error {}

function clone({ value, expiresAtMs }: Entry): Entry {
  switch (value.type) {
    case "string":
      return { value, expiresAtMs };
    case "hash":
      return { value: { type: "hash", fields: new Map(value.fields) }, expiresAtMs };
    case "zset":
      return { value: { type: "zset", scores: new Map(value.scores) }, expiresAtMs };
    case "stream":
      return { value: { type: "stream", entries: [...value.entries] }, expiresAtMs };
  }
}

const UNDOS_MAX = 256;
