import type { LeaseKind } from "./lease.js";

export function lockKind(name: string | readonly string[]): LeaseKind {
  return typeof name === "string"
    ? { ...actsOf(`/locks/${encodeURIComponent(name)}`), token: "fencingToken" }
    : { ...actsOf("/locks"), body: { names: name }, token: "fencingToken" };
}

export function permitsKind(name: string): LeaseKind {
  return { ...actsOf(`/semaphores/${encodeURIComponent(name)}`), token: "fencingToken" };
}

export function termKind(name: string): LeaseKind {
  const path = `/elections/${encodeURIComponent(name)}`;
  return { acquire: `${path}/campaign`, renew: `${path}/renew`, release: `${path}/resign`, token: "term" };
}

const actsOf = (path: string) => ({
  acquire: `${path}/acquire`,
  renew: `${path}/renew`,
  release: `${path}/release`,
});
