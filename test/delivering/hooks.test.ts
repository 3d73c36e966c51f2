import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { authority, hasOpenssl } from "../helpers/certificates.js";
import { readEvents } from "../helpers/events.js";
import type { SharedPrimaries } from "../helpers/primaries.js";
import { startProcess } from "../helpers/process.js";
import { isGenuine, startReceiver } from "../helpers/receiver.js";
import { freshName, type Instance, ownPrefix, PATIENT, startInstance, until } from "../helpers/service.js";
import { sharedPrimaries } from "../helpers/shared-primaries.js";

const KEY = "the-key-of-the-operator";
const operator = { authorization: `Bearer ${KEY}` };
const env = { QUORATE_HOOK_ALLOW: "127.0.0.0/8", QUORATE_OPERATOR_KEY: KEY, QUORATE_LOG_LEVEL: "trace" };

let primaries: SharedPrimaries;
let instance: Instance;
beforeAll(async () => {
  primaries = await sharedPrimaries();
  instance = await startInstance(primaries.urls, { env });
});
afterAll(async () => {
  await instance[Symbol.asyncDispose]();
});

const put = (service: string, id: string, body: object, at = instance) =>
  at.call("PUT", `/v1/services/${service}/hooks/${id}`, body, operator);
const get = async (service: string, id: string, at = instance) =>
  (await at.call("GET", `/v1/services/${service}/hooks/${id}`, undefined, operator)).body;
const register = (service: string, id: string, body: object = {}, at = instance) =>
  at.call("PUT", `/v1/services/${service}/members/${id}`, {
    address: "10.0.0.7:9000",
    ttlMs: 60_000,
    ...body,
  });
const leave = (service: string, id: string, at = instance) =>
  at.call("DELETE", `/v1/services/${service}/members/${id}`);

