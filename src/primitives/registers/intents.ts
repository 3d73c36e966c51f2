import { type Intent, settled, type TransactionRecord } from "../../algorithms/intent.js";
import type { Clock, Random } from "../../clock.js";
import type { Changes } from "./changes.js";
import type { Decision, State } from "./proposals.js";
import { contended } from "./register-failures.js";

/**
 * What readers and writers do about the intents of transactions that they meet in registers. All throw as `Changes.change`
 * does.
 */
export class Intents {
  constructor(
    private readonly changes: Changes,
    /** A register as it is stored, with an intent. */
    private readonly read: (name: string, seesEnd: boolean) => Promise<State>,
    private readonly clock: Clock,
    private readonly random: Random,
  ) {}

  /** What a register is worth that was found with an intent: a reader waits for nobody, and changes nothing. */
  async seen(name: string, found: State): Promise<State> {
    let state = found;
    for (let attempt = 0; attempt < READS_MAX; attempt++) {
      const { version } = state;
      if (!version?.intent) return state;
      const record = await this.#recordOf(version.intent);
      if (record) return shown(state, record);
      // Its record goes only after all its intents: one that is gone by now may have been committed.
      state = await this.#withoutRecord(name, version.intent, state);
    }
    throw contended(RETRY_AFTER_MS);
  }

  /** Waits until the transaction of an intent is decided, and clears it from this register. */
  async settle(name: string, intent: Intent, signal?: AbortSignal): Promise<void> {
    let untouchedSinceMs = this.clock.monotonicMs();
    let seenEtag: string | null = null;
    for (let attempt = 1; ; attempt++) {
      const record = await this.#recordOf(intent);
      if (!record) {
        const state = await this.#withoutRecord(name, intent, null);
        if (state.version?.intent?.etag !== intent.etag) return;
        continue;
      }
      if (record.state !== "active") return this.clear(name, intent.record, record);
      const nowMs = this.clock.monotonicMs();
      if (record.etag !== seenEtag) untouchedSinceMs = nowMs;
      seenEtag = record.etag;
      if (nowMs - untouchedSinceMs >= STANDS_MS) await this.#abort(intent.record, name);
      else await this.clock.sleep(Math.min(PAUSE_MS_MAX, attempt * PAUSE_MS) * (0.5 + this.random()), signal);
      signal?.throwIfAborted();
    }
  }

  /** Takes the intent of a decided transaction from one register: what it writes is there from now on, or what was. */
  async clear(
    name: string,
    recordName: string,
    record: Pick<TransactionRecord, "state" | "told">,
  ): Promise<void> {
    const { state: decision, told } = record;
    if (decision === "active") throw new Error("only what is decided is cleared");
    const fn = ({ version, leftMs }: State): Decision<null> => {
      if (version?.intent?.record !== recordName) return { kind: "keep", result: null };
      const made = settled(version, { state: decision, told });
      const ttlMs = made.ttlMs === undefined ? leftMs : made.ttlMs;
      return { kind: "replace", version: made.version, leftMs: ttlMs, result: null };
    };
    await this.changes.change(name, fn, { seesIntent: true });
  }

  /** As it is now; null: there is none. */
  async #recordOf({ record }: Intent): Promise<(TransactionRecord & { readonly etag: string }) | null> {
    const { version } = await this.read(record, true);
    if (!version || version.json === null) return null;
    return { ...(JSON.parse(version.json) as TransactionRecord), etag: version.etag };
  }

  /**
   * The register again. Where the intent is still there, nobody has committed it, or the record would be there, too. Before
   * that is told, the record is made an aborted one. `state`: what to go on with in that case.
   */
  async #withoutRecord(name: string, intent: Intent, state: State | null): Promise<State> {
    const again = await this.read(name, false);
    if (again.version?.intent?.etag !== intent.etag) return again;
    await this.#abort(intent.record, name);
    return state ?? again;
  }

  /** Aborts a transaction that is active, or of which nothing is known. */
  async #abort(record: string, name: string): Promise<void> {
    await this.changes.change(record, (state) => aborting(state, [name]), { seesEnd: true });
  }
}

/** `names`: where nothing is known of it, its intents that are known. */
export function aborting({ version }: State, names: readonly string[]): Decision<boolean> {
  const record = recordIn(version?.json);
  if (record && record.state !== "active") return { kind: "keep", result: record.state === "aborted" };
  const aborted: TransactionRecord = { state: "aborted", names: record?.names ?? names, told: NOTHING };
  return { kind: "write", json: JSON.stringify(aborted), ttlMs: DECIDED_MS, result: true, told: NOTHING };
}

export const recordIn = (json: string | null | undefined): TransactionRecord | null =>
  json == null ? null : (JSON.parse(json) as TransactionRecord);

/** To readers: what is committed, or as it was. */
function shown(state: State, record: TransactionRecord): State {
  const { version, leftMs } = state;
  if (!version) return state;
  const decision = record.state === "committed" ? "committed" : "aborted";
  const made = settled(version, { state: decision, told: record.told });
  return { version: made.version, leftMs: made.ttlMs === undefined ? leftMs : made.ttlMs };
}

/** In place of what a repetition is told. */
export const NOTHING = "-";
/** A record that is decided and was not cleared by then is finished by the upkeep, ms. */
export const DECIDED_MS = 1_000;

/** A writer aborts a transaction that stood unchanged for this long, ms. */
const STANDS_MS = 1_000;
const PAUSE_MS = 2;
const PAUSE_MS_MAX = 50;
/** Transactions that one reader meets in one register while it reads. */
const READS_MAX = 12;
const RETRY_AFTER_MS = 1_000;
