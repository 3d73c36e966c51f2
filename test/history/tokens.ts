import { type Violation, violation } from "./check.js";
import { type Done, done, groupBy, type History } from "./operation.js";

type Grant = Done<"acquire", "granted">;
type Renewed = Done<"renew", "renewed">;

/**
 * Tokens of a name are unique, and an acquire that starts after another's grant was returned gets a higher one; nor is
 * a lease renewed after a newer grant was returned. All this holds always: whatever clocks do, and whatever is lost. A
 * repeated acquire of one lease may get its token again.
 */
export function checkTokens({ operations }: History): Violation[] {
  const grants = groupBy(done(operations, "acquire", "granted"), ({ request }) => request.name);
  const renewals = groupBy(done(operations, "renew", "renewed"), ({ request }) => request.name);
  return [...grants].flatMap(([name, ofName]) => [
    ...duplicates(name, ofName),
    ...disorder(name, ofName),
    ...lateRenewals(name, ofName, renewals.get(name) ?? []),
  ]);
}

function duplicates(name: string, grants: readonly Grant[]): Violation[] {
  const first = new Map<number, Grant>();
  return grants.flatMap((grant) => {
    const { token, leaseId } = grant.outcome;
    const other = first.get(token);
    if (!other) first.set(token, grant);
    if (!other || other.outcome.leaseId === leaseId) return [];
    return [violation("tokens", `two leases of ${name} got token ${token}`, other, grant)];
  });
}

function disorder(name: string, grants: readonly Grant[]): Violation[] {
  return sweep(grants, grants).flatMap(([grant, newest]) => {
    const { token, leaseId } = grant.outcome;
    const repeated = newest.outcome.leaseId === leaseId && newest.outcome.token === token;
    // An equal token of another lease is a duplicate, told above.
    if (newest.outcome.token <= token || repeated) return [];
    const what = `${name} was granted with token ${token} after token ${newest.outcome.token} had been returned`;
    return [violation("tokens", what, newest, grant)];
  });
}

function lateRenewals(name: string, grants: readonly Grant[], renewals: readonly Renewed[]): Violation[] {
  return sweep(renewals, grants).flatMap(([renewal, newest]) => {
    const { token, leaseId } = renewal.request;
    if (newest.outcome.token <= token || newest.outcome.leaseId === leaseId) return [];
    const what = `${name} was renewed with token ${token} after token ${newest.outcome.token} had been returned`;
    return [violation("tokens", what, newest, renewal)];
  });
}

/** Each of `later` with the highest token that had been returned before it started. */
function sweep<T extends { readonly startMs: number }>(
  later: readonly T[],
  grants: readonly Grant[],
): [T, Grant][] {
  const byEnd = [...grants].sort((a, b) => a.endMs - b.endMs);
  const byStart = [...later].sort((a, b) => a.startMs - b.startMs);
  const pairs: [T, Grant][] = [];
  let newest: Grant | undefined;
  let next = 0;
  for (const one of byStart) {
    for (let grant = byEnd[next]; grant && grant.endMs < one.startMs; grant = byEnd[++next]) {
      if (!newest || grant.outcome.token > newest.outcome.token) newest = grant;
    }
    if (newest) pairs.push([one, newest]);
  }
  return pairs;
}
