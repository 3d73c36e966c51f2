import { z } from "zod";
import { ACTIONS, type Grant, KINDS } from "./grants.js";

/**
 * Grants as a keys file or a claim of a JWT states them. Every message reads on after "must be": what is expected, never
 * what is there, since that may be a secret in the wrong place.
 */

const PATTERN = /^[A-Za-z0-9*][A-Za-z0-9._:*-]{0,127}$/;
const pattern = (what: string) => {
  const expected = `${what}: 1 to 128 of A-Z a-z 0-9 . _ : - that begin with a letter or digit, with * for any characters`;
  return z.string(expected).regex(PATTERN, expected);
};

const someOf = <T extends z.ZodType>(item: T, max: number, what: string) =>
  z
    .array(item, `a list of ${what}`)
    .min(1, `a list of at least one of ${what}`)
    .max(max, `a list of at most ${max} ${what}`);

const KIND_NAMES = [...KINDS, "*"] as const;

export const GRANT = z.strictObject(
  {
    namespace: pattern("a namespace or a pattern of namespaces"),
    kinds: someOf(z.enum(KIND_NAMES, `one of ${KIND_NAMES.join(", ")}`), 50, "kinds"),
    names: someOf(pattern("a name or a pattern of names"), 1_000, "names"),
    actions: someOf(z.enum(ACTIONS, `one of ${ACTIONS.join(", ")}`), 10, "actions"),
  },
  "a grant with namespace, kinds, names and actions",
) satisfies z.ZodType<Grant>;

export const GRANTS = z.array(GRANT, "a list of grants").max(1_000, "a list of at most 1000 grants");

const count = (max: number) => {
  const expected = `a whole number from 1 to ${max}`;
  return z.int(expected).min(1, expected).max(max, expected).optional();
};

/** Limits of one key in one namespace. Without one there is no such limit. */
export const LIMITS = z.strictObject(
  {
    /** Token bucket, per instance. */
    requestsPerSecond: count(1_000_000),
    /** A burst may be as large as the requests of so many seconds; 1 by default. */
    burstSeconds: count(60),
    /** Requests that wait at the same time, per instance. */
    waiting: count(1_000_000),
    /** Event streams and blocking reads at the same time, per instance. */
    streams: count(1_000_000),
    /** Live leases. */
    leases: count(100_000_000),
    /** Live members. */
    members: count(100_000_000),
  },
  "limits: requestsPerSecond, burstSeconds, waiting, streams, leases, members",
);
export type Limits = Readonly<z.output<typeof LIMITS>>;

/** Without a colon, which the ids of other principals have (`jwt:...`), and never a key in the wrong place. */
const ID = /^(?!quorate_[\w-]{43}$)[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const ID_EXPECTED = "an id of 1 to 64 of A-Z a-z 0-9 . _ - that begins with a letter or digit";
const DIGEST_EXPECTED =
  "the SHA-256 of a key in 64 hex digits (npm run key makes a key and its entry), never the key itself";
const CERTIFICATE_EXPECTED =
  'a name of a client certificate: "CN=...", "DNS:..." or "URI:...", such as "URI:spiffe://example.org/team-a"';

export const KEY = z.strictObject(
  {
    id: z.string(ID_EXPECTED).regex(ID, ID_EXPECTED),
    /** Two or more while a key is rotated. */
    sha256: z
      .array(
        z
          .string(DIGEST_EXPECTED)
          .regex(/^[0-9a-fA-F]{64}$/, DIGEST_EXPECTED)
          .transform((digest) => digest.toLowerCase()),
        "a list of digests",
      )
      .max(10, "a list of at most 10 digests")
      .default([]),
    certificates: z
      .array(
        z.string(CERTIFICATE_EXPECTED).regex(/^(CN=|DNS:|URI:)[\x20-\x7e]{1,512}$/, CERTIFICATE_EXPECTED),
        "a list of names of client certificates",
      )
      .max(100, "a list of at most 100 names of client certificates")
      .default([]),
    grants: GRANTS,
    limits: LIMITS.optional(),
  },
  "a key with id, sha256, grants and perhaps certificates and limits",
);

/**
 * The keys file but for its keys, which are checked one by one. `limits` apply to keys that state none of their own, and
 * to JWTs.
 */
export const KEYS_FILE = z.strictObject(
  {
    limits: LIMITS.optional(),
    keys: z.array(z.unknown(), "a list of keys").max(100_000, "a list of at most 100000 keys"),
  },
  "an object with a list of keys",
);

/** One key of the file. */
export type KeyEntry = Readonly<z.output<typeof KEY>>;
