import type { Ballot } from "../../algorithms/ballot.js";
import { type Copy, hasEnded, isDecided, latestOf } from "../../algorithms/register.js";
import { hasIntent } from "../../algorithms/register-text.js";
import { compareInUtf8 } from "../../algorithms/utf8-order.js";
import type { Clock } from "../../clock.js";
import type { Primaries } from "../../quorum/primaries.js";
import { RegisterRound } from "../../quorum/register-rounds.js";
import type { Keys } from "../../scripts/keys.js";
import {
  type ListedCopies,
  type ListPart,
  listRegisters,
  PART_NAMES_MAX,
} from "../../scripts/register-list-calls.js";
import { SharedReads } from "../reads/shared-reads.js";
import { type State, stateOf } from "./proposals.js";
import { type Register, type Registers, toRegister } from "./registers.js";

/** A register in a list. */
export interface ListedRegister extends Register {
  readonly name: string;
}

export interface RegisterPage {
  readonly registers: readonly ListedRegister[];
  /** The last name that was looked at; null: there are no more. */
  readonly cursor: string | null;
}

/**
 * Registers in the order of their names, a page at a time. Each is as a read of it alone would have told it after this call
 * began; all together are no snapshot. By the names of registers, whose order is that of their UTF-8 bytes.
 *
 * Each primary lists a part of its own. The parts together are cut where the shortest of them ends, since beyond it the vote of
 * its primary would be missing. What a majority have not accepted alike is read singly, which may finish a change.
 */
export class RegisterPages {
  readonly #pages: SharedReads<RegisterPage>;

  constructor(
    private readonly registers: Pick<Registers, "state">,
    private readonly primaries: Primaries,
    private readonly keys: Keys,
    clock: Pick<Clock, "soon">,
  ) {
    this.#pages = new SharedReads(clock, PAGES_AT_ONCE_MAX);
  }

  /**
   * Those after the name `after` that begin with `beginning`; looks at `most` names at most, those of registers that were deleted
   * included. Requests for one page at the same time share its reads. Throws `no_quorum` and `contended`.
   */
  page(beginning: string, after: string | null, most: number): Promise<RegisterPage> {
    const key = [beginning, after ?? "", most].join("\n");
    return this.#pages.read(key, () => this.#read(beginning, after, most));
  }

  async #read(beginning: string, after: string | null, most: number): Promise<RegisterPage> {
    const registers: ListedRegister[] = [];
    let [bytes, left, last] = [0, most, after];
    while (left > 0) {
      const part = await this.primaries.steadily(() => this.#part(beginning, last, left));
      left -= Math.max(1, part.entries.length);
      const singles = await this.#singles(part);
      for (const { name, copies, latest } of part.entries) {
        const state = singles.get(name) ?? stateOf(copies, latest);
        const found = toRegister(state);
        if (found) {
          const register = { ...found, name };
          bytes += bytesOf(register);
          if (bytes > PAGE_BYTES_MAX && registers.length > 0) return { registers, cursor: last };
          registers.push(register);
        }
        last = name;
      }
      if (part.upTo === null) return { registers, cursor: null };
      last = part.upTo;
    }
    return { registers, cursor: last };
  }

  /** The ETags of those after `after`, by name, as a majority have them or will have: no quorum read. Throws `no_quorum`. */
  async heads(beginning: string, after: string | null): Promise<Heads> {
    const call = listRegisters(this.keys, rangeOf(beginning, after, PART_NAMES_MAX), "heads");
    const lists = await new RegisterRound(this.primaries, this.keys).most(call, () => true);
    if (!lists) throw this.primaries.noQuorum();
    const { entries, upTo } = partOf(lists, PART_NAMES_MAX);
    const etags = new Map<string, Ballot>();
    for (const { name, latest } of entries) if (latest?.isLive) etags.set(name, latest.etag);
    return { etags, upTo };
  }

