import { CoordinationError } from "../../errors.js";
import { Namespace, withoutNamespace } from "../../namespace.js";

/** Failures tell the name of a service as its callers know it. */

export function unknownMember(service: string, id: string): CoordinationError {
  return new CoordinationError(
    "unknown_member",
    `Service ${withoutNamespace(service)} has no member ${id}: it expired, left, or was never registered. Register it again (PUT).`,
  );
}

export function superseded(id: string): CoordinationError {
  return new CoordinationError(
    "superseded",
    `A later registration of member ${id} exists: another process has taken this id. Register again, or stop.`,
  );
}

export function wrongMemberKey(id: string): CoordinationError {
  return new CoordinationError(
    "forbidden",
    `This memberKey is not that of the registration of member ${id}: its own registration (PUT) returned another. Nothing was renewed.`,
  );
}

export function tooManyBound(id: string, most: number): CoordinationError {
  return new CoordinationError(
    "too_many",
    `${most} leases are bound to member ${id}, and no more may be. Release some, and try again.`,
    { help: { retryAfterMs: 1_000 } },
  );
}

/** The member was kept alive, but its leases were not renewed: those of the heartbeats before it in the batch were too many. */
export function tooManyInBatch(most: number): CoordinationError {
  return new CoordinationError(
    "too_many",
    `The member stays alive, but its leases were not renewed: one request renews ${most} at most. Send its heartbeat in another.`,
    { help: { retryAfterMs: 100 } },
  );
}

/** What distinguishes two states of a member. */
export interface Version {
  readonly incarnation: number;
  readonly revision: number;
}

/** Names one version of a member. */
export function etagOf({ incarnation, revision }: Version): string {
  return `"${incarnation}-${revision}"`;
}

/** `current`: the version that is stored. */
export function versionMismatch(id: string, current: Version): CoordinationError {
  const { revision } = current;
  return new CoordinationError(
    "version_mismatch",
    `Member ${id} is at revision ${revision} now, and If-Match names another. Read it again, and decide anew.`,
    { help: { revision, etag: etagOf(current) } },
  );
}

/** A report about a process that is gone says nothing about its successor. */
export function reportSuperseded(id: string): CoordinationError {
  return new CoordinationError(
    "superseded",
    `A later registration of member ${id} exists: the report is about an earlier process, and does not count.`,
  );
}

export function cannotReport(why: string): CoordinationError {
  const error = { field: "reporter", detail: why };
  return new CoordinationError("invalid_request", `${error.field}: ${why}`, {
    help: { errors: [error], field: error.field },
  });
}

export function tooManyReported(service: string): CoordinationError {
  return new CoordinationError(
    "too_many",
    `As many members of service ${withoutNamespace(service)} are reported as are kept: so many at once tell more of the reporters. Try again later.`,
    { help: { retryAfterMs: 10_000 } },
  );
}

export function noMembers(service: string): CoordinationError {
  const namespace = Namespace.of(service);
  const name = namespace.outer(service);
  const base = namespace.isDefault ? "/v1" : `/v1/namespaces/${namespace.name}`;
  return new CoordinationError(
    "no_members",
    `Service ${name} has no live member with a weight above 0 that does not drain. Register one first (PUT ${base}/services/${name}/members/{id}).`,
  );
}

/** Nobody has what a pick asks for. `eligible`: live members with a weight above 0. */
export function nobodyToPick(service: string, eligible: number): CoordinationError {
  if (eligible === 0) return noMembers(service);
  return new CoordinationError(
    "no_members",
    `Service ${withoutNamespace(service)} has ${eligible} live members with a weight above 0, but each of them lacks one of these tags or is excluded. Ask for fewer tags, or exclude fewer.`,
  );
}

export function tooManyMembers(service: string, members: number): CoordinationError {
  return new CoordinationError(
    "too_many",
    `Service ${withoutNamespace(service)} has ${members} members, and may have no more (QUORATE_SERVICE_MEMBERS_MAX). Try again when some have left.`,
    { help: { retryAfterMs: 1_000 } },
  );
}

export function tooManyPoints(service: string, points: number, pointsMax: number): CoordinationError {
  return new CoordinationError(
    "too_many",
    `The members of service ${withoutNamespace(service)} have ${points} points in its ring, 256 for each 1.0 of weight, and a ring may have ${pointsMax}. Only the ratio of weights counts: register them with lower ones.`,
  );
}
