/**
 * A history: what clients asked of the service and what they were told, and what was done to the service meanwhile.
 * The simulation and the real faults both write one (recorder.ts) and have it checked (check.ts).
 *
 * All times are ms on one monotonic clock, the driver's: `startMs` is read before a request is sent and `endMs` after
 * its answer was read, so that whatever happened in between happened between the two.
 */
export interface History {
  /** In the order of their starts. */
  readonly operations: readonly Operation[];
  readonly events: readonly WorldEvent[];
  /** When recording stopped: operations without an end were still open then. */
  readonly endMs: number;
}

export interface Operation {
  /** Counts up from 1 in the order of the starts. */
  readonly id: number;
  /** Who asked. */
  readonly client: string;
  /** The instance of the service that was asked. */
  readonly instance: string;
  readonly startMs: number;
  /** Null: no answer when recording stopped. */
  readonly endMs: number | null;
  /** The latest time at which an answer is due; pauses of the instance come on top. */
  readonly deadlineMs: number;
  /** Asked when all must work again: anything but success is a violation. */
  readonly mustSucceed: boolean;
  readonly request: Request;
  /** Null: no answer when recording stopped. */
  readonly outcome: Outcome | null;
}

/** What a lease is for. */
export interface Wanted {
  readonly name: string;
  /** Further names under the same lease. */
  readonly others?: readonly string[];
  /** Exclusive where nothing is said. */
  readonly mode?: "shared";
  /** Permits of a semaphore, and how many there are. */
  readonly permits?: number;
  readonly limit?: number;
  /** The name is that of an election, and the lease is a term of it. Elections have names that no lock has. */
  readonly election?: true;
}

export type Request =
  /** `leaseId` when the caller chose it. `value`: of an election; the client is the candidate. */
  | ({
      readonly kind: "acquire";
      readonly ttlMs: number;
      readonly leaseId?: string;
      readonly waitMs?: number;
      readonly value?: string;
    } & Wanted)
  | ({
      readonly kind: "renew";
      readonly ttlMs: number;
      readonly leaseId: string;
      readonly token: number;
    } & Wanted)
  | ({ readonly kind: "release"; readonly leaseId: string } & Wanted)
  /** Values are unique among those of an election. */
  | {
      readonly kind: "proclaim";
      readonly name: string;
      readonly leaseId: string;
      readonly token: number;
      readonly value: string;
    }
  /** Who leads an election. */
  | { readonly kind: "leader"; readonly name: string }
  | {
      readonly kind: "register";
      readonly service: string;
      readonly member: string;
      readonly ttlMs: number;
    }
  | {
      readonly kind: "heartbeat";
      readonly service: string;
      readonly member: string;
      /** What the member was registered with. */
      readonly ttlMs: number;
    }
  /** `restartGraceMs`: for how long its place is kept, for its next registration. */
  | {
      readonly kind: "leave";
      readonly service: string;
      readonly member: string;
      readonly restartGraceMs?: number;
    }
  /** Weights are unique among those that a member is given. `drainMs`: it is removed after that time. */
  | {
      readonly kind: "change";
      readonly service: string;
      readonly member: string;
      readonly weight?: number;
      readonly status?: "up" | "draining";
      readonly drainMs?: number;
    }
  /** `reporter`, a member, says that it cannot reach the other. */
  | { readonly kind: "suspect"; readonly service: string; readonly member: string; readonly reporter: string }
  | { readonly kind: "list"; readonly service: string }
  /** `viewAgeMsMax`: how old the view may be that it is answered from. */
  | {
      readonly kind: "owner";
      readonly service: string;
      readonly key: string;
      readonly viewAgeMsMax: number;
    }
  /** Registers. Values are unique among all that are put. `etag`: only where the register has it; null: where there is none. */
  | {
      readonly kind: "put";
      readonly key: string;
      readonly value: string;
      readonly ttlMs?: number;
      readonly etag?: string | null;
      /** The same for each try of one change. */
      readonly idempotencyKey?: string;
    }
  | {
      readonly kind: "delete";
      readonly key: string;
      readonly etag?: string;
      readonly idempotencyKey?: string;
    }
  | { readonly kind: "read"; readonly key: string }
  /** Registers that are changed together: the accounts of all clients, whose values are balances. */
  | {
      readonly kind: "transfer";
      readonly checks: readonly { readonly key: string; readonly etag: string | null }[];
      readonly reads: readonly string[];
      readonly puts: readonly { readonly key: string; readonly value: string }[];
      readonly idempotencyKey?: string;
    }
  /** One account. */
  | { readonly kind: "look"; readonly key: string }
  /** Counters. `idempotencyKey`: the same for each try of one addition. */
  | {
      readonly kind: "add";
      readonly counter: string;
      readonly by: number;
      readonly idempotencyKey?: string;
    }
  | { readonly kind: "count"; readonly counter: string }
  /** Latches, which nobody deletes. `waitMs`: until it is open. */
  | { readonly kind: "set_latch"; readonly latch: string; readonly count: number }
  | { readonly kind: "count_down"; readonly latch: string; readonly idempotencyKey?: string }
  | { readonly kind: "latch"; readonly latch: string; readonly waitMs?: number }
  /** At a barrier, of which all name the same count. */
  | {
      readonly kind: "arrive";
      readonly barrier: string;
      readonly member: string;
      readonly count: number;
      readonly ttlMs: number;
      readonly generation?: number;
      readonly waitMs?: number;
    }
  /** Transactions across services. The client of a vote is the participant. */
  | {
      readonly kind: "begin";
      readonly transaction: string;
      readonly participants: readonly string[];
      readonly deadlineMs: number;
      /** A lease without which it does not commit: an exclusive lock. */
      readonly lease?: { readonly name: string; readonly leaseId: string; readonly token: number };
    }
  | {
      readonly kind: "vote";
      readonly transaction: string;
      readonly participant: string;
      readonly vote: "yes" | "no";
    }
  | { readonly kind: "acknowledge"; readonly transaction: string; readonly participant: string }
  | { readonly kind: "abort"; readonly transaction: string }
  /** `waitMs`: until it is decided. */
  | { readonly kind: "decision"; readonly transaction: string; readonly waitMs?: number };

