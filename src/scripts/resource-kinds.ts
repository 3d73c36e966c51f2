/** What the lease scripts need to know about a kind of resource. */
export interface ResourceKind {
  /** Whether its held names are listed, by GET /v1/locks. */
  readonly listed: boolean;
}

/** The kinds of resources that a lease can hold: a resource is a kind and a name, `lock/orders-42`. */
const KINDS = {
  lock: { listed: true },
  permit: { listed: false },
  election: { listed: false },
} as const satisfies Record<string, ResourceKind>;

export type KindName = keyof typeof KINDS;

/** Throws if the resource is of no known kind. */
export function kindOf(resource: string): ResourceKind {
  const kind = KINDS[resource.slice(0, resource.indexOf("/")) as KindName] as ResourceKind | undefined;
  if (!kind) throw new Error(`${resource} is of no known kind`);
  return kind;
}

/** The resource of this kind with this name. */
export function resourceOf(kind: KindName, name: string): string {
  return `${kind}/${name}`;
}
