import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startPrimaries, type TestPrimaries } from "./helpers/primaries.js";
import { type ServiceProcess, startProcess } from "./helpers/process.js";
import { ownPrefix, PATIENT, until } from "./helpers/service.js";

let primaries: TestPrimaries;
beforeAll(async () => {
  primaries = await startPrimaries(3);
});
afterAll(() => primaries.close());

const start = (env: Record<string, string> = {}): ServiceProcess =>
  startProcess({
    REDIS_URLS: primaries.urls.join(","),
    QUORATE_KEY_PREFIX: ownPrefix(),
    ...PATIENT,
    ...env,
  });

/** Waits until it has found its primaries: on a slow machine it listens before. */
async function hasQuorum(url: string): Promise<void> {
  await until(async () => {
    const { quorum } = (await (await fetch(`${url}/readyz`)).json()) as { quorum: boolean };
    return quorum;
  }, "it has a quorum");
}

/** Waits until one request is under way. */
async function isUnderWay(url: string): Promise<void> {
  await until(async () => {
    const metrics = await (await fetch(`${url}/metrics`)).text();
    return metrics.includes("\nquorate_admission_in_flight 1\n");
  }, "a request is under way");
}

/** What a new connection meets. (fetch would take one that it has.) */
async function refused(url: string): Promise<string> {
  const [error] = await once(connect(Number(new URL(url).port), "127.0.0.1"), "error");
  return error.code;
}

async function post(url: string, body?: object, method = "POST") {
  const response = await fetch(url, {
    method,
    ...(body && { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
  });
  // biome-ignore lint/suspicious/noExplicitAny: tests look at what they expect.
  return { status: response.status, body: (await response.json()) as any };
}

describe.concurrent("without Redis", () => {
  test("a bad configuration ends the start with exit code 1 and one line for each mistake", async () => {
    await using service = start({
      PORT: "http",
      REDIS_URLS: "redis://user:s3cret@a/x,redis://b,redis://b,localhost",
      QUORATE_TTL_MAX_MS: "1",
      QUORATE_COLOUR: "red",
    });
    expect(await service.ended).toBe(1);
    const lines = service.err().trim().split("\n");
    expect(lines).toHaveLength(7);
    for (const line of lines) expect(line).toMatch(/^quorate: \S/);
    for (const about of [
      "PORT is",
      "entry 1 ends in a path",
      "entry 3 is the same server as entry 2",
      "entry 4 is not a URL",
      "names 4 primaries",
      "QUORATE_TTL_MAX_MS is",
      "QUORATE_COLOUR is not a setting",
    ]) {
      expect(lines.filter((line) => line.includes(about))).toHaveLength(1);
    }
    expect(service.err() + service.out()).not.toContain("s3cret");
  });

  test("REDIS_URL alone ends the start with exit code 1 and a line that names REDIS_URLS", async () => {
    await using service = startProcess({ REDIS_URL: "redis://user:s3cret@127.0.0.1:6379" });
    expect(await service.ended).toBe(1);
    expect(service.err()).toBe(
      "quorate: REDIS_URL is not a setting: name your Redis in REDIS_URLS, or unset it\n",
    );
    expect(service.out()).toBe("");
  });

  test("a port in use ends the start with exit code 1 and a line that says so", async () => {
    const taken = createServer();
    await once(taken.listen(0, "127.0.0.1"), "listening");
    const { port } = taken.address() as AddressInfo;
    await using service = start({ PORT: String(port) });
    expect(await service.ended).toBe(1);
    expect(service.out()).toContain(`Cannot listen on 127.0.0.1:${port}`);
    taken.close();
  });

  test("a start without any primary succeeds: it is ready, and says no_quorum", async () => {
    await using service = start({ REDIS_URLS: "redis://127.0.0.1:1" });
    const url = await service.listening;
    expect((await post(`${url}/v1/locks/a/acquire`, { ttlMs: 1_000 })).body.code).toBe("no_quorum");
    expect(await (await fetch(`${url}/readyz`)).json()).toMatchObject({ status: "ready", quorum: false });
  });

  test("the JavaScript fallback does the main job: locks, members and owners, by nothing but HTTP", async () => {
    await using service = startProcess({ QUORATE_EMBEDDED: "javascript", ...PATIENT });
    const url = await service.listening;
    await hasQuorum(url);
    expect(service.out()).toContain("keep nothing");

    const lock = `${url}/v1/locks/orders-42`;
    const first = await post(`${lock}/acquire`, { ttlMs: 5_000, owner: "worker-7" });
    expect(first.status).toBe(200);
    const { leaseId, fencingToken } = first.body;
    const held = await post(`${lock}/acquire`, { ttlMs: 1_000 });
    expect([held.status, held.body.holder.owner]).toEqual([409, "worker-7"]);
    expect((await post(`${lock}/renew`, { leaseId, ttlMs: 10_000, fencingToken })).body.fencingToken).toBe(
      fencingToken,
    );
    expect((await post(`${lock}/release`, { leaseId })).body).toEqual({ released: true });
    const second = await post(`${lock}/acquire`, { ttlMs: 300 });
    expect(second.body.fencingToken).toBeGreaterThan(fencingToken);
    await sleep(310);
    expect((await post(`${lock}/renew`, { leaseId: second.body.leaseId, ttlMs: 300 })).status).toBe(410);
    expect((await post(`${lock}/acquire`, { ttlMs: 1_000 })).body.fencingToken).toBeGreaterThan(
      second.body.fencingToken,
    );

    const members = `${url}/v1/services/search/members`;
    for (const [id, ttlMs] of [
      ["search-1", 2_000],
      ["search-2", 1_000],
    ] as const) {
      expect((await post(`${members}/${id}`, { address: `${id}:9000`, ttlMs }, "PUT")).status).toBe(201);
    }
    const owner = await (await fetch(`${url}/v1/services/search/owner?key=user:42`)).json();
    expect(owner).toMatchObject({ key: "user:42", owner: { id: expect.stringMatching(/^search-[12]$/) } });
    const endMs = performance.now() + 2_500;
    while (performance.now() < endMs) {
      expect((await post(`${members}/search-1/heartbeat`)).status).toBe(200);
      await sleep(200);
    }
    const list = (await (await fetch(members)).json()) as { members: { id: string }[] };
    expect(list.members.map(({ id }) => id)).toEqual(["search-1"]);

    service.kill("SIGTERM");
    expect(await service.ended).toBe(0);
  }, 60_000);
});

describe("a start", () => {
  test("says where it listens and over which primaries, never their passwords", async () => {
    const urls = primaries.urls.map((url) => url.replace("redis://", "redis://default:s3cret@"));
    await using service = start({ REDIS_URLS: urls.join(","), QUORATE_LOG_LEVEL: "trace", REDIS_URL: "x" });
    const url = await service.listening;
    expect((await fetch(`${url}/livez`)).status).toBe(200);
    for (const primary of primaries.urls) expect(service.out()).toContain(new URL(primary).host);
    expect(service.out() + service.err()).not.toContain("s3cret");
    expect(JSON.parse(service.out().split("\n")[0] ?? "")).toMatchObject({
      level: "warn",
      msg: "REDIS_URL is set and ignored: REDIS_URLS is what counts",
    });
  });
});

const hasIPv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ family }) => family === "IPv6"),
);

