/**
 * The header `traceparent` of a request, for logs; undefined where there is none that is well-formed. Of a version after 00
 * the part that all versions share. Source: W3C Trace Context, "traceparent Header".
 */
export function traceparentOf(header: string | undefined): string | undefined {
  const [, traceparent, version, more] = HEADER.exec(header ?? "") ?? [];
  return version === "00" && more !== "" ? undefined : traceparent;
}

/** Neither id consists of zeros, and there is no version ff. */
const HEADER = /^(((?!ff)[0-9a-f]{2})-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2})((?:-.*)?)$/;