export type Outcome =
  /** Acquire. `validUntilMs`: until when the client may trust the lease, `startMs + waitedMs + validForMs`. */
  | {
      readonly kind: "granted";
      readonly leaseId: string;
      readonly token: number;
      readonly validUntilMs: number;
    }
  /** Acquire: somebody else has it. */
  | { readonly kind: "held" }
  /** Renew; `value`: that of the term, as the primaries know it. */
  | { readonly kind: "renewed"; readonly validUntilMs: number; readonly value?: string }
  /** Release; `was`: it was held until now. */
  | { readonly kind: "released"; readonly was: boolean }
  | { readonly kind: "proclaimed" }
  /** Leader; null where a majority say that nobody leads. */
  | {
      readonly kind: "led";
      readonly leader: { readonly candidate: string; readonly term: number; readonly value: string } | null;
    }
  /** Leader: no majority agree on who leads, or on that nobody does. */
  | { readonly kind: "unknown" }
  /** Register and heartbeat. */
  | { readonly kind: "alive"; readonly incarnation: number; readonly revision?: number }
  /** Suspect. */
  | { readonly kind: "reported" }
  /** Change. */
  | { readonly kind: "updated"; readonly incarnation: number; readonly revision: number }
  /** Leave; `was`: it was registered until now. */
  | { readonly kind: "left"; readonly was: boolean }
  | {
      readonly kind: "listed";
      readonly members: readonly Seen[];
    }
  | { readonly kind: "owned"; readonly owner: string; readonly ringId: string }
  /** Put, and a delete of something. `number` null: it was not told. */
  | { readonly kind: "changed"; readonly number: number | null; readonly etag: string | null }
  /** Put and delete: the register has another version; null: there is none. */
  | { readonly kind: "mismatch"; readonly current: Version | null }
  /** Read, look, and a delete of nothing; null: there is none. */
  | { readonly kind: "found"; readonly version: Found | null }
  /** Transfer: the new versions, by key; `found`: what was read before, or null where an earlier try was told that. */
  | {
      readonly kind: "transferred";
      readonly changed: Readonly<Record<string, Version>>;
      readonly found: Readonly<Record<string, Found | null>> | null;
    }
  /** Transfer: this register is not as it was checked for. */
  | { readonly kind: "unlike"; readonly key: string; readonly current: Version | null }
  /** Add: the sum afterwards; count. */
  | { readonly kind: "counted"; readonly value: number }
  /** All that is asked of latches; null: there is none. */
  | {
      readonly kind: "latched";
      readonly latch: { readonly count: number; readonly remaining: number } | null;
    }
  /** Arrive; `released`: all have arrived in this generation. */
  | {
      readonly kind: "arrived";
      readonly generation: number;
      readonly arrived: number;
      readonly released: boolean;
    }
  /** All that is asked of transactions: how it stands. */
  | {
      readonly kind: "stands";
      readonly decision: Decision | null;
      /** Why it was aborted, where that was told. */
      readonly reason?: string;
      /** By participant; none where nobody had begun it. */
      readonly votes: Readonly<Record<string, "yes" | "no" | null>>;
    }
  /** Begin, vote and abort: too late, it is decided. */
  | { readonly kind: "decided"; readonly decision: Decision }
  /** The service answered with an error: what was asked may still have been done, unless the code says otherwise. */
  | { readonly kind: "failed"; readonly code: string }
  /** No answer: the connection broke, or the instance was killed. It may be done even later. */
  | { readonly kind: "no_answer"; readonly why: string };

