import type { AuditEvent } from "../../access/audit.js";
import type { Quoted } from "../../access/quotas.js";
import { RESTART_GRACE_MS } from "../members/schemas.js";

/** A request and its answer, as far as they matter here. Whether a field is there depends on the act. */
export interface Done {
  readonly params?: Readonly<Record<string, string>> | undefined;
  readonly query?: Readonly<Record<string, unknown>> | undefined;
  readonly body?: Readonly<Record<string, unknown>> | undefined;
  /** Undefined: not known yet. */
  readonly answer?: Readonly<Record<string, unknown>> | undefined;
}

/** What a request changes: how the audit tells of it, and what it means for the quotas of its key. */
export interface ActTerms {
  /** The outcome in the audit; null: nothing was changed that belongs there. */
  readonly outcome: (done: Done) => string | null;
  /** The field of the answer with the fencing token. */
  readonly token?: "fencingToken" | "term";
  /** What else the audit tells. Never a secret. */
  readonly details?: (
    done: Done,
  ) => Partial<Pick<AuditEvent, "names" | "member" | "hook" | "limit" | "reason">>;
  readonly quota?: {
    readonly effect: "begins" | "extends" | "ends";
    readonly what: Quoted;
    /** The id of the lease or member; undefined: not known yet. */
    readonly idOf: (done: Done) => string | undefined;
    /** Of what ends: for how long its place is kept all the same; undefined: not at all. */
    readonly keptForMs?: (done: Done) => number | undefined;
  };
  /** Members that live on by one request. */
  readonly extendsMembers?: (done: Done) => readonly { readonly id: string; readonly ttlMs: number }[];
}

const lease = (effect: "begins" | "extends" | "ends") => {
  const idOf = ({ body, answer }: Done) => (answer?.leaseId ?? body?.leaseId) as string | undefined;
  return { effect, what: "leases", idOf } as const;
};
const member = (effect: "begins" | "extends" | "ends") => {
  const idOf = ({ params }: Done) => memberIn(params);
  return { effect, what: "members", idOf } as const;
};
const memberIn = (member: Done["params"] | Beat) => `${member?.service} ${member?.id}`;
const aliveOf = ({ body, answer }: Done) => {
  const beats = (body?.beats ?? []) as readonly Beat[];
  const outcomes = (answer?.outcomes ?? []) as readonly { readonly ttlMs?: number }[];
  return outcomes.flatMap(({ ttlMs }, index) =>
    ttlMs === undefined ? [] : [{ id: memberIn(beats[index]), ttlMs }],
  );
};
/** A member that restarts is listed until its grace is over. */
const keptForMs = ({ query, answer }: Done) =>
  answer?.left && query?.restart
    ? ((query.restartGraceMs as number | undefined) ?? RESTART_GRACE_MS)
    : undefined;
const memberId = ({ params }: Done) => ({ member: params?.id });
const hookId = ({ params }: Done) => ({ hook: params?.id });
const always = (outcome: string) => () => outcome;
/** If the answer's field says so. */
const ifSo = (field: "released" | "resigned" | "left" | "deleted") => (done: Done) =>
  done.answer?.[field] ? field : null;
/** Keeping alive what has been granted is no event: there would be thousands of lines for each that is one. */
const never = () => null;

/**
 * Everything that a route can change. A route that does not only read names its act where it is registered, so that none
 * goes without its line in the audit.
 */
export const ACTS = {
  acquire: { outcome: always("granted"), token: "fencingToken", quota: lease("begins") },
  campaign: { outcome: always("granted"), token: "term", quota: lease("begins") },
  renew: { outcome: never, quota: lease("extends") },
  proclaim: { outcome: always("proclaimed"), token: "term" },
  release: { outcome: ifSo("released"), quota: lease("ends") },
  resign: { outcome: ifSo("resigned"), quota: lease("ends") },
  break: {
    outcome: ({ answer }) => (answer?.broken === 0 ? "not_held" : "broken"),
    details: ({ body }) => ({ reason: body?.reason as string }),
  },
  "set-limit": { outcome: always("changed"), details: ({ body }) => ({ limit: body?.limit as number }) },
  register: { outcome: always("registered"), details: memberId, quota: member("begins") },
  update: { outcome: always("updated"), details: memberId },
  heartbeat: { outcome: never, details: memberId, quota: member("extends") },
  heartbeats: { outcome: never, extendsMembers: aliveOf },
  transact: {
    outcome: ({ answer }) => ((answer?.changes as readonly unknown[])?.length > 0 ? "changed" : null),
  },
  "put-hook": { outcome: always("changed"), details: hookId },
  "delete-hook": { outcome: ifSo("deleted"), details: hookId },
  // Operators alone may, and change nothing.
  "look-at-hooks": { outcome: never },
  put: { outcome: always("changed") },
  add: { outcome: always("changed") },
  "count-down": { outcome: always("changed") },
  arrive: { outcome: always("arrived") },
  delete: { outcome: ifSo("deleted") },
  // Its id may be made for it: the request names none.
  "begin-transaction": {
    outcome: always("begun"),
    details: ({ answer }) => ({ names: [answer?.id as string] }),
  },
  vote: { outcome: ({ body }) => (body?.vote === "yes" ? "voted yes" : "voted no") },
  "abort-transaction": {
    outcome: always("aborted"),
    details: ({ body }) => ({ reason: body?.reason as string }),
  },
  acknowledge: { outcome: always("acknowledged") },
  leave: { outcome: ifSo("left"), details: memberId, quota: { ...member("ends"), keptForMs } },
  // Many peers of one dead member say so again and again.
  suspect: { outcome: never, details: memberId },
} as const satisfies Readonly<Record<string, ActTerms>>;

/** One heartbeat of several. */
interface Beat {
  readonly service: string;
  readonly id: string;
}

export type Act = keyof typeof ACTS;

export const termsOf = (act: Act): ActTerms => ACTS[act];
