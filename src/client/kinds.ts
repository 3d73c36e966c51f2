import type { LeaseKind } from "./lease.js";
import type { Lease, Permits, Term } from "./types.js";

export function lockKind(name: string | readonly string[]): LeaseKind<Lease> {
  return typeof name === "string"
    ? { ...actsOf(`/locks/${encodeURIComponent(name)}`), token: "fencingToken" }
    : { ...actsOf("/locks"), body: { names: name }, token: "fencingToken" };
}

export function permitsKind(name: string): LeaseKind<Permits> {
  return { ...actsOf(`/semaphores/${encodeURIComponent(name)}`), token: "fencingToken" };
}

export function termKind(name: string): LeaseKind<Term> {
  const path = `/elections/${encodeURIComponent(name)}`;
  return { acquire: `${path}/campaign`, renew: `${path}/renew`, release: `${path}/resign`, token: "term" };
}

const actsOf = (path: string) => ({
  acquire: `${path}/acquire`,
  renew: `${path}/renew`,
  release: `${path}/release`,
});
