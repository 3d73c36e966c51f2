import type { IncomingMessage } from "node:http";
import { BlockList, isIP } from "node:net";

/** Finds the address of the client of a request; undefined: it came over no socket, and has none. */
export type ClientOf = (incoming: IncomingMessage | undefined) => string;

/** As `clientAddress` finds it. */
export function clientBehind(trustedProxies: readonly string[]): ClientOf {
  const addressOf = clientAddress(trustedProxies);
  return (incoming) =>
    addressOf(
      incoming?.socket.remoteAddress ?? "",
      incoming?.headers["x-forwarded-for"] as string | undefined,
    );
}

/**
 * Returns the function that finds the address of the client: `peer` is the other end of the connection, and
 * `forwardedFor` the header `X-Forwarded-For`. Each proxy adds at the right the address that it was connected from. So
 * from the right, the first address that is no trusted proxy is the client; what stands to the left of it is the word of
 * the client itself, and never counts. An entry that is no address ends the search at the proxy that wrote it.
 */
export function clientAddress(
  trustedProxies: readonly string[],
): (peer: string, forwardedFor: string | undefined) => string {
  const trusted = new BlockList();
  for (const block of trustedProxies) {
    const [address = "", bits] = block.split("/");
    const version = isIP(address) === 6 ? "ipv6" : "ipv4";
    if (bits === undefined) trusted.addAddress(address, version);
    else trusted.addSubnet(address, Number(bits), version);
  }
  const isTrusted = (address: string) => trusted.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
  return (peer, forwardedFor) => {
    let address = unmapped(peer);
    if (!forwardedFor || isIP(address) === 0 || !isTrusted(address)) return address;
    const hops = forwardedFor.split(",");
    while (hops.length > 0 && isTrusted(address)) {
      const hop = addressIn(hops.pop() ?? "");
      if (hop === null) return address;
      address = hop;
    }
    return address;
  };
}

/** Some proxies write a port, and IPv6 in brackets. */
function addressIn(hop: string): string | null {
  const text = hop.trim();
  const address = /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text;
  return isIP(address) === 0 ? null : unmapped(address);
}

/** A socket that listens on IPv6 shows clients of IPv4 as ::ffff:10.0.0.1. */
function unmapped(address: string): string {
  const inner = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  return inner !== undefined && isIP(inner) === 4 ? inner : address;
}
