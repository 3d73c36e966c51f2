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

/** The resource of this kind with this name. */
export function resourceOf(kind: keyof typeof LISTED, name: string): string {
  return `${kind}/${name}`;
}
