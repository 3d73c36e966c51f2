import type { Ballot } from "../../algorithms/ballot.js";
import {
  hasEnded,
  isDecided,
  isSameVersion,
  type Keyed,
  latestOf,
  longestLeftMs,
} from "../../algorithms/register.js";
import type { Clock, Random } from "../../clock.js";
import type { Primaries } from "../../quorum/primaries.js";
import { RegisterRound } from "../../quorum/register-rounds.js";
import type { Keys } from "../../scripts/keys.js";
import { acceptRegister, readRegister } from "../../scripts/register-calls.js";
import type { InFlight } from "../leases/lease-terms.js";
import { SharedReads } from "../reads/shared-reads.js";
import { type Versioned, Watches } from "../reads/watch.js";
import type { Changes } from "./changes.js";
import { Intents } from "./intents.js";
import { leftAfter, type State, stateOf } from "./proposals.js";
import type { RegisterNews } from "./register-news.js";

/** A live version of a register. */
export interface Register {
  readonly json: string;
  readonly number: number;
  readonly etag: Ballot;
  /** Null: it does not end. */
  readonly expiresInMs: number | null;
}

/** A register as those see it who wait for a change. */
export interface Inspected extends Versioned {
  /** The etag, or `NO_REGISTER`. */
  readonly version: string;
  readonly register: Register | null;
}

/** The version of a register that is not there. */
export const NO_REGISTER = "none";

/** Which version a change is to replace. */
export interface Condition {
  /** One of these, or any where it is `*`. */
  readonly ifMatch?: "*" | readonly string[] | undefined;
  /** None. */
  readonly ifNoneMatch?: "*" | undefined;
}

export interface ChangeRequest extends Condition {
  readonly keyed?: Keyed | null | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type Put =
  | { readonly kind: "put"; readonly created: boolean; readonly number: number; readonly etag: Ballot }
  | Refused;

export type Deleted =
  | { readonly kind: "deleted"; readonly number: number }
  /** There was none. */
  | { readonly kind: "absent" }
  | Refused;

/** Nothing was changed. */
type Refused =
  /** `current`: what is there instead; null: nothing. */
  Mismatch | { readonly kind: "key_mismatch" };

interface Mismatch {
  readonly kind: "mismatch";
  readonly current: { readonly version: number; readonly etag: Ballot } | null;
}

/** Registers that clients name: linearizable, each by itself. By the names of registers. */
export class Registers {
  readonly #reads: SharedReads<Inspected>;
  readonly #watches: Watches<Inspected>;
  readonly intents: Intents;

  constructor(
    readonly changes: Changes,
    private readonly primaries: Primaries,
    private readonly keys: Keys,
    private readonly clock: Clock,
    random: Random,
    news?: Pick<RegisterNews, "listen">,
  ) {
    this.#reads = new SharedReads(clock, READS_AT_ONCE_MAX);
    const listen = news && ((name: string, wake: () => void) => news.listen(name, wake));
    this.#watches = new Watches(clock, (name) => this.inspect(name), listen);
    this.intents = new Intents(changes, (name, seesEnd) => this.raw(name, seesEnd), clock, random);
    changes.settleBy(this.intents);
  }

  /** Null: there is none. Throws `no_quorum` and `contended`. */
  async get(name: string): Promise<Register | null> {
    return toRegister(await this.state(name));
  }

  /** As `Changes.change` fails. */
  async put(
    name: string,
    { json, ttlMs }: { readonly json: string; readonly ttlMs: number | null },
    request: ChangeRequest = {},
  ): Promise<Put> {
    const changed = await this.changes.change<boolean | Mismatch>(
      name,
      ({ version }) => {
        const current = version?.json == null ? null : version;
        if (!isMet(request, current?.etag ?? null)) return { kind: "keep", result: mismatch(current) };
        const created = current === null;
        return { kind: "write", json, ttlMs, result: created, told: created ? CREATED : REPLACED };
      },
      request,
    );
    if (changed.kind === "key_mismatch") return changed;
    if (changed.kind === "repeated") return { ...changed, kind: "put", created: changed.told === CREATED };
    if (typeof changed.result !== "boolean") return changed.result;
    const { number, etag } = changed as Extract<typeof changed, { kind: "written" }>;
    return { kind: "put", created: changed.result, number, etag };
  }

  /** As `Changes.change` fails. */
  async delete(name: string, request: ChangeRequest = {}): Promise<Deleted> {
    const changed = await this.changes.change<Mismatch | null>(
      name,
      ({ version }) => {
        const current = version?.json == null ? null : version;
        if (!isMet(request, current?.etag ?? null)) return { kind: "keep", result: mismatch(current) };
        if (current === null) return { kind: "keep", result: null };
        return { kind: "write", json: null, ttlMs: null, result: null, told: DELETED };
      },
      request,
    );
    if (changed.kind === "key_mismatch") return changed;
    if (changed.kind !== "kept") return { kind: "deleted", number: changed.number };
    return changed.result ?? { kind: "absent" };
  }

