import type { Clock } from "../clock.js";

/** What a primary is to this instance, as GET /v1/primaries and the metrics show it. */
export const PRIMARY_STATES = [
  /** It takes part. */
  "up",
  /** It takes part, but grants no new lease for a while, since it may have forgotten some. */
  "quarantined",
  /** It takes part, but refuses writes: its memory or its disk is full, or it lacks replicas. */
  "refusing",
  /** It lost its data or missed a change: what it lacks is copied to it. */
  "readmitting",
  /** It does not answer. */
  "down",
  /** It is a replica. */
  "wrong_role",
  /** It cannot be a primary of this deployment. */
  "misconfigured",
] as const;

export type PrimaryState = (typeof PRIMARY_STATES)[number];

export interface PrimaryStatus {
  readonly state: PrimaryState;
  /** How long it has been in this state, ms. */
  readonly forMs: number;
  /** Why it is not up. */
  readonly reason: string | null;
  /** How long it will grant no new lease, ms. */
  readonly quarantineMs: number;
}

/** Why a primary that answers may take no part. */
export type Exclusion = Extract<PrimaryState, "readmitting" | "wrong_role" | "misconfigured">;

/** How far a primary is from voting. Data that belongs to a phase ends with it. */
export type Phase = Unreachable | Answering | Participating;

/** The breaker is open: no call is sent. */
interface Unreachable {
  readonly kind: "unreachable";
  /** `misconfigured`: it answers, but does not let us in. */
  readonly state: "down" | "misconfigured";
  readonly reason: string;
}

/** It answers, but was not admitted in this connection epoch, or was excluded since. */
interface Answering {
  readonly kind: "answering";
  readonly connectionEpoch: number;
  /** Until it is judged: the state that it had while it did not answer. */
  readonly state: Unreachable["state"] | Exclusion;
  readonly reason: string;
}

/** It votes. */
interface Participating {
  readonly kind: "participating";
  readonly connectionEpoch: number;
  readonly configurationEpoch: string;
  /** Names this primary, and since when it has forgotten nothing: it changes when it is readmitted, and with a cold start. */
  readonly incarnation: string;
  /** Redis' `run_id` when it was admitted; empty for the JavaScript fallback. */
  readonly runId: string;
  /** Why it refuses writes, in Redis' words; null while it is not known to. */
  readonly refusal: string | null;
  readonly quarantineEndsMs: number;
}

export type Admission = Pick<Participating, "configurationEpoch" | "incarnation" | "runId"> & {
  readonly quarantineMs: number;
};

/** The state machine of one primary: the events that change its phase. Reports each change of its state once. */
export class Lifecycle {
  #phase: Phase = { kind: "unreachable", state: "down", reason: "not connected yet" };
  /** The state reported last; null: none so far. */
  #told: { readonly state: PrimaryState | null; readonly sinceMs: number };

  constructor(
    private readonly clock: Clock,
    private readonly changed: () => void,
  ) {
    this.#told = { state: null, sinceMs: clock.monotonicMs() };
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** Grows whenever the primary answers again; null while it does not answer. */
  get connectionEpoch(): number | null {
    return this.#phase.kind === "unreachable" ? null : this.#phase.connectionEpoch;
  }

  get participating(): Participating | null {
    return this.#phase.kind === "participating" ? this.#phase : null;
  }

  get status(): PrimaryStatus {
    const phase = this.#phase;
    const nowMs = this.clock.monotonicMs();
    const votes = phase.kind === "participating";
    return {
      state: this.#told.state ?? "down",
      forMs: Math.round(nowMs - this.#told.sinceMs),
      reason: votes ? phase.refusal : phase.reason,
      quarantineMs: votes ? Math.max(0, Math.round(phase.quarantineEndsMs - nowMs)) : 0,
    };
  }

  stoppedAnswering(reason: string): void {
    const phase = this.#phase;
    // A server that does not let us in says why once and hangs up; the errors that follow explain nothing.
    if (phase.kind === "unreachable" && phase.state === "misconfigured" && HUNG_UP.test(reason)) return;
    const state = NOT_LET_IN.test(reason) ? "misconfigured" : "down";
    this.#become({ kind: "unreachable", state, reason });
  }

  /** Its state stays the same until it is judged. */
  answersAgain(connectionEpoch: number): void {
    if (this.#phase.kind === "unreachable")
      this.#phase = { ...this.#phase, kind: "answering", connectionEpoch };
  }

  excluded(state: Exclusion, reason: string): void {
    const { connectionEpoch } = this;
    if (connectionEpoch !== null) this.#become({ kind: "answering", connectionEpoch, state, reason });
  }

  /** Returns whether it was: not if it is no longer what was observed in `connectionEpoch`. */
  admitted(connectionEpoch: number, { quarantineMs, ...rest }: Admission): boolean {
    if (connectionEpoch !== this.connectionEpoch) return false;
    const refusal = this.participating?.refusal ?? null;
    const quarantineEndsMs = this.clock.monotonicMs() + quarantineMs;
    this.#become({ kind: "participating", connectionEpoch, ...rest, refusal, quarantineEndsMs });
    return true;
  }

  /** It still takes part: it can be read, and can free and extend what it has. */
  refusesWrites(refusal: string): void {
    if (this.#phase.kind === "participating") this.#become({ ...this.#phase, refusal });
  }

  /** Returns whether a refusal ended. */
  acceptsWrites(connectionEpoch: number): boolean {
    const phase = this.#phase;
    if (phase.kind !== "participating" || phase.refusal === null) return false;
    if (connectionEpoch !== phase.connectionEpoch) return false;
    this.#become({ ...phase, refusal: null });
    return true;
  }

  #become(next: Phase): void {
    this.#phase = next;
    const sinceMs = this.clock.monotonicMs();
    const state = stateOf(next, sinceMs);
    if (state === this.#told.state) return;
    this.#told = { state, sinceMs };
    this.changed();
  }
}

function stateOf(phase: Phase, nowMs: number): PrimaryState {
  if (phase.kind !== "participating") return phase.state;
  if (phase.refusal !== null) return "refusing";
  return phase.quarantineEndsMs > nowMs ? "quarantined" : "up";
}

const HUNG_UP = /connection lost|isn't writeable|max retries|is closed/;
/** Replies of a server that does not let us in: there is no use in waiting for it. */
const NOT_LET_IN = /^(NOAUTH|WRONGPASS|NOPERM|DENIED|ERR|certificate )/;
