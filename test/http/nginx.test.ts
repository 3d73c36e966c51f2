import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readEvents } from "../helpers/events.js";
import { nginxInstalled, startNginx } from "../helpers/nginx.js";
import type { SharedPrimaries } from "../helpers/primaries.js";
import type { RunningProxy } from "../helpers/proxy.js";
import { freshName, type Instance, startInstance, until } from "../helpers/service.js";
import { sharedPrimaries } from "../helpers/shared-primaries.js";

describe.skipIf(!nginxInstalled)("through an nginx as it comes", () => {
  let primaries: SharedPrimaries;
  let instance: Instance;
  let nginx: RunningProxy;
  beforeAll(async () => {
    primaries = await sharedPrimaries();
    instance = await startInstance(primaries.urls);
    nginx = await startNginx(await instance.url());
  });
  afterAll(async () => {
    await nginx[Symbol.asyncDispose]();
    await instance[Symbol.asyncDispose]();
  });

  const post = async (path: string, body: object, signal?: AbortSignal) => {
    const response = await fetch(nginx.url + path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      ...(signal && { signal }),
    });
    // biome-ignore lint/suspicious/noExplicitAny: tests look at what they expect.
    return { status: response.status, body: (await response.json()) as any };
  };

  const untilWaiting = (count: number) =>
    until(() => instance.service.waiting.size === count, `${count} wait`);

  test("a waiter gets the lock when it is released", async () => {
    const path = `/v1/locks/${freshName()}`;
    const { body: held } = await post(`${path}/acquire`, { ttlMs: 20_000 });
    const waiting = post(`${path}/acquire`, { ttlMs: 20_000, waitMs: 25_000 });
    await untilWaiting(1);
    await post(`${path}/release`, { leaseId: held.leaseId });
    // Before its time to wait is over, and the test's.
    expect((await waiting).status).toBe(200);
  });

  test("a waiter that goes leaves the line", async () => {
    const path = `/v1/locks/${freshName()}`;
    await post(`${path}/acquire`, { ttlMs: 20_000 });
    const cut = new AbortController();
    const waiting = post(`${path}/acquire`, { ttlMs: 20_000, waitMs: 25_000 }, cut.signal).catch(
      () => "gone",
    );
    await untilWaiting(1);
    cut.abort();
    await untilWaiting(0);
    expect(await waiting).toBe("gone");
  });

  test("events come as they happen, and a stream that is cut ends here too", async () => {
    const name = freshName();
    const path = `/v1/elections/${name}`;
    const stream = await readEvents(`${nginx.url}${path}/events`);
    expect(stream.response.headers["content-type"]).toBe("text/event-stream");
    await stream.at(0);
    const { body } = await post(`${path}/campaign`, { ttlMs: 20_000 });
    const led = await stream.at(1);
    expect(led.data.leader.term).toBe(body.term);
    stream.cut();
    using resumed = await readEvents(`${nginx.url}${path}/events`, { "last-event-id": led.id });
    await post(`${path}/proclaim`, { leaseId: body.leaseId, value: 1 });
    expect((await resumed.at(0)).data.leader.value).toBe(1);
  });

  test("a read that waits gets its 304 and its change", async () => {
    const path = `/v1/elections/${freshName()}`;
    const first = await fetch(nginx.url + path);
    await first.text();
    const headers = { "if-none-match": first.headers.get("etag") ?? "" };
    expect((await fetch(`${nginx.url}${path}?waitMs=200`, { headers })).status).toBe(304);
    const reading = fetch(`${nginx.url}${path}?waitMs=20000`, { headers });
    await post(`${path}/campaign`, { ttlMs: 20_000 });
    expect((await reading).status).toBe(200);
  });

  test.each(["a/b", "/a//b/", "../a", "100 %", "a?b#c", "ü€", "a%2Fb", "\\", "+"])(
    "a register has the key that was percent-encoded: %s",
    async (text) => {
      const key = freshName() + text;
      const path = `/v1/registers/${encodeURIComponent(key)}`;
      const headers = { "content-type": "application/json" };
      const put = await fetch(nginx.url + path, { method: "PUT", headers, body: '{"value": 1}' });
      expect(await put.json()).toEqual({ key, version: 1 });
      expect(await (await fetch(nginx.url + path)).json()).toMatchObject({ key, value: 1 });
      const direct = await instance.call("GET", path);
      expect(direct.body).toMatchObject({ key, value: 1 });
    },
  );
});