describe("a hook", () => {
  test("is told what happens to members, signed, by the ids and with the data of the events", async () => {
    await using receiver = await startReceiver();
    const service = freshName("search");
    await register(service, "before");
    const { status, body } = await put(service, "pager", { url: receiver.url });
    expect([status, body]).toEqual([
      201,
      { id: "pager", url: receiver.url, events: null, secret: expect.stringMatching(/^whsec_[\w+/]{32}$/) },
    ]);
    using stream = await readEvents(`${await instance.url()}/v1/services/${service}/events`);
    await stream.at(1);
    // At once, before anybody can have begun to tell it.
    await register(service, "m1");
    await instance.call("PATCH", `/v1/services/${service}/members/m1`, { status: "draining" });
    await leave(service, "m1");
    await until(() => receiver.told().length >= 3, "all was told");
    expect(receiver.told()).toEqual(["joined m1", "draining m1", "left m1"]);
    const events = stream.events().filter(({ type }) => ["joined", "draining", "left"].includes(type));
    expect(receiver.got.map(({ body }) => body)).toEqual(
      events.map(({ type, data }) => ({ type, namespace: "default", hook: "pager", data })),
    );
    expect(receiver.got.map(({ id }) => id)).toEqual(events.map(({ data }) => data.id));
    expect(receiver.got.every((one) => isGenuine(one, body.secret))).toBe(true);
    expect(receiver.got.some((one) => isGenuine(one, `whsec_${"A".repeat(32)}`))).toBe(false);
    const seen = await get(service, "pager");
    await until(async () => (await get(service, "pager")).deliveredAtMs !== null, "that is noted");
    expect(seen).toMatchObject({ failures: 0, failure: null, nextTryInMs: null });
    expect(JSON.stringify([seen, instance.logged])).not.toContain(body.secret);
    expect(JSON.stringify(instance.logged)).not.toContain(receiver.url);
  });

  test("of one kind only is told of no other", async () => {
    await using receiver = await startReceiver();
    const service = freshName("search");
    await register(service, "m1");
    await put(service, "pager", { url: receiver.url, events: ["expired"] });
    await leave(service, "m1");
    await register(service, "m2", { ttlMs: 1_000 });
    await until(() => receiver.told().length > 0, "it is told");
    expect(receiver.told()).toEqual(["expired m2"]);
  });

  test("that fails is tried again, and what comes after waits", async () => {
    await using other = await startReceiver();
    await using receiver = await startReceiver();
    const service = freshName("search");
    await register(service, "before");
    let answers = 0;
    receiver.answer(() => {
      answers += 1;
      if (answers === 1) return 500;
      if (answers === 2) return (_, response) => void response.writeHead(302, { location: other.url }).end();
      if (answers === 3) return (request) => void request.socket.destroy();
      return (_, response) => void response.end("x".repeat(1_000_000));
    });
    await put(service, "pager", { url: receiver.url });
    await register(service, "m1");
    await register(service, "m2");
    await until(async () => (await get(service, "pager")).failures > 0, "it has failed");
    const failing = await get(service, "pager");
    expect(failing.failure).toMatch(/^status (500|302)$|^ECONNRESET$/);
    await until(() => receiver.got.length >= 5, "both were told", 30_000);
    const [first, ...others] = receiver.got.map(({ id }) => id);
    expect(first).toContain("/m1/");
    expect(others.slice(0, 3)).toEqual([first, first, first]);
    expect(others[3]).toContain("/m2/");
    expect(other.got).toEqual([]);
    await until(async () => (await get(service, "pager")).failures === 0, "it goes well");
    const metrics = (await instance.call("GET", "/metrics")).body;
    expect(metrics).toMatch(/quorate_hook_attempts_total\{outcome="delivered"\} [1-9]/);
    expect(metrics).toMatch(/quorate_hook_attempts_total\{outcome="refused"\} [2-9]/);
    expect(metrics).toMatch(/quorate_hook_attempts_total\{outcome="failed"\} [1-9]/);
    expect(metrics).toMatch(/quorate_hooks [1-9]/);
  });

  test("that hangs delays no other", async () => {
    await using hanging = await startReceiver();
    await using receiver = await startReceiver();
    hanging.answer(() => () => {});
    const service = freshName("search");
    await register(service, "before");
    await put(service, "hanging", { url: hanging.url });
    await put(service, "pager", { url: receiver.url });
    await register(service, "m1");
    await until(() => hanging.got.length > 0, "it hangs");
    await register(service, "m2");
    await until(() => receiver.told().length >= 2, "the other is told");
    expect(receiver.told()).toEqual(["joined m1", "joined m2"]);
    expect(hanging.got).toHaveLength(1);
  });

  test("of a service that never had members is told of the first one", async () => {
    await using receiver = await startReceiver();
    const service = freshName("search");
    await put(service, "pager", { url: receiver.url });
    await register(service, "m1");
    await until(() => receiver.told().length > 0, "it is told");
    expect(receiver.told()).toEqual(["joined m1"]);
  });

  test("whose URL is changed goes on there at once, with what failed; a deleted one is told nothing", async () => {
    await using broken = await startReceiver();
    await using receiver = await startReceiver();
    broken.answer(() => 503);
    const service = freshName("search");
    await register(service, "before");
    await put(service, "pager", { url: broken.url });
    await register(service, "m1");
    await until(() => broken.got.length > 2, "it fails", 20_000);
    const { status, body } = await put(service, "pager", { url: receiver.url, events: ["joined", "left"] });
    expect([status, body.secret]).toEqual([200, null]);
    await until(() => receiver.told().length > 0, "it is told");
    expect(receiver.told()).toEqual(["joined m1"]);
    const path = `/v1/services/${service}/hooks/pager`;
    expect((await instance.call("DELETE", path, undefined, operator)).body).toEqual({ deleted: true });
    expect((await instance.call("DELETE", path, undefined, operator)).body).toEqual({ deleted: false });
    expect((await get(service, "pager")).code).toBe("not_found");
    const told = () =>
      instance.call("GET", "/metrics").then(({ body }) => /quorate_hooks (\d+)/.exec(body)?.[1]);
    const before = Number(await told());
    await until(async () => Number(await told()) < before || before === 0, "it has ended");
    await leave(service, "m1");
    await register(service, "m2");
    await until(
      async () => (await instance.call("GET", `/v1/services/${service}/members`)).body.members.length === 2,
      "it is there",
    );
    expect(receiver.told()).toEqual(["joined m1"]);
  });

  test("in a namespace is told of that namespace", async () => {
    await using receiver = await startReceiver();
    const service = freshName("search");
    await register(service, "before");
    const base = `/v1/namespaces/team-a/services/${service}`;
    const secret = `whsec_${Buffer.alloc(64, 7).toString("base64")}`;
    await instance.call("PUT", `${base}/members/theirs`, { address: "10.0.0.7:9000" });
    const made = await instance.call("PUT", `${base}/hooks/pager`, { url: receiver.url, secret }, operator);
    expect([made.status, made.body.secret]).toEqual([201, null]);
    await register(service, "ours");
    await instance.call("DELETE", `${base}/members/theirs`);
    await until(() => receiver.told().length > 0, "it is told");
    expect(receiver.told()).toEqual(["left theirs"]);
    expect(receiver.got[0]?.body).toMatchObject({ namespace: "team-a", data: { service } });
    expect(receiver.got.every((one) => isGenuine(one, secret))).toBe(true);
  });
});

