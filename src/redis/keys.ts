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