export type Decision = "committed" | "aborted";

/** Of a register. */
export interface Version {
  readonly number: number;
  readonly etag: string;
}

export type Found = Version & { readonly value: string };

/** A member in a list. */
export interface Seen {
  readonly id: string;
  readonly incarnation: number;
  /** Where changes are looked at. */
  readonly version?: { readonly revision: number; readonly weight: number; readonly draining: boolean };
}

export type WorldEvent =
  /** For readers only. */
  | { readonly kind: "note"; readonly atMs: number; readonly text: string }
  /**
   * The clock of a primary jumped by `byMs` (negative: back) at some moment between `atMs` and `doneMs`, and stays off.
   * What it stored before ends so much earlier. Members are not judged from `atMs` until `membersUntilMs`.
   */
  | {
      readonly kind: "clock_jump";
      readonly atMs: number;
      readonly doneMs: number;
      readonly primary: string;
      readonly byMs: number;
      readonly membersUntilMs: number;
    }
  /**
   * A majority of the primaries lost acknowledged data together: members from before may be gone, or be back.
   * `leases`: leases from before as well (their high-water marks were cut off, but not all that was stored).
   */
  | {
      readonly kind: "majority_lost";
      readonly atMs: number;
      readonly leases: boolean;
      readonly text: string;
    }
  /**
   * A primary read at `untilMs` what was sent to it at `atMs`: times to live are counted from when it reads, so that it may
   * keep members for so much longer.
   */
  | { readonly kind: "late_message"; readonly atMs: number; readonly untilMs: number; readonly text: string }
  /** An instance found that a majority say that this incarnation has expired. The same may be told more than once. */
  | {
      readonly kind: "expired";
      readonly atMs: number;
      readonly instance: string;
      readonly service: string;
      readonly member: string;
      readonly incarnation: number;
      readonly revision: number;
    }
  /** A watcher of members was told this. `id`: of the event. `stream`: counts its connections. */
  | {
      readonly kind: "told";
      readonly atMs: number;
      readonly watcher: string;
      readonly stream: number;
      readonly instance: string;
      readonly event: "member" | "joined" | "updated" | "suspect" | "draining" | "left" | "expired";
      readonly id: string;
      readonly service: string;
      readonly member: string;
      readonly incarnation: number;
      readonly revision: number;
    }
  /** What a watcher was told before is void: it gets a snapshot. */
  | { readonly kind: "told_anew"; readonly atMs: number; readonly watcher: string; readonly stream: number }
  /** By now it has been told the end of each member of the service. */
  | { readonly kind: "all_told"; readonly atMs: number; readonly watcher: string; readonly service: string }
  /** Members that would have expired together may be kept for so much longer, from the beginning on. */
  | { readonly kind: "guarded"; readonly atMs: number; readonly keptMs: number }
  /** A primary lost the leases that it had stored, or takes part without them: it was restarted, emptied or a replica. */
  | { readonly kind: "forgot"; readonly atMs: number; readonly text: string }
  /** Nothing is wrong in this time, and whoever waits stands in line so long after it asked. */
  | {
      readonly kind: "undisturbed";
      readonly atMs: number;
      readonly untilMs: number;
      readonly joinsWithinMs: number;
    }
  /** The instance did not run: its answers are late by so much. */
  | { readonly kind: "paused"; readonly instance: string; readonly atMs: number; readonly untilMs: number };