  async #part(beginning: string, after: string | null, left: number): Promise<Part> {
    const { majority } = this.primaries;
    const call = listRegisters(this.keys, rangeOf(beginning, after, Math.min(left, PART_NAMES_MAX)));
    const round = new RegisterRound(this.primaries, this.keys);
    // What is enough has been put together already.
    const parts = new Map<readonly ListedCopies[], Part>();
    const lists = await round.most(call, (values) => {
      const part = partOf(values, left);
      parts.set(values, part);
      return part.entries.every(({ copies, latest }) => isDecided(copies, latest, majority));
    });
    if (!lists) throw this.primaries.noQuorum();
    return upToSingles(parts.get(lists) ?? partOf(lists, left), majority);
  }

  /** What those are that their copies do not tell, by name. */
  async #singles({ entries }: Part): Promise<ReadonlyMap<string, State>> {
    const unsettled = entries.filter((entry) => !isSettled(entry, this.primaries.majority));
    const read = async ({ name }: Entry) => [name, await this.registers.state(name)] as const;
    return new Map(await Promise.all(unsettled.map(read)));
  }
}

/** The versions of the registers in a part of a list. */
export interface Heads {
  /** By name, of those that are live. */
  readonly etags: ReadonlyMap<string, Ballot>;
  /** The last name that was looked at; null: there are no more. */
  readonly upTo: string | null;
}

function rangeOf(beginning: string, after: string | null, most: number): ListPart {
  const isAfter = after !== null && compareInUtf8(after, beginning) >= 0;
  return { from: isAfter ? `(${after}` : `[${beginning}`, beginning, most };
}

/** What the primaries that answered have of one register; null: nothing. */
type Copies = readonly (Copy | null)[];

interface Entry {
  readonly name: string;
  readonly copies: Copies;
  readonly latest: Copy | null;
}

interface Part {
  readonly entries: readonly Entry[];
  /** The last name that was looked at; null: there are no more. */
  readonly upTo: string | null;
}

/** What several primaries listed, as far as all of them have looked, and `most` names at most. */
function partOf(lists: readonly ListedCopies[], most: number): Part {
  const ends = lists.flatMap(({ upTo }) => (upTo === null ? [] : [upTo])).sort(compareInUtf8);
  const [end = null] = ends;
  const names = namesIn(lists);
  const isWhole = end === null || names.at(-1) === end;
  const looked = isWhole ? names : names.filter((name) => compareInUtf8(name, end) <= 0);
  const entries = looked.slice(0, most).map((name) => {
    const copies = lists.map((list) => list.copies.get(name) ?? null);
    return { name, copies, latest: latestOf(copies) };
  });
  return { entries, upTo: looked.length > most ? (entries.at(-1)?.name ?? end) : end };
}

/** In order. Most often all have the same: sorting a thousand takes some milliseconds. */
function namesIn(lists: readonly ListedCopies[]): readonly string[] {
  const [first = [], ...others] = lists.map(({ copies }) => [...copies.keys()]);
  const isSame = (names: readonly string[]) =>
    names.length === first.length && names.every((name, index) => name === first[index]);
  if (others.every(isSame)) return first;
  return [...new Set([...first, ...others.flat()])].sort(compareInUtf8);
}

/** The part up to as many registers as may be read singly. */
function upToSingles({ entries, upTo }: Part, majority: number): Part {
  let singles = 0;
  for (const [index, entry] of entries.entries()) {
    if (isSettled(entry, majority)) continue;
    singles += 1;
    if (singles <= SINGLES_MAX) continue;
    const before = entries.slice(0, index);
    return { entries: before, upTo: before.at(-1)?.name ?? null };
  }
  return { entries, upTo };
}

/** Whether these copies tell what a read would. */
const isSettled = ({ copies, latest }: Entry, majority: number): boolean =>
  isDecided(copies, latest, majority) &&
  !(latest && (hasEnded(copies, latest, majority) || hasIntent(latest.text)));

/** Approximate size in an answer. */
const bytesOf = ({ name, json }: ListedRegister): number =>
  Buffer.byteLength(json) + Buffer.byteLength(name) + ENTRY_BYTES;

/** Names and numbers of a register in JSON. */
const ENTRY_BYTES = 150;
/** Of the registers of a page. */
const PAGE_BYTES_MAX = 1_000_000;
const PAGES_AT_ONCE_MAX = 8;
/** Registers of a part that are read singly, each in a round trip of its own or more. */
const SINGLES_MAX = 50;
