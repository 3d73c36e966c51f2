/**
 * The kinds of resources that a lease can hold, and whether their held names are listed, by GET /v1/locks. A resource is a
 * kind and a name, `lock/orders-42`.
 */
const LISTED = { lock: true, permit: false, election: false };

/** Whether the resource is listed while it is held. Throws if it is of no known kind. */
export function isListed(resource: string): boolean {
  const kind = resource.slice(0, resource.indexOf("/"));
  const listed: boolean | undefined = LISTED[kind as keyof typeof LISTED];
  if (listed === undefined) throw new Error(`${resource} is of no known kind`);
  return listed;
}

/** What the API calls the kinds of leases. */
export type LeaseKind = "locks" | "semaphores" | "elections";

/** What the API calls the resources of a lease: permits by the name of their semaphore, once. */
export function namesOf(resources: readonly string[]): {
  readonly kind: LeaseKind;
  readonly names: readonly string[];
} {
  const parts = resources.map((resource) => resource.split("/"));
  const names = [...new Set(parts.map(([, name = ""]) => name))];
  const kinds: Readonly<Record<string, LeaseKind>> = {
    lock: "locks",
    permit: "semaphores",
    election: "elections",
  };
  const kind = kinds[parts[0]?.[0] ?? ""];
  if (!kind) throw new Error(`${resources[0]} is of no known kind`);
  return { kind, names };
}

/** The resource of this kind with this name. */
export function resourceOf(kind: keyof typeof LISTED, name: string): string {
  return `${kind}/${name}`;
}
