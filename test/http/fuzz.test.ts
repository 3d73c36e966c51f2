import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { chosenId, type Instance, startOffline } from "../helpers/service.js";

// Without primaries a request that is valid gets no_quorum, and every other one an answer that says what is wrong.
let instance: Instance;
beforeAll(async () => {
  instance = await startOffline({
    env: { QUORATE_OPERATOR_KEY: "the-key-of-the-operator", QUORATE_COMMAND_TIMEOUT_MS: "10" },
  });
});
afterAll(() => instance[Symbol.asyncDispose]());

const routes = [
  ["POST", "/v1/locks/a/acquire"],
  ["POST", "/v1/locks/a/renew"],
  ["POST", "/v1/locks/a/release"],
  ["POST", "/v1/locks/a/check"],
  ["POST", "/v1/locks/a/break"],
  ["POST", "/v1/locks/acquire"],
  ["POST", "/v1/locks/renew"],
  ["POST", "/v1/locks/release"],
  ["POST", "/v1/semaphores/a/acquire"],
  ["POST", "/v1/semaphores/a/renew"],
  ["POST", "/v1/semaphores/a/release"],
  ["PUT", "/v1/semaphores/a"],
  ["POST", "/v1/elections/a/campaign"],
  ["POST", "/v1/elections/a/renew"],
  ["POST", "/v1/elections/a/proclaim"],
  ["POST", "/v1/elections/a/resign"],
  ["PUT", "/v1/services/s/members/m"],
  ["POST", "/v1/services/s/members/m/heartbeat"],
  ["POST", "/v1/services/s/owners"],
  ["POST", "/v1/services/s/pick"],
] as const;

/** Values that are right for some field, or nearly. */
const likely = fc.oneof(
  fc.constantFrom<unknown>(0, 1, 99, 100, 1_000, 25_000, 25_001, 600_000, 600_001, 2 ** 53, 1.5, -1, null),
  fc.constantFrom<unknown>(
    "",
    "a",
    "exclusive",
    "shared",
    "random",
    "sticky",
    "x".repeat(257),
    chosenId(),
    "\u0000",
    "__proto__",
  ),
  fc.constantFrom<unknown>([], ["a"], ["a", "b"], ["a", "a"], {}, true),
  fc.jsonValue(),
);
const fields = [
  ...["ttlMs", "waitMs", "mode", "owner", "leaseId", "metadata", "names", "fencingToken", "reason", "limit"],
  ...["permits", "candidate", "value", "term", "address", "weight", "tags", "incarnation", "keys", "extra"],
  ...["strategy", "key", "zone", "exclude", "count", "maxLoad"],
];
const body = fc.oneof(
  fc.dictionary(fc.constantFrom(...fields), likely, { maxKeys: 8 }),
  fc.record({ ttlMs: fc.constant(1_000), leaseId: fc.constant(chosenId()) }, { requiredKeys: [] }),
  fc.jsonValue(),
);

test.each(routes)("%s %s answers whatever is sent as it says", async (method, path) => {
  const headers = { authorization: "Bearer the-key-of-the-operator" };
  await fc.assert(
    fc.asyncProperty(body, async (sent) => {
      // The call holds the answer against the description.
      const answer = await instance.call(method, path, sent, headers);
      expect([400, 503]).toContain(answer.status);
    }),
    { numRuns: 60 },
  );
});
