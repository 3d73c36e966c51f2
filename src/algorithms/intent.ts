import type { Ballot } from "./ballot.js";
import { leadsIn, officeIn } from "./consensus-election.js";
import {
  KEYED_MAX,
  type Keyed,
  type KeyedChange,
  keptKeyed,
  nextVersion,
  type Version,
  type Write,
} from "./register.js";

/**
 * Several registers that change together or not at all: what their transaction leaves in each, and what that means to
 * others. A transaction has a register of its own, its record, in which it is decided; until it is cleared, an intent in
 * each register that it checks, reads or changes names that record. Pure. Source: Peng and Dabek, "Large-scale
 * Incremental Processing Using Distributed Transactions" (2010), for intents that whoever meets them clears.
 */
export interface Intent {
  /** Name of the record. */
  readonly record: string;
  /** The etag of the record when it was made: only that very record can commit this intent. */
  readonly creation: Ballot;
  /** The etag of the version that this intent makes. */
  readonly etag: Ballot;
  /** Null: it only checks or reads. */
  readonly write: Write | null;
  /** The idempotency key of the transaction, where it is kept with this register. */
  readonly keyed: (Keyed & Pick<KeyedChange, "atMs">) | null;
}

/** What the record of a transaction has. */
export interface TransactionRecord {
  readonly state: "active" | Decided;
  /** The registers that may have its intents, by name. */
  readonly names: readonly string[];
  /** What a repetition with the same idempotency key is told; no spaces. */
  readonly told: string;
}

export type Decided = "committed" | "aborted";

/** What a transaction does with one register. */
export interface Part {
  readonly name: string;
  /** It must have this etag; null: it must not be there; undefined: whatever it has. */
  readonly check?: Ballot | null | undefined;
  /** It is that of an election by consensus, which must be led in this term. */
  readonly term?: number | undefined;
  /** Undefined: it does not change. */
  readonly write?: Write | undefined;
}

export type Placing =
  /** `version`: with the intent. */
  | { readonly kind: "placed"; readonly version: Version }
  /** It is there already. */
  | { readonly kind: "there"; readonly version: Version }
  /** Another transaction has one there. */
  | { readonly kind: "blocked"; readonly by: Intent }
  /** `current`: what is there in place of what was checked; null: nothing. */
  | { readonly kind: "mismatch"; readonly current: Version | null }
  /** Under this idempotency key a transaction was made before. */
  | { readonly kind: "repeated"; readonly change: KeyedChange }
  | { readonly kind: "too_many_keyed" };

/** Notes the intent of a transaction in a register. `version`: as it is; null: there is none. */
export function place(
  version: Version | null,
  part: Pick<Part, "check" | "term">,
  intent: Intent,
  { etagOfNothing, earliestMs }: { readonly etagOfNothing: Ballot; readonly earliestMs: number },
): Placing {
  const there = version?.intent;
  if (version && there?.etag === intent.etag) return { kind: "there", version };
  if (there) return { kind: "blocked", by: there };
  const repeated = intent.keyed && version?.keyed.find(({ key }) => key === intent.keyed?.key);
  if (repeated) return { kind: "repeated", change: repeated };
  const current = version?.json == null ? null : version;
  if (part.check !== undefined && part.check !== (current?.etag ?? null))
    return { kind: "mismatch", current };
  if (part.term !== undefined && !leadsIn(officeIn(current), part.term)) return { kind: "mismatch", current };
  const keyed = keptKeyed(version?.keyed ?? NONE, earliestMs);
  if (intent.keyed && keyed.length >= KEYED_MAX) return { kind: "too_many_keyed" };
  const base = version ?? { number: 0, etag: etagOfNothing, json: null, earlier: "", keyed: NONE };
  return { kind: "placed", version: { ...base, keyed, intent } };
}

/** What a version with an intent is worth once its transaction is decided, and for how long; undefined: as before. */
export function settled(
  version: Version,
  record: Pick<TransactionRecord, "told"> & { readonly state: Decided },
): { readonly version: Version; readonly ttlMs: number | null | undefined } {
  const { intent, ...base } = version;
  if (!intent || record.state === "aborted") return { version: base, ttlMs: undefined };
  const keyed = intent.keyed && { ...intent.keyed, told: record.told };
  const { etag, write } = intent;
  const isChanged = write !== null && (write.json !== null || base.json !== null);
  if (isChanged) return { version: nextVersion(base, { json: write.json, etag, keyed }), ttlMs: write.ttlMs };
  if (!keyed) return { version: base, ttlMs: undefined };
  return {
    version: { ...base, keyed: [{ ...keyed, number: base.number, etag: base.etag }, ...base.keyed] },
    ttlMs: undefined,
  };
}

const NONE: readonly never[] = Object.freeze([]);
