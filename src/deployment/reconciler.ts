import { ballotAbove } from "../algorithms/ballot.js";
import {
  type Configuration,
  configurationEpochOf,
  entryOf,
  type Judgement,
  judge,
  newEntry,
  quarantineAfter,
} from "../algorithms/configuration.js";
import { majorityOf } from "../algorithms/tally.js";
import type { Clock, Random } from "../clock.js";
import type { Ids } from "../ids.js";
import { type Acceptor, agree } from "../quorum/agreement.js";
import { type Primary, PrimaryFailure, reasonOf } from "../redis/primary.js";
import {
  admit,
  commitConfiguration,
  prepare,
  rotateCounters,
  summarizeState,
} from "../scripts/configuration-calls.js";
import type { Keys } from "../scripts/keys.js";
import { type ObservedPrimary, Prober, sameServerTwice } from "./prober.js";
import { type CopyEnd, copyState } from "./readmission.js";
import { Sweeps } from "./sweeps.js";

export interface ReconcilerSettings {
  readonly ttlMaxMs: number;
  /** Age from which a primary's counters are rotated, ms; and their number, `COUNTERS_MAX` unless given. */
  readonly rotateAfterMs: number;
  readonly countersMax?: number;
  /** The primaries are the embedded default: they keep nothing, and the JavaScript one has no `run_id`. */
  readonly embedded: boolean;
}

export interface ReconcilerLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/**
 * Keeps this instance and the primaries in one configuration (docs/architecture.md). It looks at all primaries whenever one
 * answers anew or contradicts, and every second; judges what it saw (algorithms/configuration.ts); and takes the next
 * step. Each step is safe at any time, from any number of instances at once, and may be left half-done: the next look
 * shows what is missing.
 */
export class Reconciler {
  #current: Configuration | null = null;
  #round: Promise<void> | null = null;
  #again = false;
  readonly #startedMs: number;
  #closed = false;
  #refusal: string | null = null;
  readonly #copying = new Set<Primary>();
  readonly #sweeps: Sweeps;
  readonly #prober: Prober;
  /** What keeps a primary from being readmitted, as far as it is known. */
  readonly #obstacles = new Map<Primary, string>();

  constructor(
    private readonly primaries: readonly Primary[],
    private readonly keys: Keys,
    private readonly clock: Clock,
    private readonly random: Random,
    private readonly ids: Ids,
    private readonly settings: ReconcilerSettings,
    private readonly log: ReconcilerLog,
  ) {
    this.#startedMs = clock.monotonicMs();
    this.#prober = new Prober(keys, ids, settings.embedded, log);
    this.#sweeps = new Sweeps(keys, clock, WATCH_INTERVAL_MS);
    for (const primary of primaries) primary.onDoubt = () => void this.refresh();
    void this.#watch();
  }

  /** The version that this instance goes by; null before the first. */
  get version(): number | null {
    return this.#current?.version ?? null;
  }

  /** No counter is below that was given out since the last cold start, as far as this instance knows. */
  get floor(): number {
    return this.#current?.floor ?? 0;
  }

  /** Looks anew, and resolves when a look that began after this call has led to all it can. */
  refresh(): Promise<void> {
    this.#again = true;
    this.#round ??= this.#rounds()
      .catch((error) => this.log.warn({ reason: String(error) }, "looking at the configuration failed"))
      .finally(() => {
        this.#round = null;
      });
    return this.#round;
  }

  /**
   * The same for a request. False where it takes too long: in a cold start everything is copied, and nobody must wait
   * for that.
   */
  catchUp(): Promise<boolean> {
    return new Promise((resolve) => {
      const cancel = this.clock.after(CATCH_UP_MS_MAX, () => resolve(false));
      void this.refresh().then(() => {
        cancel();
        resolve(true);
      });
    });
  }

  close(): void {
    this.#closed = true;
    this.#sweeps.close();
  }

