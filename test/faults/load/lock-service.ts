import { namesOf, type Wanted } from "../../history/operation.js";
import { HttpClient } from "../cluster/http.js";
import type { ServiceInstance } from "../cluster/service.js";

/** Locks as their clients see them: those of the service, and those of plain redlock beside it. */
export interface LockClient {
  /** `startMs`: when the client began to ask, on its monotonic clock. */
  acquire(at: number, ask: Ask, startMs: number, member?: object): Promise<Acquired>;
  renew(at: number, ask: Lease & { ttlMs: number }, startMs: number): Promise<Renewed>;
  release(at: number, ask: Lease): Promise<Released>;
  close(): void;
}

export interface Ask extends Wanted {
  readonly ttlMs: number;
  readonly leaseId?: string;
  readonly waitMs?: number;
}

export interface Lease extends Wanted {
  readonly leaseId: string;
  readonly token: number;
}

type Failed =
  | { readonly kind: "failed"; readonly code: string }
  | { readonly kind: "no_answer"; readonly why: string };

export type Acquired =
  | {
      readonly kind: "granted";
      readonly leaseId: string;
      readonly token: number;
      readonly validUntilMs: number;
    }
  | { readonly kind: "held" }
  | Failed;
export type Renewed = { readonly kind: "renewed"; readonly validUntilMs: number } | Failed;
export type Released = { readonly kind: "released"; readonly was: boolean } | Failed;

/** Locks by HTTP. `at` is the instance. */
export class ServiceLocks implements LockClient {
  readonly #http: HttpClient;

  constructor(
    private readonly services: readonly ServiceInstance[],
    patienceMs: number,
  ) {
    this.#http = new HttpClient(patienceMs);
  }

  async acquire(at: number, ask: Ask, startMs: number, member?: object): Promise<Acquired> {
    const { ttlMs, leaseId, waitMs, mode, permits, limit } = ask;
    const wish = limit === undefined ? { mode } : { permits, limit };
    const wanted = { ttlMs, leaseId, waitMs, ...wish, ...(member && { member }) };
    const { status, code, body } = await this.#post(at, ask, "acquire", wanted);
    if (status === 200) {
      const validUntilMs = startMs + body.waitedMs + body.validForMs;
      return { kind: "granted", leaseId: body.leaseId, token: body.fencingToken, validUntilMs };
    }
    return code === "held" ? { kind: "held" } : failed(status, code);
  }

  async renew(at: number, ask: Lease & { ttlMs: number }, startMs: number): Promise<Renewed> {
    const { leaseId, token: fencingToken, ttlMs } = ask;
    const { status, code, body } = await this.#post(at, ask, "renew", { leaseId, ttlMs, fencingToken });
    if (status !== 200) return failed(status, code);
    return { kind: "renewed", validUntilMs: startMs + body.waitedMs + body.validForMs };
  }

  async release(at: number, ask: Lease): Promise<Released> {
    const { status, code, body } = await this.#post(at, ask, "release", { leaseId: ask.leaseId });
    return status === 200 ? { kind: "released", was: body.released } : failed(status, code);
  }

  close(): void {
    this.#http[Symbol.dispose]();
  }

  #post(at: number, wanted: Wanted, verb: string, body: object) {
    const url = this.services[at]?.url ?? "";
    const { name, others, limit } = wanted;
    if (others !== undefined)
      return this.#http.call(url, "POST", `/v1/locks/${verb}`, { names: namesOf(wanted), ...body });
    const kind = limit === undefined ? "locks" : "semaphores";
    return this.#http.call(url, "POST", `/v1/${kind}/${name}/${verb}`, body);
  }
}

export function failed(status: number, code: string): Failed {
  return status === 0 ? { kind: "no_answer", why: code } : { kind: "failed", code };
}
