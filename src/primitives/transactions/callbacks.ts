import { UNACKNOWLEDGED_MS } from "../../algorithms/two-phase.js";
import type { Primaries } from "../../quorum/primaries.js";
import type { Keys } from "../../scripts/keys.js";
import { registerNames } from "../../scripts/register-calls.js";
import { CALLBACKS, registerName } from "../../scripts/register-kinds.js";
import type { Registers } from "../registers/registers.js";

/** How the participants of one transaction are called. */
export interface Callees {
  /** By participant. */
  readonly urls: Readonly<Record<string, string>>;
  /** By which the calls are signed: `whsec_` and 24 to 64 bytes in base64. Never shown, never logged. */
  readonly secret: string;
  /** The instance that calls them. */
  readonly caller: string;
}

/** A transaction, by its namespace and its id. */
export interface TransactionName {
  readonly namespace: string;
  readonly id: string;
}

/**
 * Which transactions have participants that are to be called: a register for each, until all of them have acknowledged. All
 * throw as `Changes.change` does.
 */
export class Callbacks {
  constructor(
    private readonly registers: Pick<Registers, "changes" | "get">,
    private readonly primaries: Primaries,
    private readonly keys: Keys,
  ) {}

  /** Null: nobody is to be called, or nobody is any more. */
  async read(name: TransactionName): Promise<Callees | null> {
    const json = (await this.registers.get(registerOf(name)))?.json;
    return json === undefined ? null : (JSON.parse(json) as Callees);
  }

  /** Returns whether they are there by this: not if they were there already. */
  async put(name: TransactionName, callees: Callees): Promise<boolean> {
    return (await this.#change(name, (known) => (known ? null : callees))) !== null;
  }

  /** Makes `caller` the one that calls, if `from` was until now. Returns who is to be called; null: it is not its turn. */
  claim(name: TransactionName, caller: string, from: string): Promise<Callees | null> {
    return this.#change(name, (known) => (known?.caller === from ? { ...known, caller } : null));
  }

  /** All have acknowledged. */
  async forget(name: TransactionName): Promise<void> {
    await this.registers.changes.change<null>(registerOf(name), ({ version }) => {
      if (version === null || version.json === null) return { kind: "keep", result: null };
      return { kind: "write", json: null, ttlMs: null, result: null, told: NONE };
    });
  }

  /** All of them, and some that were finished a moment ago; at most `most`. Throws `no_quorum`. */
  async list(most: number): Promise<readonly TransactionName[]> {
    const found: string[] = [];
    let [from, end]: readonly [string, string] = CALLBACKS;
    while (found.length < most) {
      const pages = await this.primaries.askMajority(registerNames(this.keys, [from, end], PAGE));
      const names = [...new Set(pages.flat())].sort();
      const full = pages.filter(({ length }) => length === PAGE).map((page) => page.at(-1) ?? end);
      // What is beyond the last name of a full page may be missing in another.
      if (full.length > 0) end = full.reduce((least, name) => (name < least ? name : least));
      found.push(...names.filter((name) => full.length === 0 || name <= end));
      if (full.length === 0) break;
      [from, end] = [`${end}\0`, CALLBACKS[1]];
    }
    return found.slice(0, most).map(nameOf);
  }

  async #change(
    name: TransactionName,
    next: (known: Callees | null) => Callees | null,
  ): Promise<Callees | null> {
    const changed = await this.registers.changes.change<Callees | null>(registerOf(name), ({ version }) => {
      const callees = next(version?.json == null ? null : (JSON.parse(version.json) as Callees));
      if (!callees) return { kind: "keep", result: null };
      return { kind: "write", json: JSON.stringify(callees), ttlMs: KEPT_MS, result: callees, told: NONE };
    });
    return (changed as Extract<typeof changed, { result: Callees | null }>).result;
  }
}

const registerOf = ({ namespace, id }: TransactionName) => registerName("callbacks", namespace, id);

function nameOf(register: string): TransactionName {
  const [, namespace = "", id = ""] = register.split("/");
  return { namespace, id };
}

const NONE = "-";
const PAGE = 1_000;
/** As long as a decision is kept for participants that do not acknowledge it, and as long as that may take. */
const KEPT_MS = UNACKNOWLEDGED_MS + 2 * 86_400_000;

/** Transactions of all namespaces whose participants are still to be called. */
export const CALLBACKS_MAX = 5_000;