  async #watch(): Promise<void> {
    while (!this.#closed) {
      await this.clock.sleep(WATCH_INTERVAL_MS);
      if (!this.#closed && this.primaries.some(({ connectionEpoch }) => connectionEpoch !== null))
        await this.refresh();
    }
  }

  async #rounds(): Promise<void> {
    for (let step = 0; this.#again && step < STEPS_MAX && !this.#closed; step++) {
      this.#again = false;
      const observed = await Promise.all(this.primaries.map((primary) => this.#prober.probe(primary)));
      const mistake = sameServerTwice(observed);
      const judgement = mistake
        ? { kind: "refuse" as const, reason: mistake }
        : judge(observed, majorityOf(this.primaries.length));
      // A step that changed something is followed by a new look.
      if (await this.#act(judgement, observed)) this.#again = true;
    }
  }

  /** Takes the next step. Whether something changed that is worth a new look. */
  async #act(judgement: Judgement, observed: readonly (ObservedPrimary | null)[]): Promise<boolean> {
    if (judgement.kind !== "refuse") this.#refusal = null;
    switch (judgement.kind) {
      case "current":
        return this.#follow(judgement.current, judgement.steps, observed);
      case "cold":
        return this.#beginAnew(judgement.latest, all(observed));
      case "spread_cold":
        return this.#spread(judgement.latest, all(observed));
      case "finish_cold":
        return this.#finishCold(judgement.latest, all(observed));
      case "refuse":
        return this.#refuse(judgement.reason, observed);
      case "wait":
        this.#stall(observed, "waits for more primaries to begin anew with");
        return false;
    }
  }

  /** Nobody takes part for now. */
  #stall(observed: readonly (ObservedPrimary | null)[], reason: string): void {
    // Connections and agreements take their time at the start: no reason to warn.
    if (this.clock.monotonicMs() - this.#startedMs < WATCH_INTERVAL_MS) return;
    for (const one of observed) one?.primary.exclude("readmitting", reason);
  }

  async #follow(
    current: Configuration,
    steps: Extract<Judgement, { kind: "current" }>["steps"],
    observed: readonly (ObservedPrimary | null)[],
  ): Promise<boolean> {
    if (this.#current?.nonce !== current.nonce) {
      this.log.info({ version: current.version }, "configuration is in force");
      if (this.#current && this.#current.deployment !== current.deployment) {
        this.log.warn(
          { version: current.version },
          "all primaries forgot, and an instance that knew of nothing began anew: leases from before are not waited for",
        );
      }
      this.#current = current;
    }
    const doing = (step: string) =>
      observed.filter((one, index): one is ObservedPrimary => one !== null && steps[index] === step);
    const members = doing("member");
    for (const { primary, connectionEpoch, configurationEpoch, runId, quarantineMs } of members) {
      primary.admit(connectionEpoch, configurationEpoch, this.settings.embedded ? "" : runId, quarantineMs);
      this.#obstacles.delete(primary);
    }
    for (const member of members) void this.#prober.tryToWrite(member);
    for (const { primary } of doing("foreign")) {
      primary.exclude(
        "misconfigured",
        "it is empty, and its address is not in the configuration of this deployment",
      );
    }
    for (const { primary } of doing("theirs")) {
      primary.exclude(
        "misconfigured",
        "it belongs to another deployment: is it the right server? One that is to join must be empty",
      );
    }
    const behind = doing("catch_up");
    for (const one of behind) await this.#commit(current, one, "member");
    if (behind.length > 0) return true;

    void this.#tidy(members);
    const lost = doing("readmit");
    for (const { primary } of [...lost, ...doing("copy")]) this.#showReadmitting(primary);
    // Copies only from those that are fenced, and only when these are a majority.
    if (members.length < majorityOf(this.primaries.length)) return false;
    for (const target of doing("copy")) this.#readmit(current, members, target);
    if (await this.#initializeEpochs(lost)) return true;
    const able = await this.#thoseThatWrite(lost, current.version + 1);
    return able.length > 0 && this.#raise(current, members, able, [...able, ...doing("copy")]);
  }

  /** Marks those that are empty. Whether any was: then it is judged anew, by what all are now. */
  async #initializeEpochs(observed: readonly ObservedPrimary[]): Promise<boolean> {
    const marked = await Promise.all(
      observed.filter(isEmpty).map((one) =>
        this.#prober.initializeEpoch(one).then(
          () => true,
          (error) => this.#hinder(one.primary, error),
        ),
      ),
    );
    return marked.includes(true);
  }

  /**
   * Those that can be written to, tried by a promise that binds nobody. For one that cannot, the configuration must not
   * change again and again: each change interrupts everybody.
   */
  async #thoseThatWrite(lost: readonly ObservedPrimary[], version: number): Promise<ObservedPrimary[]> {
    const able = await Promise.all(
      lost.map(async (one) => {
        const promise = prepare(this.keys.agreement(version), ballotAbove(null, this.ids.hexNonce()));
        try {
          await one.primary.runAs(one.connectionEpoch, one.configurationEpoch, promise);
          return [one];
        } catch (error) {
          this.#hinder(one.primary, error);
          return [];
        }
      }),
    );
    return able.flat();
  }

  #showReadmitting(primary: Primary): void {
    const obstacle = this.#obstacles.get(primary);
    primary.exclude("readmitting", obstacle ? `${READMITTING}; but ${obstacle}` : READMITTING);
  }

  /** Notes what keeps a primary from being readmitted, unless it just changed: then the next look tells more. */
  #hinder(primary: Primary, error: unknown): false {
    if (error instanceof PrimaryFailure && (error.kind === "stale_epoch" || error.kind === "not_sent"))
      return false;
    const reason = reasonOf(error);
    if (this.#obstacles.get(primary) !== reason)
      this.log.warn({ primary: primary.address, reason }, "readmission is interrupted");
    this.#obstacles.set(primary, reason);
    this.#showReadmitting(primary);
    return false;
  }

  /** Changes the configuration for primaries that may have forgotten: step 1 of readmission, the fence. */
  async #raise(
    current: Configuration,
    members: readonly ObservedPrimary[],
    lost: readonly ObservedPrimary[],
    joining: readonly ObservedPrimary[],
  ): Promise<boolean> {
    const version = current.version + 1;
    const next: Configuration = {
      ...current,
      version,
      nonce: this.ids.nonce(),
      coldQuarantine: null,
      primaries: current.primaries.map((entry) => {
        const back = lost.find((one) => entryOf(current, one)?.id === entry.id);
        if (!back) return entry;
        const { address, runId, replid } = back;
        return { ...entry, address, runId, replid, admitted: version };
      }),
    };
    const agreed = await this.#agree(next, members, majorityOf(this.primaries.length));
    if (!agreed) return false;
    // Who must be copied to is marked first: another instance that looks in between then helps, and does not begin anew.
    for (const one of joining) await this.#commit(agreed, one, "copying");
    for (const one of members) {
      // What was agreed may be of another instance, that knows more of this one than was seen here.
      const forgot = entryOf(agreed, one)?.admitted === agreed.version;
      await this.#commit(agreed, one, forgot ? "copying" : "member");
    }
    return true;
  }

  /** Step 2 and 3 of readmission, in the background: it may take long. */
  #readmit(current: Configuration, sources: readonly ObservedPrimary[], target: ObservedPrimary): void {
    const { primary, connectionEpoch, configurationEpoch } = target;
    const id = entryOf(current, target)?.id;
    if (!id || this.#copying.has(primary)) return;
    this.#copying.add(primary);
    const startedMs = this.clock.monotonicMs();
    const copy = async () => {
      // Asked once all sources are fenced: later leases do not count on this primary's memory.
      const ends = await Promise.all(sources.map((source) => this.#leasesEndInMs(source)));
      const askedMs = this.clock.monotonicMs();
      const floor = await copyState(sources, target, this.keys);
      const passedMs = this.clock.monotonicMs() - askedMs;
      const quarantineMs = Math.max(0, withDrift(Math.max(...ends)) - passedMs);
      await primary.runAs(connectionEpoch, configurationEpoch, admit(current, id, floor, quarantineMs));
      this.#obstacles.delete(primary);
      const ms = Math.round(this.clock.monotonicMs() - startedMs);
      this.log.info(
        { primary: primary.address, ms, quarantineMs: Math.ceil(quarantineMs) },
        "primary is readmitted",
      );
    };
    copy()
      .catch((error) => this.#hinder(primary, error))
      .finally(() => {
        this.#copying.delete(primary);
        // What hinders it may last: then the next look is soon enough.
        if (!this.#closed && !this.#obstacles.has(primary)) void this.refresh();
      });
  }

  /** No majority is intact: a first start, or a majority restarted. All are there; agrees with all of them to begin anew. */
  async #beginAnew(latest: Configuration | null, observed: readonly ObservedPrimary[]): Promise<boolean> {
    if (observed.some(isEmpty)) return this.#initializeEpochs(observed);
    const first = latest === null && this.#current === null;
    const version = (latest?.version ?? 0) + 1;
    const coldQuarantine = first
      ? 0
      : quarantineAfter(latest, observed, majorityOf(observed.length), this.settings.ttlMaxMs);
    const next: Configuration = {
      protocol: 1,
      deployment: latest?.deployment ?? this.#current?.deployment ?? this.ids.nonce(),
      version,
      nonce: this.ids.nonce(),
      // Not rounded: what is ahead of the clock would be given out again by a cold start a moment later.
      floor: this.clock.wallMicros(),
      coldQuarantine,
      primaries: observed.map((one) => newEntry(one, latest, version, this.ids.nonce())),
    };
    const agreed = await this.#agree(next, observed, observed.length);
    if (!agreed) {
      this.#stall(observed, "waits for all primaries to agree on beginning anew");
      return true;
    }
    if (!first) {
      this.log.warn(
        { version: agreed.version, coldQuarantine: agreed.coldQuarantine },
        "a majority of the primaries restarted: what their disks had not kept is gone",
      );
    }
    return this.#spread(agreed, observed);
  }

  async #spread(agreed: Configuration, observed: readonly ObservedPrimary[]): Promise<boolean> {
    if (observed.some(isEmpty)) return this.#initializeEpochs(observed);
    for (const one of observed) await this.#commit(agreed, one, "copying");
    return true;
  }

  /** All have the configuration and nobody votes: everyone gets what anyone has, then all begin. */
  async #finishCold(latest: Configuration, observed: readonly ObservedPrimary[]): Promise<boolean> {
    try {
      const ends = await Promise.all(observed.map((one) => this.#leasesEndInMs(one)));
      const quarantineMs =
        latest.coldQuarantine === "marks" ? withDrift(Math.max(...ends)) : (latest.coldQuarantine ?? 0);
      const floors = await Promise.all(
        observed.map(async (target) => (isCopying(target) ? copyState(observed, target, this.keys) : 0)),
      );
      const floor = Math.max(latest.floor, ...floors);
      for (const { primary, connectionEpoch, configurationEpoch, stored } of observed.filter(isCopying)) {
        await primary.runAs(
          connectionEpoch,
          configurationEpoch,
          admit(latest, stored?.id ?? "", floor, quarantineMs),
        );
      }
      return true;
    } catch (error) {
      if (!(error instanceof PrimaryFailure)) throw error;
      // Another instance finished it, or a primary is gone again: the next look tells.
      await this.clock.sleep(this.random() * RETRY_DELAY_MS_MAX);
      if (error.kind === "refused") this.#stall(observed, `beginning anew is interrupted: ${error.message}`);
      return error.kind === "stale_epoch";
    }
  }

  /**
   * Time until the last lease that it voted for has ended. Its mark is a time of its own wall clock; one that was set
   * back must not have others wait for longer than any lease can last.
   */
  async #leasesEndInMs({ primary, connectionEpoch, configurationEpoch }: CopyEnd): Promise<number> {
    const { leasesEndInMs } = await primary.runAs(
      connectionEpoch,
      configurationEpoch,
      summarizeState(this.keys),
    );
    return Math.min(leasesEndInMs, this.settings.ttlMaxMs + HIGH_WATER_MARK_AHEAD_MS);
  }

  async #agree(
    next: Configuration,
    observed: readonly ObservedPrimary[],
    quorum: number,
  ): Promise<Configuration | null> {
    const acceptors: Acceptor[] = observed.map(({ primary, connectionEpoch, configurationEpoch }) => ({
      primary,
      connectionEpoch,
      configurationEpoch,
    }));
    const agreed = await agree(this.keys.agreement(next.version), JSON.stringify(next), acceptors, quorum, {
      clock: this.clock,
      random: this.random,
      ballotNonce: () => this.ids.hexNonce(),
    });
    return agreed === null ? null : (JSON.parse(agreed) as Configuration);
  }

  /** Gives a primary what was agreed; when it has changed meanwhile, the next look tells. */
  async #commit(agreed: Configuration, one: ObservedPrimary, stage: "member" | "copying"): Promise<void> {
    const id = entryOf(agreed, one)?.id;
    if (
      !id ||
      one.configurationEpoch === configurationEpochOf(agreed, id, stage) ||
      one.configurationEpoch === configurationEpochOf(agreed, id, "member")
    )
      return;
    await one.primary
      .runAs(one.connectionEpoch, one.configurationEpoch, commitConfiguration(this.keys, agreed, id, stage))
      .catch(() => {});
  }

  async #tidy(members: readonly ObservedPrimary[]): Promise<void> {
    const { rotateAfterMs, countersMax } = this.settings;
    const highest = Math.max(0, ...members.map(({ floor }) => floor));
    const call = rotateCounters(this.keys, rotateAfterMs, highest, countersMax);
    await Promise.all(
      members.flatMap(({ primary }) => [primary.run(call).catch(() => {}), this.#sweeps.sweep(primary)]),
    );
  }

  #refuse(reason: string, observed: readonly (ObservedPrimary | null)[]): false {
    for (const one of observed) one?.primary.exclude("misconfigured", reason);
    if (this.#refusal !== reason) this.log.warn({ reason }, "these primaries cannot be used");
    this.#refusal = reason;
    return false;
  }
}

const isEmpty = (one: ObservedPrimary) => one.configurationEpoch === "";
const isCopying = (one: ObservedPrimary) => one.stored?.stage === "copying";

/** All were seen: what `judge` promises of its cold kinds. */
function all(observed: readonly (ObservedPrimary | null)[]): ObservedPrimary[] {
  return observed.filter((one) => one !== null);
}

/** Primaries' clocks may differ in speed by 1 %, and expiry has a precision of a ms. */
function withDrift(ms: number): number {
  return ms > 0 ? ms * 1.01 + 2 : 0;
}

const READMITTING = "it restarted, or was a replica: what it may have forgotten is copied to it";
const WATCH_INTERVAL_MS = 1_000;
/** A change takes some round trips; what takes longer is a cold start. */
const CATCH_UP_MS_MAX = 1_000;
const STEPS_MAX = 20;
const RETRY_DELAY_MS_MAX = 50;
/** By how much a mark may lie beyond the end of the last lease (prelude.lua, `mark_lease`). */
const HIGH_WATER_MARK_AHEAD_MS = 1_000;
