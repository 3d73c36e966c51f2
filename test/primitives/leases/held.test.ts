import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { Leases } from "../../../src/primitives/leases/leases.js";

// What is known of a lease whose holder did not send its token.

const digest = createHash("sha1").update("lease").digest("hex");
const shown = { holds: [{ digest, token: 7, revision: "0003-nonce" }] };
const hidden = { holds: [] };
const wanted = { mode: null, resources: ["election/a"], queues: [], fingerprint: null, limit: null };

function leases(...inspections: object[]): Leases {
  const votes = { inspect: async () => inspections.shift(), ending: async () => ({ kind: "expired" }) };
  return new Leases(...([votes] as unknown as ConstructorParameters<typeof Leases>));
}

test("a lease that too few primaries showed at first is looked for once more, with its revision", async () => {
  const held = { token: 7, revision: "0003-nonce" };
  expect(await leases(shown).held(wanted, "lease")).toEqual(held);
  expect(await leases(hidden, shown).held(wanted, "lease")).toEqual(held);
});

test("a lease that is not there twice is lost, and one without an exact token waits for more primaries", async () => {
  await expect(leases(hidden, hidden).held(wanted, "lease")).rejects.toMatchObject({ code: "lease_lost" });
  const vague = { holds: [{ digest, token: null, revision: "" }] };
  await expect(leases(vague).held(wanted, "lease")).rejects.toMatchObject({ code: "no_quorum" });
});
