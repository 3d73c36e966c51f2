import { afterAll, beforeAll, expect, test } from "vitest";
import { command } from "../helpers/deployment.js";
import type { TestPrimary } from "../helpers/primaries.js";
import { until } from "../helpers/service.js";
import { check } from "../history/check.js";
import { Recorder } from "../history/recorder.js";
import { primariesAreFilled, watchersAgree } from "./agreement.js";
import { startTestCluster, type TestCluster } from "./cluster/cluster.js";
import { HttpClient } from "./cluster/http.js";
import { FLEET } from "./load/fleet.js";
import { Watcher } from "./load/watchers.js";

// What the real faults check of members at their end, on a cluster that is well: it must find what is made wrong.

let cluster: TestCluster;
const recorder = new Recorder(() => performance.now());
const stop = new AbortController();
let watchers: Watcher[];
beforeAll(async () => {
  cluster = await startTestCluster({ primaries: 3, kind: "process" });
  await cluster.recovered(20_000);
  watchers = cluster.services.map(
    (_, at) => new Watcher(`watcher-${at}`, FLEET, cluster.services, recorder, stop.signal, at),
  );
}, 60_000);
afterAll(async () => {
  stop.abort();
  await Promise.all(watchers.map(({ ended }) => ended));
  await cluster[Symbol.asyncDispose]();
});

test("watchers agree with the lists, and one that has missed something does not", async () => {
  expect(await watchersAgree(cluster, watchers)).toEqual([]);
  const [first] = watchers;
  const dead = {
    id: "deaf",
    members: new Map(first?.members).set("stays-1", "up 1.1"),
  } as unknown as Watcher;
  const found = await watchersAgree(cluster, [...watchers, dead], 1_000);
  expect(found.map(({ promise }) => promise)).toEqual(["watchers"]);
  expect(found[0]?.what).toMatch(/^deaf knows \[/);
  expect(check(recorder.history())).toEqual([]);
}, 60_000);

test("a primary that forgot is filled again, and one that lacks members is found", async () => {
  using http = new HttpClient(5_000);
  const put = () =>
    http.call(cluster.services[0]?.url ?? "", "PUT", `/v1/services/${FLEET}/members/a`, {
      address: "a:1",
      ttlMs: 5_000,
    });
  await until(async () => (await put()).status < 300, "a member is registered", 20_000);
  await command(cluster.primaries[1] as TestPrimary, "FLUSHALL");
  await until(async () => (await put()).status < 300, "it is registered again", 20_000);
  expect(await primariesAreFilled(cluster)).toEqual([]);
  await put();
  // As if nothing were stored.
  const found = await primariesAreFilled(cluster, { prefix: "another", withinMs: 300 });
  expect(found.map(({ what }) => what)).toContainEqual(expect.stringMatching(/primary 1 lacks a \(/));
}, 60_000);
