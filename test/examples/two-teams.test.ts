import { createHash, randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { expect, test, vi } from "vitest";
import { startProcess } from "../helpers/process.js";
import { ownPrefix, PATIENT, until } from "../helpers/service.js";
import { sharedPrimaries } from "../helpers/shared-primaries.js";
import { Checkout, PATIENCE_MS } from "./checkout.js";

vi.setConfig({ testTimeout: 4 * PATIENCE_MS, hookTimeout: PATIENCE_MS });

const checkout = new Checkout();

test("keys.yaml gives each team a namespace of its own, and what it may see of the other's", async () => {
  const file = checkout.path("examples/two-teams/keys.yaml");
  await using service = startProcess({
    ...PATIENT,
    REDIS_URLS: (await sharedPrimaries()).urls.join(),
    QUORATE_KEY_PREFIX: ownPrefix(),
    QUORATE_KEYS_FILE: file,
  });
  const url = await service.listening;
  const keys: Record<string, string> = {};
  const call = async (id: string, method: string, path: string, body?: object) => {
    const response = await fetch(`${url}/v1/namespaces/${path}`, {
      method,
      headers: { authorization: `Bearer ${keys[id]}`, "content-type": "application/json" },
      ...(body && { body: JSON.stringify(body) }),
    });
    const { code, broken } = (await response.json()) as Record<string, unknown>;
    return { status: response.status, code, broken };
  };
  // It is valid as it is, with digests of keys that nobody has.
  expect(await call("billing", "GET", "billing/locks")).toMatchObject({ status: 401 });

  const text = await readFile(file, "utf8");
  const replaced = text.replace(/id: (.+)\n(.*)"[0-9a-f]{64}"/g, (_, id: string, before: string) => {
    keys[id] = `quorate_${randomBytes(32).toString("base64url")}`;
    return `id: ${id}\n${before}"${createHash("sha256").update(keys[id]).digest("hex")}"`;
  });
  await writeFile(file, replaced);
  expect(Object.keys(keys)).toEqual(["billing", "search", "on-call"]);
  // The file is read again, and there is a quorum.
  const reads = async () => (await call("billing", "GET", "billing/locks")).status === 200;
  await until(reads, "the new keys count", PATIENCE_MS);

  const acquire = (id: string, namespace: string) =>
    call(id, "POST", `${namespace}/locks/nightly/acquire`, { ttlMs: 60_000 });
  // The same name in two namespaces is two locks.
  expect(await acquire("billing", "billing")).toMatchObject({ status: 200 });
  expect(await acquire("search", "search")).toMatchObject({ status: 200 });
  const forbidden = { status: 403, code: "forbidden" };
  expect(await acquire("search", "billing")).toMatchObject(forbidden);
  expect(await acquire("search", "default")).toMatchObject(forbidden);
  expect(await acquire("on-call", "billing")).toMatchObject(forbidden);

  expect(await call("search", "GET", "billing/elections/leader")).toMatchObject({ status: 200 });
  expect(await call("search", "GET", "billing/locks/nightly")).toMatchObject(forbidden);
  expect(await call("on-call", "GET", "billing/locks/nightly")).toMatchObject({ status: 200 });
  const lock = "billing/locks/nightly/break";
  expect(await call("search", "POST", lock, { reason: "stuck" })).toMatchObject(forbidden);
  expect(await call("on-call", "POST", lock, { reason: "stuck" })).toMatchObject({ broken: 1 });
});
