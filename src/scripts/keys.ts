/**
 * Every key that Quorate writes, spelled here and nowhere else. A resource is a kind and a name, `lock/orders-42`. Names
 * have no slash, so no two resources share a key. Names and leaseIds contain their namespace, as namespace.ts describes.
 */
export class Keys {
  readonly configuration: string;
  readonly counters: string;
  readonly countersOlder: string;
  readonly services: string;
  /** When the first member of each service may expire. */
  readonly expiring: string;
  /** Services that have members to be probed, or had some lately. */
  readonly probed: string;
  /** The highest incarnation that was announced for any member. */
  readonly incarnation: string;
  /** Names of the locks that are held, and of some that are no longer held. */
  readonly held: string;
  /** Prefix of the keys of waiters; leases.lua describes what follows it. */
  readonly waiting: string;
  /** Names of the registers of which something was accepted, of those that may be removed, and of those that end. */
  readonly registers: string;
  readonly registersGone: string;
  readonly registersEnding: string;
  /** Length of what the key of a register has before its name. */
  readonly registerPrefixBytes: number;

  constructor(private readonly prefix: string) {
    this.configuration = `${prefix}configuration`;
    this.counters = `${prefix}counters`;
    this.countersOlder = `${prefix}counters/older`;
    this.services = `${prefix}services`;
    this.expiring = `${prefix}expiring`;
    this.probed = `${prefix}probed`;
    this.incarnation = `${prefix}incarnation`;
    this.held = `${prefix}held`;
    this.waiting = `${prefix}waiting/`;
    this.registers = `${prefix}registers`;
    this.registersGone = `${prefix}registers/gone`;
    this.registersEnding = `${prefix}registers/ending`;
    this.registerPrefixBytes = Buffer.byteLength(this.register(""));
  }

  /** An acceptor's state of the agreement on one version of the configuration. */
  readonly agreement = (version: number) => `${this.prefix}agreement/${version}`;

  /** Patterns for SCAN, used to readmit a primary. */
  get holdPattern(): string {
    return `${escapeGlob(this.prefix)}hold/*`;
  }

  get memberPattern(): string {
    return `${escapeGlob(this.prefix)}member/*`;
  }

  get boundPattern(): string {
    return `${escapeGlob(this.boundPrefix)}*`;
  }

  get tombstonePattern(): string {
    return `${escapeGlob(this.prefix)}gone/*`;
  }

  /** A register, by its name: its kind, its namespace and its key, which may have slashes. */
  readonly register = (name: string) => `${this.prefix}register/${name}`;

  /** The channel on which new versions of the registers of a group are published: its kind and its namespace. */
  readonly registerChannel = (group: string) => `${this.prefix}registers/changed/${group}`;

  /** A writer's hold. The keys of readers' holds begin with it, as leases.lua describes. */
  readonly hold = (resource: string) => `${this.prefix}hold/${resource}`;

  /** Prefix of the holds of the resources within a resource, `permit/pool/`, or of all holds. */
  readonly holdsIn = (resources = "") => `${this.prefix}hold/${resources}`;

  /** The queue for a resource. */
  readonly queue = (resource: string) => `${this.prefix}line/${resource}`;

  /** The resource that the queue with this key is for. */
  readonly resourceOf = (queueKey: string) => queueKey.slice(this.queue("").length);

  readonly instance = (id: string) => `${this.waiting}instance/${id}`;

  /** The channel on which a service instance gets the notifications for its waiters. */
  readonly notificationChannel = (instance: string) => `${this.waiting}wake/${instance}`;

  /** The idempotency fingerprint of a leaseId that its caller chose. */
  readonly fingerprint = (leaseId: string) => `${this.prefix}purpose/${leaseId}`;

  readonly limit = (semaphore: string) => `${this.prefix}limit/${semaphore}`;

  readonly leaseTombstone = (leaseId: string) => `${this.prefix}gone/${leaseId}`;

  readonly attemptTombstone = (leaseId: string, nonce: string, attemptNumber: number) =>
    `${this.prefix}gone/${leaseId}/${nonce}/${attemptNumber}`;

  /** Prefix of the records of a service, or of all. */
  readonly memberPrefix = (service?: string) =>
    service === undefined ? `${this.prefix}member/` : `${this.prefix}member/${service}/`;

  readonly member = (service: string, id: string) => this.memberPrefix(service) + id;

  readonly members = (service: string) => `${this.prefix}members/${service}`;

  /** Prefix of the lists of leases that are bound to members. */
  get boundPrefix(): string {
    return `${this.prefix}bound/`;
  }

  /** The leases that are bound to one incarnation of a member. */
  readonly bound = (service: string, id: string, incarnation: number) =>
    `${this.boundPrefix}${service}/${id}/${incarnation}`;

  /** Deadlines of the tombstones among the members. */
  readonly left = (service: string) => `${this.prefix}left/${service}`;

  /** What happened to the members of a service. */
  readonly events = (service: string) => `${this.prefix}events/${service}`;

  /** Prefix of the keys of reports about members of the service. */
  readonly reportPrefix = (service: string) => `${this.prefix}suspect/${service}/`;

  readonly reports = (service: string, id: string) => this.reportPrefix(service) + id;

  /** Which members of the service have reports, and until when these count. */
  readonly reported = (service: string) => `${this.prefix}suspects/${service}`;

  /** Whose turn it is at work that one instance does at a time. */
  readonly turn = (work: string) => `${this.prefix}turn/${work}`;

  /** The guard of the service against mass expiry. */
  readonly guard = (service: string) => `${this.prefix}guard/${service}`;

  /** Deadlines of the readers of a resource, by their leaseIds. */
  readonly readers = (resource: string) => `${this.hold(resource)}/readers`;
}

function escapeGlob(text: string): string {
  return text.replaceAll(/[\\*?[\]]/g, "\\$&");
}
