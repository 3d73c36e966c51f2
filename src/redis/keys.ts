/**
 * Every key that Quorate writes, spelled here and nowhere else. A resource is a kind and a name, `lock/orders-42`:
 * names have no slash, so no two resources share a key.
 */
export class Keys {
  readonly configuration: string;
  readonly counters: string;
  readonly countersOlder: string;
  readonly services: string;

  constructor(private readonly prefix: string) {
    this.configuration = `${prefix}configuration`;
    this.counters = `${prefix}counters`;
    this.countersOlder = `${prefix}counters/older`;
    this.services = `${prefix}services`;
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

  get gonePattern(): string {
    return `${escapeGlob(this.prefix)}gone/*`;
  }

  hold(resource: string): string {
    return `${this.prefix}hold/${resource}`;
  }

  goneLease(leaseId: string): string {
    return `${this.prefix}gone/${leaseId}`;
  }

  goneAttempt(leaseId: string, nonce: string): string {
    return `${this.prefix}gone/${leaseId}/${nonce}`;
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
}

function escapeGlob(text: string): string {
  return text.replaceAll(/[\\*?[\]]/g, "\\$&");
}
