import { HttpClient } from "../stage/http.js";
import type { ServiceInstance } from "../stage/service.js";

/** Locks as their clients see them: those of the service, and those of plain redlock beside it. */
export interface LockClient {
  /** `startMs`: when the client began to ask, on its monotonic clock. */
  acquire(
    at: number,
    ask: { name: string; ttlMs: number; leaseId?: string },
    startMs: number,
  ): Promise<Acquired>;
  renew(at: number, ask: Lease & { ttlMs: number }, startMs: number): Promise<Renewed>;
  release(at: number, ask: Lease): Promise<Released>;
  close(): void;
}

export interface Lease {
  readonly name: string;
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

  async acquire(
    at: number,
    { name, ttlMs, leaseId }: { name: string; ttlMs: number; leaseId?: string },
    startMs: number,
  ): Promise<Acquired> {
    const { status, code, body } = await this.#post(at, name, "acquire", { ttlMs, leaseId });
    if (status === 200) {
      const validUntilMs = startMs + body.waitedMs + body.validForMs;
      return { kind: "granted", leaseId: body.leaseId, token: body.fencingToken, validUntilMs };
    }
    return code === "held" ? { kind: "held" } : failed(status, code);
  }

  async renew(at: number, ask: Lease & { ttlMs: number }, startMs: number): Promise<Renewed> {
    const { name, leaseId, token, ttlMs } = ask;
    const { status, code, body } = await this.#post(at, name, "renew", {
      leaseId,
      ttlMs,
      fencingToken: token,
    });
    if (status !== 200) return failed(status, code);
    return { kind: "renewed", validUntilMs: startMs + body.waitedMs + body.validForMs };
  }

  async release(at: number, { name, leaseId }: Lease): Promise<Released> {
    const { status, code, body } = await this.#post(at, name, "release", { leaseId });
    return status === 200 ? { kind: "released", was: body.released } : failed(status, code);
  }

  close(): void {
    this.#http[Symbol.dispose]();
  }

  #post(at: number, name: string, verb: string, body: object) {
    const url = this.services[at]?.url ?? "";
    return this.#http.call(url, "POST", `/v1/locks/${name}/${verb}`, body);
  }
}

export function failed(status: number, code: string): Failed {
  return status === 0 ? { kind: "no_answer", why: code } : { kind: "failed", code };
}
