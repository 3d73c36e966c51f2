import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { acquire, allTakePart, command } from "../helpers/deployment.js";
import type { TestPrimaries } from "../helpers/primaries.js";
import { type Instance, startInstance } from "../helpers/service.js";
import { composedSettings, inContainers, startAsComposed } from "./compose.js";

describe.skipIf(!inContainers)(
  "primaries as docker-compose.yml has them (skipped: TEST_REDIS=process)",
  () => {
    let primaries: TestPrimaries;
    let instance: Instance;
    beforeAll(async () => {
      primaries = await startAsComposed();
      instance = await startInstance(primaries.urls);
    });
    afterAll(async () => {
      await instance[Symbol.asyncDispose]();
      await primaries.close();
    });

    test("write each command to disk before they acknowledge it, and evict nothing", async () => {
      const wanted = {
        appendonly: "yes",
        appendfsync: "always",
        save: "",
        "maxmemory-policy": "noeviction",
        "hash-max-listpack-value": "512",
      };
      for (const primary of primaries.all) {
        const has = (await command(primary, "CONFIG", "GET", "*")) as string[];
        const settings = Object.fromEntries(has.flatMap((name, i) => (i % 2 ? [] : [[name, has[i + 1]]])));
        expect(settings).toMatchObject(wanted);
      }
    });

    test("are reached from outside of their containers, as compose's instances reach them", async () => {
      expect(await composedSettings()).toContain("--protected-mode");
      expect((await acquire(instance, "reached")).status).toBe(200);
    });

    test("of which one is killed, they keep leases, members and owners; killed all at once, all but leases", async () => {
      const { leaseId, fencingToken } = await acquire(instance, "kept", 120_000);
      await instance.call("PUT", "/v1/services/search/members/a", { address: "a:1", ttlMs: 120_000 });
      const owner = async () => (await instance.call("GET", "/v1/services/search/owner?key=k")).body.owner;
      const killed = async (count: number) => {
        const { configurationVersion } = await allTakePart(instance);
        const some = primaries.all.slice(0, count);
        await Promise.all(some.map((primary) => primary.kill().then(() => primary.start())));
        await allTakePart(instance, configurationVersion ?? 0);
      };
      await killed(1);
      const again = () => instance.call("POST", "/v1/locks/kept/renew", { leaseId, ttlMs: 120_000 });
      await expect.poll(again).toMatchObject({ status: 200, body: { fencingToken } });
      expect((await acquire(instance, "kept")).status).toBe(409);
      expect(await owner()).toMatchObject({ id: "a", address: "a:1" });
      await killed(3);
      // Which leases are lost then, and for how long their names are kept free: test/redis/persistence.test.ts.
      await expect.poll(owner).toMatchObject({ id: "a", address: "a:1" });
    });
  },
);