export type RequestKind = Request["kind"];
export type OutcomeKind = Outcome["kind"];

/** An operation with this request and this outcome. */
export type Done<R extends RequestKind, O extends OutcomeKind> = Operation & {
  readonly endMs: number;
  readonly request: Extract<Request, { kind: R }>;
  readonly outcome: Extract<Outcome, { kind: O }>;
};

/** Operations of one kind of request, whatever came of them. */
export function asked<R extends RequestKind>(
  operations: readonly Operation[],
  ...kinds: readonly R[]
): (Operation & { readonly request: Extract<Request, { kind: R }> })[] {
  return operations.filter(({ request }) =>
    (kinds as readonly RequestKind[]).includes(request.kind),
  ) as (Operation & { readonly request: Extract<Request, { kind: R }> })[];
}

/** Operations of one kind of request that came to one kind of outcome. */
export function done<R extends RequestKind, O extends OutcomeKind>(
  operations: readonly Operation[],
  request: R,
  outcome: O,
): Done<R, O>[] {
  return operations.filter((one) => one.request.kind === request && one.outcome?.kind === outcome) as Done<
    R,
    O
  >[];
}

/** When the lease of an acquire was asked for first: a client that chose its id may ask again, and stands where it stood. */
export function firstAskedMs(operations: readonly Operation[]) {
  const first = new Map<string, number>();
  for (const { request, startMs } of asked(operations, "acquire"))
    if (request.leaseId !== undefined)
      first.set(request.leaseId, Math.min(startMs, first.get(request.leaseId) ?? startMs));
  return ({ request, startMs }: ReturnType<typeof asked<"acquire">>[number]) =>
    first.get(request.leaseId ?? "") ?? startMs;
}

/** All names of a lease. */
export function namesOf({ name, others = [] }: Wanted): string[] {
  return [name, ...others];
}

/**
 * Events of one kind, in their order. A long run tells watchers some hundred thousand and has a few hundred of all others, which
 * are asked for with each sight of a member: they are looked up once.
 */
export function ofKind<K extends WorldEvent["kind"]>(
  events: readonly WorldEvent[],
  kind: K,
): readonly Extract<WorldEvent, { kind: K }>[] {
  const known = byKind.get(events);
  const groups = known?.of === events.length ? known.groups : groupBy(events, (event) => event.kind);
  byKind.set(events, { of: events.length, groups });
  return (groups.get(kind) ?? []) as Extract<WorldEvent, { kind: K }>[];
}

const byKind = new WeakMap<
  readonly WorldEvent[],
  { readonly of: number; readonly groups: ReadonlyMap<string, readonly WorldEvent[]> }
>();

/** Groups in the order of their first members. */
export function groupBy<T>(all: readonly T[], keyOf: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    const key = keyOf(one);
    const group = groups.get(key);
    if (group) group.push(one);
    else groups.set(key, [one]);
  }
  return groups;
}
