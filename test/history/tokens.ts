import { type Violation, violation } from "./check.js";
import { type Done, done, firstAskedMs, groupBy, type History, namesOf } from "./operation.js";

type Grant = Done<"acquire", "granted">;
type Renewed = Done<"renew", "renewed">;

/**
 * Tokens of a name are unique, and an acquire that starts after another's grant was returned gets a higher one; nor is
 * a lease renewed after a newer grant was returned. All this holds always: whatever clocks do, and whatever is lost. A
 * repeated acquire of one lease may get its token again, and readers may share one: then an equal one is no lower. A
 * reader that is asked for again stands where it stood, below one that came in between for more names than this.
 * Those of a semaphore are the tokens of slots, which a client does not see.
 */
export function checkTokens({ operations }: History): Violation[] {
  const grants = byName(done(operations, "acquire", "granted"));
  const renewals = byName(done(operations, "renew", "renewed"));
  const asked = firstAskedMs(operations);
  return [...grants].flatMap(([name, ofName]) => [
    ...duplicates(name, ofName),
    ...disorder(name, ofName, asked),
    ...lateRenewals(name, ofName, renewals.get(name) ?? []),
  ]);
}

function byName<T extends Grant | Renewed>(all: readonly T[]): Map<string, T[]> {
  const each = all
    .filter(({ request }) => request.limit === undefined)
    .flatMap((one) => namesOf(one.request).map((name) => ({ name, one })));
  return new Map(
    [...groupBy(each, ({ name }) => name)].map(([name, ones]) => [name, ones.map(({ one }) => one)]),
  );
}

const isShared = ({ request }: Grant | Renewed) => request.mode === "shared";

function duplicates(name: string, grants: readonly Grant[]): Violation[] {
  const first = new Map<number, Grant>();
  return grants.flatMap((grant) => {
    const { token, leaseId } = grant.outcome;
    const other = first.get(token);
    if (!other) first.set(token, grant);
    if (!other || other.outcome.leaseId === leaseId || (isShared(other) && isShared(grant))) return [];
    return [violation("tokens", `two leases of ${name} got token ${token}`, other, grant)];
  });
}

function disorder(name: string, grants: readonly Grant[], asked: (grant: Grant) => number): Violation[] {
  const readers = grants.filter(isShared);
  const writers = grants.filter((grant) => !isShared(grant));
  const pairs = [...sweep(writers, grants), ...sweep(readers, writers), ...sweep(readers, readers, asked)];
  return pairs.flatMap(([grant, newest]) => {
    const { token, leaseId } = grant.outcome;
    const repeated = newest.outcome.leaseId === leaseId && newest.outcome.token === token;
    // An equal token of another lease is a duplicate, told above.
    if (newest.outcome.token <= token || repeated) return [];
    const what = `${name} was granted with token ${token} after token ${newest.outcome.token} had been returned`;
    return [violation("tokens", what, newest, grant)];
  });
}

function lateRenewals(name: string, grants: readonly Grant[], renewals: readonly Renewed[]): Violation[] {
  const writers = grants.filter((grant) => !isShared(grant));
  // A later reader may stand beside it.
  const pairs = [
    ...sweep(renewals.filter(isShared), writers),
    ...sweep(
      renewals.filter((renewal) => !isShared(renewal)),
      grants,
    ),
  ];
  return pairs.flatMap(([renewal, newest]) => {
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
  startOf = (one: T) => one.startMs,
): [T, Grant][] {
  const byEnd = [...grants].sort((a, b) => a.endMs - b.endMs);
  const byStart = [...later].sort((a, b) => startOf(a) - startOf(b));
  const pairs: [T, Grant][] = [];
  let newest: Grant | undefined;
  let next = 0;
  for (const one of byStart) {
    for (let grant = byEnd[next]; grant && grant.endMs < startOf(one); grant = byEnd[++next]) {
      if (!newest || grant.outcome.token > newest.outcome.token) newest = grant;
    }
    if (newest) pairs.push([one, newest]);
  }
  return pairs;
}