test("when the instance that tells a hook is killed, another goes on, and misses nothing", {
  timeout: 90_000,
}, async () => {
  await using receiver = await startReceiver();
  const prefix = ownPrefix();
  const settings = { ...PATIENT, ...env, QUORATE_KEY_PREFIX: prefix };
  await using survivor = await startInstance(primaries.urls, { env, prefix });
  await using victim = startProcess({ ...settings, REDIS_URLS: primaries.urls.join(",") });
  const hooksOf = async (url: string) =>
    Number(/quorate_hooks (\d+)/.exec(await (await fetch(`${url}/metrics`)).text())?.[1]);
  const url = await victim.listening;
  const services = Array.from({ length: 8 }, () => freshName("killed"));
  for (const service of services) {
    await register(service, "before", {}, survivor);
    expect((await put(service, "pager", { url: receiver.url }, survivor)).status).toBe(201);
  }
  const shared = async () => {
    const [one, other] = [await hooksOf(url), await hooksOf(await survivor.url())];
    return one > 0 && other > 0 && one + other === 8;
  };
  await until(shared, "both tell some", 30_000);
  const expected: string[] = [];
  const happen = async (round: number) => {
    for (const service of services) {
      await register(service, `m${round}`, {}, survivor);
      expected.push(`${service}/m${round}`);
    }
  };
  await happen(0);
  victim.kill("SIGKILL");
  await victim.ended;
  for (let round = 1; round <= 5; round++) await happen(round);
  const told = () =>
    new Set(
      receiver.got.flatMap(({ body }) =>
        body.type === "joined" ? `${body.data.service}/${body.data.member.id}` : [],
      ),
    );
  await until(() => expected.every((one) => told().has(one)), "all were told", 40_000);
  for (const service of services) {
    const members = receiver.got.flatMap(({ body: { type, data } }) =>
      type === "joined" && data.service === service ? [data.member.id] : [],
    );
    // In order, but for what came twice.
    expect([...new Set(members)]).toEqual(["m0", "m1", "m2", "m3", "m4", "m5"]);
  }
  expect(receiver.got.filter(({ body }) => body.type === "reset")).toEqual([]);
  expect(await hooksOf(await survivor.url())).toBe(8);
});

test("an instance that stops hands its hooks over at once", { timeout: 60_000 }, async () => {
  await using receiver = await startReceiver();
  const prefix = ownPrefix();
  await using stayer = await startInstance(primaries.urls, { env, prefix });
  const service = freshName("search");
  const hooks = (at: Instance) => at.service.hookDeliveries.hooks;
  {
    await using leaver = await startInstance(primaries.urls, { env, prefix });
    await register(service, "before", {}, stayer);
    await put(service, "pager", { url: receiver.url }, stayer);
    await until(() => hooks(stayer) + hooks(leaver) === 1, "one of them tells it", 20_000);
    leaver.service.stop();
  }
  await until(() => hooks(stayer) === 1, "the other does", 20_000);
  await leave(service, "before", stayer);
  await until(() => receiver.told().includes("left before"), "it is told");
});

test.skipIf(!hasOpenssl)(
  "a hook over TLS is told where its certificate is by a CA that the process trusts",
  {
    timeout: 60_000,
  },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "quorate-hooks-"));
    const ca = await authority("of the receivers");
    await writeFile(join(folder, "ca.pem"), ca.cert);
    await using trusted = await startReceiver(await ca.issue("receiver"));
    await using other = await startReceiver(await ca.issue("other", { san: "DNS:other.internal" }));
    const settings = {
      ...PATIENT,
      ...env,
      QUORATE_HOOK_ALLOW: "127.0.0.0/8,::1,localhost",
      QUORATE_KEY_PREFIX: ownPrefix(),
      REDIS_URLS: primaries.urls.join(","),
      NODE_EXTRA_CA_CERTS: join(folder, "ca.pem"),
      NODE_OPTIONS: "--dns-result-order=ipv4first",
    };
    await using service = startProcess(settings);
    const base = `${await service.listening}/v1/services/search`;
    const call = (method: string, path: string, body?: object) =>
      fetch(base + path, {
        method,
        headers: { ...operator, "content-type": "application/json" },
        ...(body && { body: JSON.stringify(body) }),
      });
    for (const [id, { url }] of Object.entries({ trusted, other }))
      expect((await call("PUT", `/hooks/${id}`, { url })).status).toBe(201);
    await call("PUT", "/members/m1", { address: "10.0.0.7:9000" });
    await until(() => trusted.told().length > 0, "it is told", 20_000);
    const failed = async () =>
      ((await (await call("GET", "/hooks/other")).json()) as { failure: string }).failure;
    await until(async () => (await failed()) !== null, "the other fails", 20_000);
    expect([await failed(), other.got]).toEqual(["ERR_TLS_CERT_ALTNAME_INVALID", []]);
    await rm(folder, { recursive: true });
  },
);