  /** The same for those who wait for a change. Concurrent callers get the same object. */
  inspect(name: string): Promise<Inspected> {
    return this.#reads.read(name, async () => {
      const register = await this.get(name);
      return { version: register?.etag ?? NO_REGISTER, register };
    });
  }

  /** The register once its version is not `version`, or when `deadlineMs` has passed. Throws as `get` does. */
  change(
    name: string,
    version: string | null,
    deadlineMs: number,
    signal?: AbortSignal,
    inFlight?: InFlight,
  ): Promise<Inspected> {
    return this.#watches.change(name, version, deadlineMs, signal, inFlight);
  }

  /**
   * The register once it is the one that its reader waits for, or as it is when `deadlineMs` has passed; null: there is none.
   * `isIt`: asked once per version. Throws as `get` does.
   */
  async until(
    name: string,
    isIt: (register: Register | null) => boolean,
    deadlineMs: number,
    signal?: AbortSignal,
    inFlight?: InFlight,
  ): Promise<Register | null> {
    const isTheOne = (inspected: Inspected) => isIt(inspected.register);
    return (await this.#watches.until(name, isTheOne, deadlineMs, signal, inFlight)).register;
  }

  /**
   * What is decided, after this call began; of a version with an intent, what its transaction has made of it. A version that
   * has ended is deleted first, unless its reader `seesEnd`.
   */
  async state(name: string, seesEnd = false): Promise<State> {
    const state = await this.raw(name, seesEnd);
    return state.version?.intent ? this.intents.seen(name, state) : state;
  }

  /**
   * The same as it is stored, with an intent: one round trip where a majority agree, else the latest is passed on to the
   * others, and where that is too late, a change that changes nothing.
   */
  async raw(name: string, seesEnd = false): Promise<State> {
    const round = new RegisterRound(this.primaries, this.keys, name);
    const askedMs = this.clock.monotonicMs();
    const copies = await round.read(this.changes.hedge);
    if (!copies) return this.#settled(name, seesEnd);
    const latest = latestOf(copies);
    const { majority } = this.primaries;
    // One with an intent cannot end before that is settled.
    if (latest && !seesEnd && hasEnded(copies, latest, majority)) return this.#settled(name, false, false);
    if (isDecided(copies, latest, majority)) return stateOf(copies, latest);
    if (!latest) return this.#settled(name, seesEnd);
    const leftMs = leftAfter(longestLeftMs(copies, latest), this.clock.monotonicMs() - askedMs);
    const { kind } = await round.accept(latest.accepted, { ...latest, leftMs });
    return kind === "accepted" ? stateOf(copies, latest) : this.#settled(name, seesEnd);
  }

  /**
   * Brings primaries up to date that have missed the latest version of a register. Returns which of them, by their places, do not
   * have it all the same: they did not answer, or later changes are under way.
   */
  async complete(name: string): Promise<readonly number[]> {
    const { lacking, latest, answered } = await this.#lacking(name);
    if (!latest || !lacking.some((place) => answered.has(place))) return lacking;
    // The same once more, under the same ballot: what is promised or accepted above it stands, and so does a floor.
    const round = new RegisterRound(this.primaries, this.keys, name);
    await round.answers(acceptRegister(this.keys, name, latest.accepted, latest));
    const second = await this.#lacking(name);
    if (!second.lacking.some((place) => second.answered.has(place))) return second.lacking;
    // They promised more than that: then a change that changes nothing comes above it.
    await this.changes.change(name, KEEP, { seesEnd: true, seesIntent: true, spreads: true }).catch(() => {});
    return (await this.#lacking(name)).lacking;
  }

  /** Which primaries do not have the latest version, or did not answer, by their places. */
  async #lacking(name: string) {
    const round = new RegisterRound(this.primaries, this.keys, name);
    const answers = await round.answers(readRegister(this.keys, name));
    const answered = new Set([...answers.keys()].filter((place) => answers[place]?.ok));
    const copies = answers.map((answer) => (answer?.ok ? answer.value : null));
    const found = latestOf(copies);
    const isLacking = (place: number) => !answered.has(place) || !isSameVersion(copies[place], found);
    const latest = found && { ...found, leftMs: longestLeftMs(copies, found) };
    return { lacking: [...answers.keys()].filter(isLacking), latest, answered };
  }

  /** The addresses of the primaries that do not have the latest version, also after it was sent to them once more. */
  async lacking(name: string): Promise<readonly string[]> {
    return (await this.complete(name)).flatMap((place) => this.primaries.all[place]?.address ?? []);
  }

  async #settled(name: string, seesEnd: boolean, seesIntent = true): Promise<State> {
    const changed = await this.changes.change(name, KEEP, { seesEnd, seesIntent });
    return (changed as Extract<typeof changed, { kind: "kept" }>).state;
  }
}

export function toRegister({ version, leftMs }: State): Register | null {
  if (version === null || version.json === null) return null;
  const { json, number, etag } = version;
  return { json, number, etag, expiresInMs: leftMs };
}

function isMet({ ifMatch, ifNoneMatch }: Condition, current: Ballot | null): boolean {
  if (ifNoneMatch && current !== null) return false;
  if (ifMatch === undefined) return true;
  return current !== null && (ifMatch === "*" || ifMatch.includes(current));
}

function mismatch(current: { readonly number: number; readonly etag: Ballot } | null): Mismatch {
  return { kind: "mismatch", current: current && { version: current.number, etag: current.etag } };
}

const KEEP = () => ({ kind: "keep", result: null }) as const;
/** Registers that are read at the same time for those who wait: a read is a script of some microseconds per primary. */
const READS_AT_ONCE_MAX = 256;
const CREATED = "created";
const REPLACED = "replaced";
const DELETED = "deleted";
