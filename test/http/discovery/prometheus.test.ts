import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SharedPrimaries } from "../../helpers/primaries.js";
import {
  checkConfiguration,
  prometheusInstalled,
  type RunningPrometheus,
  startPrometheus,
  type Target,
} from "../../helpers/prometheus.js";
import { type Instance, startInstance } from "../../helpers/service.js";
import { sharedPrimaries } from "../../helpers/shared-primaries.js";

const SLOW = { timeout: 60_000 };
const example = await readFile(new URL("../../../deploy/prometheus.yml", import.meta.url), "utf8");

describe.skipIf(!prometheusInstalled)("a real Prometheus (skipped where there is none)", SLOW, () => {
  let primaries: SharedPrimaries;
  let instance: Instance;
  let prometheus: RunningPrometheus;
  /** What members are: something that has metrics. */
  const member = createServer((_, response) => response.end("up_and_running 1\n"));
  const address = () => `127.0.0.1:${(member.address() as AddressInfo).port}`;

  beforeAll(async () => {
    primaries = await sharedPrimaries();
    instance = await startInstance(primaries.urls);
    await once(member.listen(0, "127.0.0.1"), "listening");
    const host = new URL(await instance.url()).host;
    const quick = "global: { scrape_interval: 1s }\n";
    const configuration = example
      .replace("[quorate-1:8080, quorate-2:8080]", `["${host}"]`)
      .replace("quorate-1:8080", host)
      .replace("refresh_interval: 10s", "refresh_interval: 1s");
    prometheus = await startPrometheus(quick + configuration);
  }, 60_000);
  afterAll(async () => {
    await prometheus?.[Symbol.asyncDispose]();
    await instance?.[Symbol.asyncDispose]();
    member.close();
    member.closeAllConnections();
  });

  const register = (service: string, id: string, more: object = {}) =>
    instance.call("PUT", `/v1/services/${service}/members/${id}`, {
      address: address(),
      ttlMs: 60_000,
      ...more,
    });
  const membersFound = async () =>
    (await prometheus.targets()).filter(({ labels }) => labels.job === "members");
  async function untilFound(isRight: (found: readonly Target[]) => boolean): Promise<readonly Target[]> {
    let found: readonly Target[] = [];
    const look = async () => {
      found = await membersFound();
      return isRight(found);
    };
    await expect.poll(look, { timeout: 30_000 }).toBe(true);
    return found;
  }
  const ids = (found: readonly Target[]) =>
    found
      .map(({ labels }) => labels.member)
      .sort()
      .join();

  test("takes the example as it is", () => checkConfiguration(example));

  test("finds members with their labels and scrapes them, and loses those that left", async () => {
    await register("search", "one", { zone: "eu-1a", tags: ["canary"], metadata: { build: "7f3a" } });
    await register("images", "two", { address: `http://${address()}/` });
    const found = await untilFound(
      (all) => ids(all) === "one,two" && all.every(({ health }) => health === "up"),
    );
    const one = found.find(({ labels }) => labels.member === "one");
    expect(one?.labels).toEqual({
      instance: address(),
      job: "members",
      member: "one",
      service: "search",
      zone: "eu-1a",
    });
    expect(one?.discoveredLabels).toMatchObject({
      __meta_quorate_tags: ",canary,",
      __meta_quorate_metadata_build: "7f3a",
      __meta_quorate_status: "up",
      __meta_quorate_namespace: "default",
    });

    await instance.call("DELETE", "/v1/services/search/members/one");
    await register("search", "three");
    await untilFound((all) => ids(all) === "three,two");
  });

  test("is not kept from the others by an address that it cannot scrape", async () => {
    await register("search", "odd", { address: "not an address / at all" });
    await register("search", "four");
    await untilFound((all) => ids(all).includes("four"));
    expect(ids(await membersFound())).toContain("three");
  });

  test("keeps what it found while there is no quorum", async () => {
    const before = ids(await membersFound());
    for (const primary of instance.service.primaries.all) primary.exclude("misconfigured", "for this test");
    let refused = 0;
    await expect
      .poll(
        async () => {
          for (const primary of instance.service.primaries.all)
            primary.exclude("misconfigured", "for this test");
          refused += (await instance.call("GET", "/v1/http-sd")).status === 503 ? 1 : 0;
          return refused;
        },
        { timeout: 30_000, interval: 100 },
      )
      .toBeGreaterThan(20);
    expect(ids(await membersFound())).toBe(before);
  });
});
