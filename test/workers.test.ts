import { once } from "node:events";
import { Agent, request } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startPrimaries, type TestPrimaries } from "./helpers/primaries.js";
import { type ServiceProcess, startProcess } from "./helpers/process.js";
import { Readiness, Rolling, underLoad } from "./helpers/rolling.js";
import { freshName, ownPrefix, PATIENT, until } from "./helpers/service.js";

let primaries: TestPrimaries;
beforeAll(async () => {
  primaries = await startPrimaries(3);
});
afterAll(() => primaries.close());

const start = (env: Record<string, string> = {}): ServiceProcess =>
  startProcess({
    REDIS_URLS: primaries.urls.join(","),
    QUORATE_KEY_PREFIX: ownPrefix(),
    QUORATE_WORKERS: "2",
    ...PATIENT,
    ...env,
  });

/** One connection that is kept, so that one worker answers all its requests. */
class KeptConnection implements Disposable {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  constructor(private readonly url: string) {}

  async call(method: string, path: string, body?: object, more: Record<string, string> = {}) {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const json =
      text === undefined ? {} : { "content-type": "application/json", "content-length": text.length };
    const headers = { ...json, ...more };
    const sent = request(new URL(path, this.url), { method, agent: this.#agent, headers }).end(text);
    const [response] = await once(sent, "response");
    const answer = await new Response(response).text();
    const isJson = /json/.test(response.headers["content-type"]);
    return {
      status: response.statusCode as number,
      // biome-ignore lint/suspicious/noExplicitAny: tests look at what they expect.
      body: (isJson ? JSON.parse(answer) : answer) as any,
      reused: sent.reusedSocket,
      headers: response.headers,
    };
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

/** A connection to this worker: whichever is free accepts one, so it may take several. */
async function connectionTo(url: string, worker: number): Promise<KeptConnection> {
  const others: KeptConnection[] = [];
  try {
    for (let tries = 0; tries < 500; tries++) {
      const connection = new KeptConnection(url);
      const { body } = await connection.call("GET", "/readyz");
      if (body.worker === worker && body.quorum) return connection;
      others.push(connection);
      await sleep(10);
    }
  } finally {
    for (const other of others) other[Symbol.dispose]();
  }
  throw new Error(`worker ${worker} accepts no connection`);
}

const both = async (url: string) =>
  [await connectionTo(url, 1), await connectionTo(url, 2)] as [KeptConnection, KeptConnection];

/** The lines of its log that say this. */
function logged(service: ServiceProcess, text: string) {
  return service
    .out()
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line))
    .filter(({ msg }) => msg.includes(text));
}

/** The process ids of its workers as they were at the start. */
async function pidsOf(service: ServiceProcess): Promise<[number, number]> {
  await service.listening;
  return logged(service, "listens on")[0].workers;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const COUNTED = 'quorate_http_requests_total{method="GET",route="/v1/locks/:name",status="200",code=""}';
async function metric(connection: KeptConnection, series: string): Promise<number> {
  const { body } = await connection.call("GET", "/metrics");
  const line = (body as string).split("\n").find((each) => each.startsWith(`${series} `));
  return Number(line?.slice(series.length));
}

describe("a worker that is killed", () => {
  test("is started again; the port answers all along, and connections to the others never notice", async () => {
    await using service = start();
    const url = await service.listening;
    const [first] = await pidsOf(service);
    using toSecond = await connectionTo(url, 2);
    process.kill(first, "SIGKILL");
    while (logged(service, "listens again").length === 0) {
      using fresh = new KeptConnection(url);
      expect((await fresh.call("GET", `/v1/locks/${freshName()}`)).status).toBe(200);
      const kept = await toSecond.call("GET", "/readyz");
      expect([kept.status, kept.reused, kept.body.worker]).toEqual([200, true, 2]);
    }
    expect(logged(service, "a worker has ended")[0]).toMatchObject({
      worker: 1,
      ended: "SIGKILL",
      delayMs: 100,
    });
    using successor = await connectionTo(url, 1);
    expect((await successor.call("POST", `/v1/locks/${freshName()}/acquire`, { ttlMs: 1_000 })).status).toBe(
      200,
    );
    process.kill(logged(service, "listens again")[0].pid, "SIGKILL");
    await until(() => logged(service, "a worker has ended").length === 2, "it is noticed");
    expect(logged(service, "a worker has ended")[1]).toMatchObject({ worker: 1, delayMs: 200 });
  }, 60_000);

  test("takes no counts with it, and one that does not answer delays no scrape for long", async () => {
    await using service = start();
    const url = await service.listening;
    const [first] = await pidsOf(service);
    const [toFirst, toSecond] = await both(url);
    for (let i = 0; i < 10; i++) await toFirst.call("GET", `/v1/locks/${freshName()}`);
    for (let i = 0; i < 7; i++) await toSecond.call("GET", `/v1/locks/${freshName()}`);
    expect(await metric(toFirst, COUNTED)).toBe(17);
    expect(await metric(toSecond, COUNTED)).toBe(17);
    expect(await metric(toSecond, "quorate_workers")).toBe(2);
    expect(
      await metric(toSecond, `quorate_primary_up{primary="${new URL(primaries.urls[0] ?? "").host}"}`),
    ).toBe(1);

    for (let i = 0; i < 5; i++) await toFirst.call("GET", `/v1/locks/${freshName()}`);
    // They are collected every second.
    await sleep(2_500);
    process.kill(first, "SIGSTOP");
    const startMs = performance.now();
    expect(await metric(toSecond, COUNTED)).toBe(22);
    expect(performance.now() - startMs).toBeLessThan(5_000);
    process.kill(first, "SIGKILL");
    await until(() => logged(service, "a worker has ended").length === 1, "it is noticed");
    expect(await metric(toSecond, COUNTED)).toBe(22);
    await until(() => logged(service, "listens again").length === 1, "it is started again");
    using again = await connectionTo(url, 1);
    for (let i = 0; i < 3; i++) await again.call("GET", `/v1/locks/${freshName()}`);
    expect(await metric(again, COUNTED)).toBe(25);
    expect(await metric(toSecond, "quorate_worker_restarts_total")).toBe(1);
    for (const each of [toFirst, toSecond]) each[Symbol.dispose]();
  }, 60_000);
});

describe("workers are instances", () => {
  let service: ServiceProcess;
  let one: KeptConnection;
  let other: KeptConnection;
  beforeAll(async () => {
    service = start();
    [one, other] = await both(await service.listening);
  });
  afterAll(async () => {
    one[Symbol.dispose]();
    other[Symbol.dispose]();
    await service[Symbol.asyncDispose]();
  });

  test("who waits for a lock at one is granted it when it is released at another", async () => {
    const lock = `/v1/locks/${freshName()}`;
    const { body: lease } = await one.call("POST", `${lock}/acquire`, { ttlMs: 60_000 });
    const waiting = other.call("POST", `${lock}/acquire`, { ttlMs: 1_000, waitMs: 20_000 });
    await until(async () => (await one.call("GET", lock)).body.waiting === 1, "it waits");
    expect((await one.call("POST", `${lock}/release`, { leaseId: lease.leaseId })).body).toEqual({
      released: true,
    });
    const granted = await waiting;
    expect(granted.status).toBe(200);
    expect(granted.body.fencingToken).toBeGreaterThan(lease.fencingToken);
    // By a notification, long before it would have asked again by itself.
    expect(granted.body.waitedMs).toBeLessThan(15_000);
  });

  test("who watches an election at one hears of a leader elected at another", async () => {
    const election = `/v1/elections/${freshName()}`;
    const { headers } = await other.call("GET", election);
    const watching = other.call("GET", `${election}?waitMs=20000`, undefined, {
      "if-none-match": headers.etag,
    });
    await sleep(300);
    const elected = await one.call("POST", `${election}/campaign`, { ttlMs: 20_000, candidate: "worker-7" });
    expect(elected.status).toBe(200);
    expect(await watching).toMatchObject({ status: 200, body: { leader: { candidate: "worker-7" } } });
  });

  test("a member registered at one is in the list of another", async () => {
    const members = `/v1/services/${freshName()}/members`;
    const member = { address: "10.0.0.1:9000", ttlMs: 20_000 };
    expect((await one.call("PUT", `${members}/a`, member)).status).toBe(201);
    expect((await other.call("GET", members)).body.members.map(({ id }: { id: string }) => id)).toEqual([
      "a",
    ]);
  });

  test("each line of their logs says which wrote it", async () => {
    await until(() => logged(service, "primary participates").length >= 6, "all are logged");
    const workers = logged(service, "primary participates").map(({ worker }) => worker);
    expect(new Set(workers)).toEqual(new Set([1, 2]));
    expect(logged(service, "listens on")[0]).not.toHaveProperty("worker");
  });
});

test("without REDIS_URLS they have one set of primaries: what one grants, the other refuses", async () => {
  await using service = startProcess({ QUORATE_WORKERS: "2", ...PATIENT });
  const url = await service.listening;
  const [one, other] = await both(url);
  const addresses = async (of: KeptConnection) =>
    (await of.call("GET", "/v1/primaries")).body.primaries.map(({ address }: { address: string }) => address);
  expect(await addresses(other)).toEqual(await addresses(one));
  for (let round = 0; round < 10; round++) {
    const lock = `/v1/locks/${freshName()}/acquire`;
    const answers = await Promise.all(
      [one, other, one, other].map((each) => each.call("POST", lock, { ttlMs: 20_000 })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409]);
  }
  service.kill("SIGTERM");
  expect(await service.ended).toBe(0);
  for (const each of [one, other]) each[Symbol.dispose]();
}, 60_000);

describe("SIGTERM", () => {
  test("drains all: each is not ready, then sends away who waits, and the last one ends the parent with 0", async () => {
    await using service = start({ QUORATE_DRAIN_DELAY_MS: "2000" });
    const url = await service.listening;
    const connections = await both(url);
    const lock = `/v1/locks/${freshName()}`;
    const asking = await both(url);
    await asking[0].call("POST", `${lock}/acquire`, { ttlMs: 60_000 });
    const waiting = connections.map((each) =>
      each.call("POST", `${lock}/acquire`, { ttlMs: 1_000, waitMs: 25_000 }),
    );
    await until(async () => (await asking[0].call("GET", lock)).body.waiting === 2, "they wait");
    const startMs = performance.now();
    service.kill("SIGTERM");
    await until(() => logged(service, "stopping: not ready").length === 2, "both heard");
    for (const each of asking) {
      const ready = await each.call("GET", "/readyz");
      expect([ready.status, ready.body.code, ready.headers.connection]).toEqual([
        503,
        "shutting_down",
        "close",
      ]);
    }
    using late = new KeptConnection(url);
    expect((await late.call("GET", lock)).status).toBe(200);
    for (const answer of await Promise.all(waiting)) {
      expect([answer.status, answer.body.code]).toEqual([503, "shutting_down"]);
    }
    expect(performance.now() - startMs).toBeGreaterThan(1_900);
    expect(await service.ended).toBe(0);
    expect(new Set(logged(service, "the port is closed").map(({ worker }) => worker))).toEqual(
      new Set([1, 2]),
    );
    expect(service.out().trimEnd().endsWith('"msg":"stopped"}')).toBe(true);
    for (const each of [...connections, ...asking]) each[Symbol.dispose]();
  }, 60_000);

  test("a second time ends all at once, with 1", async () => {
    await using service = start({ QUORATE_DRAIN_DELAY_MS: "60000" });
    const pids = await pidsOf(service);
    service.kill("SIGTERM");
    await until(() => logged(service, "stopping: not ready").length === 2, "both heard");
    await sleep(400);
    service.kill("SIGTERM");
    expect(await service.ended).toBe(1);
    await until(() => !pids.some(isAlive), "none is left");
  }, 60_000);

  test("to a terminal's whole process group stops each once", async () => {
    await using service = start({ QUORATE_DRAIN_DELAY_MS: "1000" });
    const pids = await pidsOf(service);
    for (const pid of pids) process.kill(pid, "SIGINT");
    service.kill("SIGINT");
    expect(await service.ended).toBe(0);
    expect(logged(service, "the port is closed")).toHaveLength(2);
  }, 60_000);
});

describe("restarts under load", () => {
  const restarted = async (drainDelayMs: string, follow: boolean) => {
    await using instances = await Rolling.start({
      REDIS_URLS: primaries.urls.join(","),
      QUORATE_KEY_PREFIX: ownPrefix(),
      QUORATE_COMMAND_TIMEOUT_MS: "5000",
      QUORATE_WORKERS: "2",
      QUORATE_DRAIN_DELAY_MS: drainDelayMs,
    });
    using readiness = new Readiness(instances.urls);
    const twoRestarts = async () => {
      for (const at of [0, 1]) await instances.restart(at);
    };
    return underLoad(instances.urls, 16, twoRestarts, follow ? readiness.isReady : undefined);
  };

  test("who follows /readyz meets no error at all", async () => {
    expect([...(await restarted("3000", true)).keys()]).toEqual(["200"]);
  }, 180_000);

  test("without a delay, too, no connection that was accepted is reset", async () => {
    // As with one process: see rolling.test.ts.
    const told = /^200$|acquire 409 held|503 shutting_down|ECONNREFUSED|acquire ECONNRESET: connect /;
    expect([...(await restarted("0", false)).keys()].filter((outcome) => !told.test(outcome))).toEqual([]);
  }, 180_000);
});

test("SIGKILL of the parent leaves no worker behind, and the port free", async () => {
  await using service = start();
  const url = await service.listening;
  const pids = await pidsOf(service);
  expect(pids.every(isAlive)).toBe(true);
  service.kill("SIGKILL");
  // It ends when nobody has its output open any more.
  expect(await service.ended).toBe("SIGKILL");
  await until(() => !pids.some(isAlive), "none is left");
  await expect(fetch(url)).rejects.toThrow();
}, 60_000);

describe("a start that cannot succeed ends with exit code 1 and one line", () => {
  test("if the port is in use", async () => {
    const taken = createServer();
    await once(taken.listen(0, "127.0.0.1"), "listening");
    const { port } = taken.address() as AddressInfo;
    await using service = start({ PORT: String(port) });
    expect(await service.ended).toBe(1);
    expect(logged(service, "Cannot listen on")).toHaveLength(1);
    expect(logged(service, "Cannot listen on")[0].msg).toContain(`127.0.0.1:${port}`);
    taken.close();
  }, 60_000);

  test("if QUORATE_WORKERS is not a number of workers", async () => {
    await using service = start({ QUORATE_WORKERS: "1000" });
    expect(await service.ended).toBe(1);
    expect(service.err()).toBe(
      'quorate: QUORATE_WORKERS is "1000", but must be auto or a whole number from 1 to 64\n',
    );
    expect(service.out()).toBe("");
  }, 60_000);
});
