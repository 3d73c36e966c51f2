import { createHash, randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { startProcess } from "../helpers/process.js";
import { ownPrefix, PATIENT, until } from "../helpers/service.js";
import { sharedPrimaries } from "../helpers/shared-primaries.js";
import { Checkout } from "./checkout.js";

const checkout = new Checkout();

describe("keys.yaml", () => {
  let file: string;
  const keys: Record<string, string> = {};
  beforeAll(() => {
    file = checkout.path("examples/two-teams/keys.yaml");
  });

  const start = async () => {
    const service = startProcess({
      ...PATIENT,
      REDIS_URLS: (await sharedPrimaries()).urls.join(),
      QUORATE_KEY_PREFIX: ownPrefix(),
      QUORATE_KEYS_FILE: file,
    });
    const url = await service.listening;
    const ready = async () => (await (await fetch(`${url}/readyz`)).json()).quorum === true;
    await until(ready, "there is a quorum");
    const call = async (id: string, method: string, path: string, body?: object) => {
      const response = await fetch(`${url}/v1/namespaces/${path}`, {
        method,
        headers: { authorization: `Bearer ${keys[id]}`, "content-type": "application/json" },
        ...(body && { body: JSON.stringify(body) }),
      });
      const { status, code, broken } = (await response.json()) as Record<string, unknown>;
      return { status: status ?? response.status, code, broken };
    };
    return { call, [Symbol.asyncDispose]: () => service[Symbol.asyncDispose]() };
  };

  test("is valid as it is, with keys that nobody has", async () => {
    const digests = [...(await readFile(file, "utf8")).matchAll(/"([0-9a-f]{64})"/g)].map(
      ([, digest]) => digest,
    );
    expect(new Set(digests).size).toBe(3);
    await using service = await start();
    expect(await service.call("nobody", "GET", "billing/locks")).toMatchObject({ status: 401 });
  });

  test("gives each team a namespace of its own, and what it may see of the other's", async () => {
    const text = await readFile(file, "utf8");
    const replaced = text.replace(/id: (.+)\n(.*)"[0-9a-f]{64}"/g, (_, id: string, before: string) => {
      keys[id] = `quorate_${randomBytes(32).toString("base64url")}`;
      return `id: ${id}\n${before}"${createHash("sha256").update(keys[id]).digest("hex")}"`;
    });
    await writeFile(file, replaced);
    expect(Object.keys(keys)).toEqual(["billing", "search", "on-call"]);

    await using service = await start();
    const acquire = (id: string, namespace: string) =>
      service.call(id, "POST", `${namespace}/locks/nightly/acquire`, { ttlMs: 20_000 });
    // The same name in two namespaces is two locks.
    expect(await acquire("billing", "billing")).toMatchObject({ status: 200 });
    expect(await acquire("search", "search")).toMatchObject({ status: 200 });
    const forbidden = { status: 403, code: "forbidden" };
    expect(await acquire("search", "billing")).toMatchObject(forbidden);
    expect(await acquire("search", "default")).toMatchObject(forbidden);
    expect(await acquire("on-call", "billing")).toMatchObject(forbidden);

    expect(await service.call("search", "GET", "billing/elections/leader")).toMatchObject({ status: 200 });
    expect(await service.call("search", "GET", "billing/locks/nightly")).toMatchObject(forbidden);
    expect(await service.call("on-call", "GET", "billing/locks/nightly")).toMatchObject({ status: 200 });
    const lock = "billing/locks/nightly/break";
    expect(await service.call("search", "POST", lock, { reason: "stuck" })).toMatchObject(forbidden);
    expect(await service.call("on-call", "POST", lock, { reason: "stuck" })).toMatchObject({ broken: 1 });
  });
});
