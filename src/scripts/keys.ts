/**
 * Every key that Quorate writes, spelled here and nowhere else. A resource is a kind and a name, `lock/orders-42`:
 * names have no slash, so no two resources share a key.
 */
export class Keys {
  readonly configuration: string;
  readonly counters: string;
  readonly countersOlder: string;
  readonly services: string;
  /** The highest incarnation of a member that was announced. */
  readonly incarnation: string;
  /** Names of the locks that are held, and of some that are not any more. */
  readonly held: string;
  /** What the keys of those who wait in line begin with; leases.lua tells what follows. */
  readonly waiting: string;

  constructor(private readonly prefix: string) {
    this.configuration = `${prefix}configuration`;
    this.counters = `${prefix}counters`;
    this.countersOlder = `${prefix}counters/older`;
    this.services = `${prefix}services`;
    this.incarnation = `${prefix}incarnation`;
    this.held = `${prefix}held`;
    this.waiting = `${prefix}waiting/`;
  }

  /** What an acceptor remembers of the agreement on one version of the configuration. */
  agreement(version: number): string {
    return `${this.prefix}agreement/${version}`;
  }

  /** Patterns for SCAN, for a primary that is being readmitted. */
  get holdPattern(): string {
    return `${escapeGlob(this.prefix)}hold/*`;
  }

  get memberPattern(): string {
    return `${escapeGlob(this.prefix)}member/*`;
  }

  get tombstonePattern(): string {
    return `${escapeGlob(this.prefix)}gone/*`;
  }

  /** A writer's hold. Those of readers lie behind it, as leases.lua tells. */
  hold(resource: string): string {
    return `${this.prefix}hold/${resource}`;
  }

  /** What the holds of a resource's own resources begin with, `permit/pool/`, or of all of them. */
  holdsIn(resources = ""): string {
    return `${this.prefix}hold/${resources}`;
  }

  /** Those who wait for a resource. */
  queue(resource: string): string {
    return `${this.prefix}line/${resource}`;
  }

  /** What is waited for in the line with this key. */
  resourceOf(queueKey: string): string {
    return queueKey.slice(this.queue("").length);
  }

  instance(id: string): string {
    return `${this.waiting}instance/${id}`;
  }

  /** The channel on which a service instance hears that it is a waiter's turn. */
  notificationChannel(instance: string): string {
    return `${this.waiting}wake/${instance}`;
  }

  /** What a leaseId that its caller chose is for. */
  fingerprint(leaseId: string): string {
    return `${this.prefix}purpose/${leaseId}`;
  }

  limit(semaphore: string): string {
    return `${this.prefix}limit/${semaphore}`;
  }

  leaseTombstone(leaseId: string): string {
    return `${this.prefix}gone/${leaseId}`;
  }

  attemptTombstone(leaseId: string, nonce: string, attemptNumber: number): string {
    return `${this.prefix}gone/${leaseId}/${nonce}/${attemptNumber}`;
  }

  memberPrefix(service: string): string {
    return `${this.prefix}member/${service}/`;
  }

  member(service: string, id: string): string {
    return this.memberPrefix(service) + id;
  }

  members(service: string): string {
    return `${this.prefix}members/${service}`;
  }

  /** Deadlines of the tombstones among the members. */
  left(service: string): string {
    return `${this.prefix}left/${service}`;
  }

  /** Deadlines of the readers of a resource, by their leaseIds. */
  readers(resource: string): string {
    return `${this.hold(resource)}/readers`;
  }
}

function escapeGlob(text: string): string {
  return text.replaceAll(/[\\*?[\]]/g, "\\$&");
}
