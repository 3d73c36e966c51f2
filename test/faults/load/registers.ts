import type { Outcome, Request } from "../../history/operation.js";
import type { Reply } from "../cluster/http.js";
import { type Asker, keyHeader, Requests, type Sent } from "./asking.js";
import { failed } from "./lock-service.js";

type Put = Extract<Request, { kind: "put" }>;
type Delete = Extract<Request, { kind: "delete" }>;
type RegisterRequest = Put | Delete | Extract<Request, { kind: "read" }>;

/** Asks for registers; `key` changes from time to time, so that a key has a history that can be judged. */
export interface RegisterUser extends Asker {
  key(place: number): string;
}

/** Sets, deletes and reads registers, often on condition of what it saw last, and asks again what was not answered. */
export async function keepRegisters(user: RegisterUser): Promise<void> {
  const { chance, signal, id } = user;
  using requests = new Requests(user);
  const seen = new Map<string, string | null>();
  const changed = new Map<string, number>();
  for (let turn = 0; !signal.aborted; turn++) {
    const key = user.key(chance.whole(0, KEYS - 1));
    const etag = seen.get(key);
    const condition = etag !== undefined && chance.happens(0.5) ? { etag } : {};
    // A history of too many changes at once can hardly be judged.
    const count = (changed.get(key) ?? 0) + 1;
    changed.set(key, count);
    const what = count > CHANGES_MAX ? "read" : chance.weighted({ read: 4, put: 4, delete: 1.5 });
    const keyed = chance.happens(0.5) ? { idempotencyKey: `${id}-${turn}` } : {};
    let request: RegisterRequest = { kind: "read", key };
    if (what === "put") {
      const ttl = chance.happens(0.2) ? { ttlMs: chance.pick([200, 1_000, 4_000]) } : {};
      request = { kind: "put", key, value: `${id}-${turn}`, ...ttl, ...condition, ...keyed };
    } else if (what === "delete") {
      const ofEtag = typeof etag === "string" && "etag" in condition ? { etag } : {};
      request = { kind: "delete", key, ...ofEtag, ...keyed };
    }
    let outcome = await ask(requests, request);
    const isOpen =
      outcome.kind === "no_answer" || (outcome.kind === "failed" && outcome.code === "outcome_unknown");
    if (isOpen && "idempotencyKey" in request) outcome = await ask(requests, request);
    note(seen, key, outcome);
    await requests.think();
  }
}

/** What a client knows of a register from now on. */
function note(seen: Map<string, string | null>, key: string, outcome: Outcome): void {
  if (outcome.kind === "changed") seen.set(key, outcome.etag);
  if (outcome.kind === "mismatch") seen.set(key, outcome.current?.etag ?? null);
  if (outcome.kind === "found") seen.set(key, outcome.version?.etag ?? null);
}

function ask(requests: Requests, request: RegisterRequest): Promise<Outcome> {
  const path = `/v1/registers/${encodeURIComponent(request.key)}`;
  const sent = { ...callOf(request, path), headers: headersOf(request) };
  return requests.ask(request, sent, (reply) => outcomeOf(request, reply));
}

function callOf(request: RegisterRequest, path: string): Sent {
  if (request.kind === "read") return { method: "GET", path };
  if (request.kind === "delete") return { method: "DELETE", path };
  const { value, ttlMs } = request;
  return { method: "PUT", path, body: { value, ...(ttlMs !== undefined && { ttlMs }) } };
}

function headersOf(request: RegisterRequest): Record<string, string> {
  if (request.kind === "read") return {};
  const { etag, idempotencyKey } = request;
  return {
    ...(etag === null && { "if-none-match": "*" }),
    ...(typeof etag === "string" && { "if-match": etag }),
    ...keyHeader(idempotencyKey),
  };
}

function outcomeOf(request: RegisterRequest, { status, code, body, etag }: Reply): Outcome {
  if (code === "version_mismatch")
    return { kind: "mismatch", current: body.etag ? { number: body.version, etag: body.etag } : null };
  if (request.kind === "read") {
    if (code === "not_found") return { kind: "found", version: null };
    if (status !== 200) return failed(status, code);
    return { kind: "found", version: { number: body.version, etag: etag ?? "", value: body.value } };
  }
  if (status !== 200 && status !== 201) return failed(status, code);
  if (request.kind === "put") return { kind: "changed", number: body.version, etag };
  return body.deleted ? { kind: "changed", number: null, etag: null } : { kind: "found", version: null };
}

const KEYS = 4;
/** By one client, of one key. */
const CHANGES_MAX = 60;
