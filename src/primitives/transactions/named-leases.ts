import type { NamedLease } from "../../algorithms/two-phase.js";
import type { Clock } from "../../clock.js";
import { CoordinationError } from "../../errors.js";
import type { Namespace } from "../../namespace.js";
import type { Elections } from "../election.js";
import { notHeld } from "../leases/lease-failures.js";
import type { Grant } from "../leases/lease-terms.js";
import type { Locks } from "../lock.js";
import type { Semaphores } from "../semaphore.js";

/** What is known of the leases that a transaction names. `untilMs`: all may be trusted until then, on the monotonic clock. */
export type Held = { readonly kind: "held"; readonly untilMs: number } | { readonly kind: "lost" };

/** The operations on leases that this needs. */
export interface LeaseKinds {
  readonly locks: Pick<Locks, "renew">;
  readonly semaphores: Pick<Semaphores, "renew">;
  readonly elections: Pick<Elections, "renew">;
}

/**
 * Leases that transactions name. Each is renewed as its holder renews it, by its leaseId and token on a majority: what the
 * primaries say of other leases, or of the transaction, says nothing of it.
 */
export class NamedLeases {
  readonly #ttlMs: number;

  constructor(
    private readonly kinds: LeaseKinds,
    private readonly clock: Pick<Clock, "monotonicMs">,
    settings: { readonly ttlMaxMs: number },
  ) {
    this.#ttlMs = Math.min(RENEWED_MS, settings.ttlMaxMs);
  }

  /**
   * Whether these are held with the tokens that are named. Throws `lease_lost`, `lease_mismatch` and `no_quorum`, which say of
   * the leases of a request which one it is.
   */
  async check(namespace: Namespace, leases: readonly NamedLease[]): Promise<Held> {
    const askedMs = this.clock.monotonicMs();
    const grants = await Promise.all(
      leases.map(async (lease, index) => {
        const grant = await this.#renew(namespace, lease, null).catch((error) => {
          throw which(index, error);
        });
        // A token that is too high would be renewed, and would shut out later holders from what compares tokens.
        if (grant.fencingToken !== lease.fencingToken) throw which(index, notHeld());
        return grant;
      }),
    );
    return heldUntil(askedMs, grants);
  }

  /** Renews these by their tokens. One that has ended stays so. Throws `no_quorum`. */
  async renew(namespace: Namespace, leases: readonly NamedLease[]): Promise<Held> {
    const askedMs = this.clock.monotonicMs();
    const renewals = leases.map((lease) => this.#renew(namespace, lease, lease.fencingToken));
    const renewed = await Promise.allSettled(renewals);
    const failures = renewed.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
    if (failures.some(isLost)) return { kind: "lost" };
    if (failures.length > 0) throw failures[0];
    return heldUntil(
      askedMs,
      renewed.flatMap((one) => (one.status === "fulfilled" ? [one.value] : [])),
    );
  }

  /** `token` null: whichever it has. */
  async #renew(
    namespace: Namespace,
    { kind, names, leaseId = "" }: NamedLease,
    token: number | null,
  ): Promise<Pick<Grant, "fencingToken" | "validForMs">> {
    const { locks, semaphores, elections } = this.kinds;
    const inner = names.map((name) => namespace.inner(name));
    const [name = ""] = inner;
    const request = { leaseId: namespace.inner(leaseId), ttlMs: this.#ttlMs };
    const fencingToken = token ?? undefined;
    switch (kind) {
      case "locks":
        return locks.renew({ ...request, names: inner, fencingToken });
      case "semaphores":
        return semaphores.renew({ ...request, name, fencingToken });
      case "elections": {
        const { term, validForMs } = await elections.renew({ ...request, name, term: fencingToken });
        return { fencingToken: term, validForMs };
      }
    }
  }
}

/** They began to be renewed after `askedMs`. */
function heldUntil(askedMs: number, grants: readonly Pick<Grant, "validForMs">[]): Held {
  return { kind: "held", untilMs: askedMs + Math.min(...grants.map(({ validForMs }) => validForMs)) };
}

/** A leaseId that was used for something else since is not that lease either. */
const isLost = (error: unknown) =>
  error instanceof CoordinationError && (error.code === "lease_lost" || error.code === "lease_mismatch");

function which(index: number, error: unknown): unknown {
  if (!isLost(error)) return error;
  const { code, message, help } = error as CoordinationError;
  const field = `leases.${index}`;
  return new CoordinationError(code, `${field}: ${message}`, {
    help: code === "lease_lost" ? { ...help, field } : help,
  });
}

/** To so long from now each is extended, and none is shortened: leases that are nearly over last until participants act, ms. */
const RENEWED_MS = 5_000;
