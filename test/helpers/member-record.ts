import type { MemberRecord } from "../../src/scripts/member-calls.js";

/** A live member as a primary stores it, with what matters to a test. */
export function memberRecord(fields: Partial<MemberRecord> = {}): MemberRecord {
  return {
    id: "m",
    incarnation: 1,
    revision: 1,
    left: false,
    expired: null,
    nonce: "nonce",
    ttlMs: 15_000,
    expiresInMs: 15_000,
    heartbeatAgeMs: 0,
    registered: '{"address":"m:1"}',
    status: "up",
    change: "",
    endsInMs: null,
    event: { kind: "joined", why: "registered" },
    ...fields,
  };
}
