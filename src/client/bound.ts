import { failure } from "./errors.js";
import type { Renewal, Renewed } from "./renewal.js";
import type { BoundLeases } from "./types.js";
import { trustedUntilMs, type Validity } from "./validity.js";

/** The leases that heartbeats of a member keep, as its process knows them. */
export class Bound {
  /** By what they hold and their tokens. Readers of one lock may have the same. */
  readonly #leases = new Map<string, Set<Validity>>();

  /** Instead of renewing a lease by itself. */
  readonly renewal: Renewal = ({ validity, request }) => {
    const key = keyOfRequest(request);
    const alike = this.#leases.get(key) ?? new Set();
    this.#leases.set(key, alike.add(validity));
    const end = () => {
      alike.delete(validity);
      if (alike.size === 0 && this.#leases.get(key) === alike) this.#leases.delete(key);
    };
    validity.whenLost(end);
    return end;
  };

  /** Takes over what a heartbeat that was sent at `sentAtMs` has told. A lease that it does not tell of ends in its time. */
  told({ held, lost }: BoundLeases, sentAtMs: number): void {
    const counts = new Map<string, number>();
    for (const lease of held) {
      const key = keyOf(lease);
      const count = (counts.get(key) ?? 0) + 1;
      counts.set(key, count);
      const alike = this.#leases.get(key) ?? [];
      // Of several that look the same nobody knows which are told.
      if (count < [...alike].length) continue;
      for (const validity of alike)
        validity.extend(trustedUntilMs(sentAtMs, { waitedMs: 0, validForMs: lease.validForMs }));
    }
    for (const lease of lost) {
      const error = failure("lease_lost", `A heartbeat found that the lease on ${lease.names} has ended.`, {
        lost: lease.lost,
      });
      const alike = [...(this.#leases.get(keyOf(lease)) ?? [])];
      if (alike.length === 1) alike[0]?.lose(error);
    }
  }
}

function keyOf({
  kind,
  names,
  fencingToken,
}: Pick<BoundLeases["held"][number], "kind" | "names" | "fencingToken">) {
  return [kind, fencingToken, ...names.toSorted()].join(" ");
}

/** The same of a renewal: `/locks/orders-42/renew`, or with names in its body. */
function keyOfRequest({ path, body }: Renewed["request"]): string {
  const [, kind, name = ""] = path.split("/");
  const {
    names = [decodeURIComponent(name)],
    fencingToken,
    term,
  } = body as {
    readonly names?: readonly string[];
    readonly fencingToken?: number;
    readonly term?: number;
  };
  return [kind, fencingToken ?? term, ...names.toSorted()].join(" ");
}
