import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { expect, test } from "vitest";
import { digestOf } from "../../../src/access/key-ring.js";
import { toLogger } from "../../../src/log.js";
import { accessBy, EVERYTHING, secretOf } from "../../helpers/access.js";
import { operations } from "../../helpers/operations.js";
import { startOffline } from "../../helpers/service.js";
import { send } from "../../helpers/wire.js";

test("no key, token, digest or operator's key is in logs at trace level, metrics or answers, whatever happens", async () => {
  const OPERATOR = "the-key-of-the-operator";
  const pair = await generateKeyPair("ES256", { extractable: true });
  const sign = (claims: object) =>
    new SignJWT({ iss: "i", aud: "a", sub: "alice", exp: 4e9, quorate: [EVERYTHING], ...claims })
      .setProtectedHeader({ alg: "ES256", kid: "1" })
      .sign(pair.privateKey);
  const keys = [{ ...(await exportJWK(pair.publicKey)), kid: "1" }];
  const fetch = async () => new Response(JSON.stringify({ keys }));
  const logged: string[] = [];
  const log = toLogger("trace", { write: (line) => void logged.push(line) });
  using keyed = await accessBy(
    { ops: [EVERYTHING], none: [], gone: [EVERYTHING] },
    {
      jwt: { issuer: "i", audience: "a", claim: "quorate", keySet: "https://i/jwks" },
      operatorKey: OPERATOR,
    },
    { fetch, log },
  );
  await using instance = await startOffline({
    world: { access: keyed.access, log },
    env: { QUORATE_LOG_LEVEL: "trace", QUORATE_OPERATOR_KEY: OPERATOR },
  });
  const url = await instance.url();
  const tokens = await Promise.all([sign({}), sign({ exp: 1 }), sign({ quorate: 7 }), sign({ aud: "b" })]);
  const credentials = [
    secretOf("ops"),
    secretOf("none"),
    secretOf("gone"),
    OPERATOR,
    "quorate_unknown-one",
    ...tokens,
  ];
  const shown: string[] = [];
  const statuses = new Set<number>();
  const askAll = async () => {
    for (const credential of credentials)
      for (const operation of operations) {
        const body = operation.body("orders-1");
        const answer = await send(url, {
          method: operation.method,
          path: operation.path(null, "orders-1"),
          headers: { authorization: `Bearer ${credential}`, "content-type": "application/json" },
          ...(body !== undefined && { body: JSON.stringify(body) }),
        });
        statuses.add(answer.status);
        shown.push(JSON.stringify([answer.body, [...answer.headers]]));
      }
  };
  await askAll();
  await keyed.replace({ ops: [EVERYTHING], none: [] });
  await askAll();

  // 400: the name of all other things is no id of a transaction.
  expect([...statuses].sort()).toEqual([200, 400, 401, 403, 503]);
  expect(logged.join()).toContain("requests without a valid key were refused");
  expect(logged.join()).toContain("/v1/locks/orders-1/acquire");
  const secrets = [
    ...credentials,
    ...credentials.map(digestOf),
    ...tokens.flatMap((token) => token.split(".").slice(1)),
  ];
  const places = {
    logs: logged.join("\n"),
    metrics: shown.filter((text) => text.includes("quorate_")).join(),
    answers: shown.join("\n"),
  };
  expect(places.metrics).toContain("quorate_unauthenticated_total");
  for (const [place, text] of Object.entries(places))
    for (const secret of secrets) {
      expect(text.includes(secret), `${secret} is in the ${place}`).toBe(false);
    }
}, 60_000);
