import type { Violation } from "./check.js";
import {
  type History,
  namesOf,
  type Operation,
  type Outcome,
  type Request,
  type Seen,
  type Wanted,
  type WorldEvent,
} from "./operation.js";

/** A violation in readable lines: what was broken, then the operations concerned in the order of time. */
export function tellViolation(
  { promise, what, operations }: Violation,
  events: readonly WorldEvent[] = [],
): string {
  return [`${promise}: ${what}`, ...lines(operations, events).map((line) => `  ${line}`)].join("\n");
}

/** All that happened, one line for each start, each answer and each event. */
export function tellHistory({ operations, events }: History): string {
  return lines(operations, events).join("\n");
}

function lines(operations: readonly Operation[], events: readonly WorldEvent[]): string[] {
  const told: { readonly atMs: number; readonly text: string }[] = [];
  for (const operation of operations) {
    const who = `${operation.client} at ${operation.instance} #${operation.id}`;
    told.push({ atMs: operation.startMs, text: `${who} ${tellRequest(operation.request)}` });
    if (operation.outcome && operation.endMs !== null) {
      const text = `${who} ${operation.request.kind}: ${tellOutcome(operation.outcome)}`;
      told.push({ atMs: operation.endMs, text });
    }
  }
  for (const event of events) {
    const atMs = event.kind === "late_message" ? event.untilMs : event.atMs;
    told.push({ atMs, text: `-- ${tellEvent(event)}` });
  }
  // Stable: at one time a request comes before its answer.
  return told
    .sort((a, b) => a.atMs - b.atMs)
    .map(({ atMs, text }) => `${atMs.toFixed(3).padStart(10)}  ${text}`);
}

function tellRequest(request: Request): string {
  switch (request.kind) {
    case "acquire":
      return `acquire ${tellWanted(request)} for ${request.ttlMs} ms${request.leaseId ? ` as ${request.leaseId}` : ""}${request.value === undefined ? "" : ` with value ${request.value}`}${request.waitMs ? `, waiting ${request.waitMs} ms` : ""}`;
    case "renew":
      return `renew ${tellWanted(request)} for ${request.ttlMs} ms as ${request.leaseId}, token ${request.token}`;
    case "proclaim":
      return `proclaim ${request.value} in ${request.name} as ${request.leaseId}, term ${request.token}`;
    case "leader":
      return `leader of ${request.name}`;
    case "release":
      return `release ${tellWanted(request)} as ${request.leaseId}`;
    case "register":
    case "heartbeat":
      return `${request.kind} ${request.member} of ${request.service}, ttl ${request.ttlMs} ms`;
    case "leave":
      return `leave ${request.member} of ${request.service}${request.restartGraceMs === undefined ? "" : `, to be back within ${request.restartGraceMs} ms`}`;
    case "change": {
      const { weight, status, drainMs } = request;
      const what = [weight !== undefined && `weight ${weight}`, status, drainMs && `for ${drainMs} ms`];
      return `change ${request.member} of ${request.service}: ${what.filter(Boolean).join(", ")}`;
    }
    case "suspect":
      return `suspect ${request.member} of ${request.service}, says ${request.reporter}`;
    case "list":
      return `list ${request.service}`;
    case "owner":
      return `owner of ${request.key} in ${request.service}`;
    case "put":
      return `put ${request.value} into ${request.key}${request.ttlMs ? ` for ${request.ttlMs} ms` : ""}${tellCondition(request)}`;
    case "delete":
      return `delete ${request.key}${tellCondition(request)}`;
    case "read":
    case "look":
      return `${request.kind} ${request.key}`;
    case "add":
      return `add ${request.by} to ${request.counter}${tellCondition(request)}`;
    case "count":
      return `read ${request.counter}`;
    case "set_latch":
      return `set ${request.latch} to ${request.count}`;
    case "count_down":
      return `count ${request.latch} down${tellCondition(request)}`;
    case "latch":
      return `read ${request.latch}${tellWait(request)}`;
    case "arrive": {
      const { barrier, member, count, ttlMs, generation } = request;
      const at = generation === undefined ? barrier : `generation ${generation} of ${barrier}`;
      return `${member} arrives at ${at}, one of ${count}, for ${ttlMs} ms${tellWait(request)}`;
    }
    case "begin":
      return `begin ${request.transaction} of ${request.participants.join(", ")}, for ${request.deadlineMs} ms${tellLease(request)}`;
    case "vote":
      return `${request.participant} votes ${request.vote} on ${request.transaction}`;
    case "acknowledge":
      return `${request.participant} acknowledges ${request.transaction}`;
    case "abort":
      return `abort ${request.transaction}`;
    case "decision":
      return `read ${request.transaction}${tellWait(request)}`;
    case "transfer": {
      const { checks, reads, puts, idempotencyKey } = request;
      const what = [
        ...checks.map(({ key, etag }) => `if ${key} has ${etag ?? "nothing"}`),
        reads.length > 0 && `read ${reads.join(", ")}`,
        ...puts.map(({ key, value }) => `put ${value} into ${key}`),
      ];
      return `transfer: ${what.filter(Boolean).join("; ")}${idempotencyKey === undefined ? "" : `, as ${idempotencyKey}`}`;
    }
  }
}

function tellCondition({ etag, idempotencyKey }: { etag?: string | null; idempotencyKey?: string }): string {
  const condition = etag === undefined ? "" : etag === null ? ", if there is none" : `, if it has ${etag}`;
  return idempotencyKey === undefined ? condition : `${condition}, as ${idempotencyKey}`;
}

