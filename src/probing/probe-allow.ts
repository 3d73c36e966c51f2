import { BlockList, isIP } from "node:net";

/** What a probe connects to: a host and a port, and for HTTP what is asked for there. */
export interface ProbeTarget {
  readonly kind: "http" | "tcp";
  /** An address or a name, in lower case. */
  readonly host: string;
  readonly port: number;
  /** With its query; empty for TCP. */
  readonly path: string;
}

/**
 * Reads a target as it was registered, `http://10.0.0.7:9000/health` or `10.0.0.7:9000`. Null: it is not one. Spellings of
 * an address that only some programs understand (`0x7f.1`) are what the standard of URLs makes of them.
 */
export function readTarget(kind: ProbeTarget["kind"], text: string): ProbeTarget | null {
  const url = kind === "http" ? text : `http://${text}`;
  if (!URL.canParse(url) || (kind === "http" && !/^http:\/\//i.test(text))) return null;
  const { protocol, hostname, port, pathname, search, hash, username, password } = new URL(url);
  if (protocol !== "http:" || username || password || hash) return null;
  // The port of a TCP target must be named, even where it is that of HTTP.
  if (kind === "tcp" && !/^[^/?#@\\\s]+:\d{1,5}$/.test(text)) return null;
  const host = unmapped(hostname.replace(/^\[|\]$/g, "").toLowerCase());
  if (Number(port || 80) === 0) return null;
  return { kind, host, port: Number(port || 80), path: kind === "http" ? pathname + search : "" };
}

/**
 * The addresses and hosts that probes may connect to. A name must be listed, and what it resolves to must be in a listed
 * block as well: who controls a name could point it at any address.
 */
export class ProbeAllow {
  readonly #blocks = new BlockList();
  readonly #hosts = new Set<string>();

  /** `entries`: as `QUORATE_PROBE_ALLOW` lists them. */
  constructor(private readonly entries: readonly string[]) {
    for (const entry of entries) {
      const [address = "", bits] = entry.split("/");
      const version = isIP(address);
      if (version === 0) this.#hosts.add(entry.toLowerCase());
      else if (bits === undefined) this.#blocks.addAddress(address, family(version));
      else this.#blocks.addSubnet(address, Number(bits), family(version));
    }
  }

  /** Whether there are any probes at all. */
  get isEmpty(): boolean {
    return this.entries.length === 0;
  }

  /** Whether a host may be named in a registration. */
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
function unmapped(address: string): string {
  const dotted = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (dotted !== undefined) return dotted;
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(address) ?? [];
  if (high === undefined || low === undefined) return address;
  const [one, two] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return [one >> 8, one & 255, two >> 8, two & 255].join(".");
}
