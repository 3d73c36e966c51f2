import { readUrl } from "../outbound/destination.js";

/** What a probe connects to: a host and a port, and for HTTP what is asked for there. */
export interface ProbeTarget {
  readonly kind: "http" | "tcp";
  /** An address or a name, in lower case. */
  readonly host: string;
  readonly port: number;
  /** With its query; empty for TCP. */
  readonly path: string;
}

/** Reads a target as it was registered, `http://10.0.0.7:9000/health` or `10.0.0.7:9000`. Null: it is not one. */
export function readTarget(kind: ProbeTarget["kind"], text: string): ProbeTarget | null {
  // The port of a TCP target must be named, even where it is that of HTTP.
  if (kind === "tcp" && !/^[^/?#@\\\s]+:\d{1,5}$/.test(text)) return null;
  const read = readUrl(kind === "http" ? text : `http://${text}`, ["http:"]);
  return read && { kind, host: read.host, port: read.port, path: kind === "http" ? read.path : "" };
}
