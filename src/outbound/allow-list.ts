import { BlockList, isIP } from "node:net";

/**
 * The addresses and hosts that this service may connect to on behalf of its users. A name must be listed, and what it resolves
 * to must be in a listed block as well: who controls a name could point it at any address.
 */
export class AllowList {
  readonly #blocks = new BlockList();
  readonly #hosts = new Set<string>();

  /** `entries`: as `QUORATE_PROBE_ALLOW` or `QUORATE_HOOK_ALLOW` lists them. */
  constructor(private readonly entries: readonly string[]) {
    for (const entry of entries) {
      const [address = "", bits] = entry.split("/");
      const version = isIP(address);
      if (version === 0) this.#hosts.add(entry.toLowerCase());
      else if (bits === undefined) this.#blocks.addAddress(address, family(version));
      else this.#blocks.addSubnet(address, Number(bits), family(version));
    }
  }

  /** Whether there is nothing to connect to. */
  get isEmpty(): boolean {
    return this.entries.length === 0;
  }

  /** Whether a user may name a host. */
  hasHost(host: string): boolean {
    return isIP(host) === 0 ? this.#hosts.has(host) : this.hasAddress(host);
  }

  hasAddress(address: string): boolean {
    const plain = unmapped(address);
    const version = isIP(plain);
    return version !== 0 && this.#blocks.check(plain, family(version));
  }
}

const family = (version: number) => (version === 6 ? "ipv6" : "ipv4");

/** `::ffff:10.0.0.1`, which a URL spells `::ffff:a00:1`, is 10.0.0.1. */
export function unmapped(address: string): string {
  const dotted = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (dotted !== undefined) return dotted;
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(address) ?? [];
  if (high === undefined || low === undefined) return address;
  const [one, two] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return [one >> 8, one & 255, two >> 8, two & 255].join(".");
}