test.skipIf(!hasIPv6)("an address of IPv6 is told as a URL has it", async () => {
  await using service = start({ HOST: "::1" });
  const url = await service.listening;
  expect(url).toMatch(/^http:\/\/\[::1\]:\d+$/);
  expect((await fetch(`${url}/v1/primaries`)).status).toBe(200);
});

describe("SIGTERM", () => {
  test("is told by /readyz first; for QUORATE_DRAIN_DELAY_MS everything is served, then who waits is sent away", async () => {
    await using service = start({ QUORATE_DRAIN_DELAY_MS: "4000" });
    const url = await service.listening;
    await hasQuorum(url);
    const held = await post(`${url}/v1/locks/a/acquire`, { ttlMs: 60_000 });
    const waiting = post(`${url}/v1/locks/a/acquire`, { ttlMs: 1_000, waitMs: 25_000 });
    await until(async () => {
      const { waiting: count } = (await (await fetch(`${url}/v1/locks/a`)).json()) as { waiting: number };
      return count === 1;
    }, "it waits");
    const beganMs = performance.now();
    service.kill("SIGTERM");
    await until(async () => (await fetch(`${url}/readyz`)).status === 503, "/readyz says so");
    const ready = await fetch(`${url}/readyz`);
    expect([ready.status, ((await ready.json()) as { code: string }).code]).toEqual([503, "shutting_down"]);
    expect((await fetch(`${url}/livez`)).status).toBe(200);
    const late = await fetch(`${url}/v1/locks/b`);
    expect([late.status, late.headers.get("connection")]).toEqual([200, "close"]);
    expect((await post(`${url}/v1/locks/b/acquire`, { ttlMs: 1_000 })).status).toBe(200);
    expect(performance.now() - beganMs, "all this was within the delay").toBeLessThan(4_000);
    expect(held.status).toBe(200);
    const sentAway = await waiting;
    expect([sentAway.status, sentAway.body.code]).toEqual([503, "shutting_down"]);
    expect(performance.now() - beganMs).toBeGreaterThan(3_900);
    expect(await refused(url)).toBe("ECONNREFUSED");
    expect(await service.ended).toBe(0);
  });

  test("ends an idle service with exit code 0 soon", async () => {
    await using service = start();
    await service.listening;
    const beganMs = performance.now();
    service.kill("SIGTERM");
    expect(await service.ended).toBe(0);
    // QUORATE_DRAIN_MS is 7 s.
    expect(performance.now() - beganMs).toBeLessThan(6_000);
    expect(service.out()).toContain("stopped");
  });

  test("lets a request under way end, refuses new ones, and exits with 0 within 10 s", async () => {
    await using service = start({ QUORATE_COMMAND_TIMEOUT_MS: "5000" });
    const url = await service.listening;
    await hasQuorum(url);
    // Without an answer of two primaries the request takes as long as we like.
    await Promise.all(primaries.all.slice(1).map((primary) => primary.pause()));
    const underWay = post(`${url}/v1/locks/slow/acquire`, { ttlMs: 20_000 });
    // A connection that was there before, for a request that comes after the signal.
    const early = connect(Number(new URL(url).port), "127.0.0.1");
    early.on("error", () => {});
    await once(early, "connect");
    await isUnderWay(url);
    const beganMs = performance.now();
    service.kill("SIGTERM");
    await until(() => service.out().includes("the port is closed"), "it heard the signal");
    early.write("GET /v1/locks/a HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const late = await new Promise<string>((resolve) => {
      early.once("data", (data) => resolve(String(data)));
      early.once("close", () => resolve("closed"));
    });
    expect(late).toMatch(/^(closed|HTTP\/1.1 503 .*"shutting_down")/s);
    expect(await refused(url)).toBe("ECONNREFUSED");
    await sleep(200);
    await Promise.all(primaries.all.slice(1).map((primary) => primary.resume()));
    expect(await underWay).toMatchObject({ status: 200, body: { names: ["slow"] } });
    expect(await service.ended).toBe(0);
    expect(performance.now() - beganMs).toBeLessThan(10_000);
  });

  test("does not wait for connections that ask nothing, or never end asking, beyond QUORATE_DRAIN_MS", async () => {
    await using service = start({ QUORATE_DRAIN_MS: "500" });
    const port = Number(new URL(await service.listening).port);
    const idle = connect(port, "127.0.0.1");
    const half = connect(port, "127.0.0.1");
    for (const socket of [idle, half]) socket.on("error", () => {});
    await Promise.all([once(idle, "connect"), once(half, "connect")]);
    half.write("POST /v1/locks/a/acquire HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{");
    await sleep(100);
    const beganMs = performance.now();
    service.kill("SIGTERM");
    expect(await service.ended).toBe(0);
    expect(performance.now() - beganMs, "by default it is 7 s").toBeLessThan(6_000);
    idle.destroy();
    half.destroy();
  });

  test("a second time ends it at once, when that is not a repetition of the first", async () => {
    await using service = start({ QUORATE_COMMAND_TIMEOUT_MS: "9000" });
    const url = await service.listening;
    await hasQuorum(url);
    await Promise.all(primaries.all.map((primary) => primary.pause()));
    try {
      const underWay = post(`${url}/v1/locks/slow/acquire`, { ttlMs: 20_000 }).catch((error) => error);
      await isUnderWay(url);
      // A terminal's Ctrl-C reaches it twice under npm: that is one. Two of a kind could become one on their way.
      service.kill("SIGTERM");
      service.kill("SIGINT");
      await until(() => service.out().includes("stopping"), "it heard the signal");
      await sleep(400);
      expect(await Promise.race([service.ended, "still stopping"])).toBe("still stopping");
      const beganMs = performance.now();
      service.kill("SIGTERM");
      expect(await service.ended).toBe(1);
      expect(performance.now() - beganMs, "what is under way may take 7 s").toBeLessThan(5_000);
      expect(await underWay).toBeInstanceOf(Error);
    } finally {
      await Promise.all(primaries.all.map((primary) => primary.resume()));
    }
  });

  test("while it still starts ends it as well", async () => {
    // Its primaries cannot be reached, so it waits for them for up to 2 s.
    await using service = start({ REDIS_URLS: "redis://127.0.0.1:1" });
    await sleep(1_200);
    service.kill("SIGTERM");
    // On a busy machine it may not have got to where it listens to signals.
    expect([0, "SIGTERM"]).toContain(await service.ended);
    expect(service.out()).not.toContain("listens on");
  });
});