function tellWait({ waitMs }: { readonly waitMs?: number }): string {
  return waitMs ? `, waiting ${waitMs} ms` : "";
}

function tellWanted(wanted: Wanted): string {
  const { mode, permits, limit, election } = wanted;
  const names = namesOf(wanted).join(" and ");
  if (election) return `a term of ${names}`;
  if (limit !== undefined) return `${permits} of ${limit} permits of ${names}`;
  return mode === "shared" ? `${names} as a reader` : names;
}

function tellOutcome(outcome: Outcome): string {
  switch (outcome.kind) {
    case "granted":
      return `granted as ${outcome.leaseId}, token ${outcome.token}, valid until ${outcome.validUntilMs.toFixed(1)}`;
    case "renewed":
      return `renewed, valid until ${outcome.validUntilMs.toFixed(1)}${outcome.value === undefined ? "" : `, value ${outcome.value}`}`;
    case "proclaimed":
    case "reported":
      return outcome.kind;
    case "led":
      return outcome.leader
        ? `${outcome.leader.candidate} leads in term ${outcome.leader.term}, value ${outcome.leader.value}`
        : "nobody leads";
    case "unknown":
      return "nobody knows";
    case "released":
    case "left":
      return outcome.was ? outcome.kind : "there was nothing";
    case "alive":
      return `alive, incarnation ${outcome.incarnation}`;
    case "updated":
      return `updated, incarnation ${outcome.incarnation}, revision ${outcome.revision}`;
    case "listed":
      return `[${outcome.members.map(tellSeen).join(", ")}]`;
    case "owned":
      return `${outcome.owner}, ring ${outcome.ringId}`;
    case "changed":
      return `changed, version ${outcome.number}${outcome.etag ? `, etag ${outcome.etag}` : ""}`;
    case "mismatch":
      return `refused, ${tellVersion(outcome.current)}`;
    case "found":
      return `${outcome.version ? `${outcome.version.value}, ` : ""}${tellVersion(outcome.version)}`;
    case "transferred": {
      const { changed, found } = outcome;
      const made = Object.entries(changed).map(([key, version]) => `${key} ${tellVersion(version)}`);
      const read = Object.entries(found ?? {}).map(
        ([key, version]) => `${key} was ${version ? `${version.value}, ` : ""}${tellVersion(version)}`,
      );
      return ["done", ...made, ...read].join("; ");
    }
    case "counted":
      return String(outcome.value);
    case "latched":
      return outcome.latch ? `${outcome.latch.remaining} of ${outcome.latch.count} remain` : "there is none";
    case "arrived": {
      const { generation, arrived, released } = outcome;
      return `${released ? "released" : `${arrived} have arrived`}, generation ${generation}`;
    }
    case "stands": {
      const votes = Object.entries(outcome.votes).map(([name, vote]) => `${name} ${vote ?? "to vote"}`);
      return `${outcome.decision ?? "not decided"} (${votes.join(", ")})`;
    }
    case "decided":
      return `refused, ${outcome.decision} already`;
    case "unlike":
      return `refused, ${outcome.key}: ${tellVersion(outcome.current)}`;
    case "held":
      return "held by another";
    case "failed":
      return `failed, ${outcome.code}`;
    case "no_answer":
      return `no answer, ${outcome.why}`;
  }
}

function tellVersion(version: { readonly number: number; readonly etag: string } | null): string {
  return version ? `version ${version.number}, etag ${version.etag}` : "there is none";
}

function tellSeen({ id, incarnation, version }: Seen): string {
  if (!version) return `${id} (${incarnation})`;
  const { revision, weight, draining } = version;
  return `${id} (${incarnation}, revision ${revision}, weight ${weight}${draining ? ", draining" : ""})`;
}

function tellEvent(event: WorldEvent): string {
  switch (event.kind) {
    case "note":
      return event.text;
    case "clock_jump":
      return `the clock of ${event.primary} jumps by ${event.byMs.toFixed(0)} ms (members are not judged until ${event.membersUntilMs.toFixed(1)})`;
    case "majority_lost":
      return `${event.text} (members${event.leases ? " and leases" : ""} from before may be lost)`;
    case "late_message":
      return `${event.text} (members may be kept for ${(event.untilMs - event.atMs).toFixed(1)} ms longer)`;
    case "expired":
      return `${event.instance} hears that ${event.member} of ${event.service} has expired (${event.incarnation}, revision ${event.revision})`;
    case "told":
      return `${event.watcher} (stream ${event.stream} of ${event.instance}) is told ${event.event} ${event.member} of ${event.service} (${event.incarnation}, revision ${event.revision})`;
    case "told_anew":
      return `${event.watcher} (stream ${event.stream}) is told to begin anew`;
    case "all_told":
      return `${event.watcher} must have been told all of ${event.service}`;
    case "guarded":
      return `members may be kept for ${event.keptMs} ms longer`;
    case "forgot":
      return event.text;
    case "undisturbed":
      return `nothing is wrong until ${event.untilMs.toFixed(1)}`;
    case "paused":
      return `${event.instance} is paused until ${event.untilMs.toFixed(1)}`;
  }
}

function tellLease({ lease }: Extract<Request, { kind: "begin" }>): string {
  return lease ? `, while ${lease.name} is held with ${lease.token}` : "";
}
