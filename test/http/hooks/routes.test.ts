import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HOOKS_MAX, SERVICES_WITH_HOOKS_MAX } from "../../../src/primitives/hooks/hook.js";
import { registerName } from "../../../src/scripts/register-kinds.js";
import { freshName, type Instance, ownPrefix, startInstance } from "../../helpers/service.js";
import { sharedPrimaries } from "../../helpers/shared-primaries.js";

const KEY = "the-key-of-the-operator";
const operator = { authorization: `Bearer ${KEY}` };
const env = {
  QUORATE_OPERATOR_KEY: KEY,
  QUORATE_HOOK_ALLOW: "127.0.0.7,pager.internal",
  QUORATE_LOG_LEVEL: "trace",
};

let instance: Instance;
beforeAll(async () => {
  instance = await startInstance((await sharedPrimaries()).urls, { env });
});
afterAll(async () => {
  await instance[Symbol.asyncDispose]();
});

const url = "http://127.0.0.7:9/hook?token=capability";
const call = (method: string, path: string, body?: object, at = instance) =>
  at.call(method, `/v1/services/${path}`, body, operator);
const put = (service: string, body: object, id = "pager", at = instance) =>
  call("PUT", `${service}/hooks/${id}`, body, at);

describe("a hook", () => {
  test("is read and listed, without its secret", async () => {
    const service = freshName("search");
    const { secret } = (await put(service, { url })).body;
    expect((await put(service, { url, events: ["left"] }, "archive")).status).toBe(201);
    const hook = { url, deliveredAtMs: null, failures: 0, failure: null, nextTryInMs: null };
    expect((await call("GET", `${service}/hooks/pager`)).body).toEqual({
      ...hook,
      id: "pager",
      events: null,
    });
    const { body } = await call("GET", `${service}/hooks`);
    expect(body.hooks).toEqual([
      { ...hook, id: "archive", events: ["left"] },
      { ...hook, id: "pager", events: null },
    ]);
    expect(JSON.stringify(body)).not.toContain(secret);
    expect((await put(service, { url })).body).toEqual({ id: "pager", url, events: null, secret: null });
    const logged = instance.logged.join("\n");
    expect(logged).toContain("an operator made a hook");
    for (const hidden of [secret, "capability"]) expect(logged).not.toContain(hidden);
    expect((await call("GET", `${freshName("search")}/hooks`)).body).toEqual({ hooks: [] });
  });

  test("is an operator's: nobody else makes, sees or deletes one", async () => {
    const service = freshName("search");
    await put(service, { url });
    for (const [method, path] of [
      ["PUT", "hooks/pager"],
      ["DELETE", "hooks/pager"],
      ["GET", "hooks/pager"],
      ["GET", "hooks"],
    ] as const) {
      const body = method === "PUT" ? { url } : undefined;
      const { status } = await instance.call(method, `/v1/services/${service}/${path}`, body);
      expect([401, 403]).toContain(status);
    }
    expect((await call("GET", `${service}/hooks/pager`)).status).toBe(200);
  });
});

describe("refused is", () => {
  test.each([
    ["a host that is not listed", "http://192.168.0.1/", "192.168.0.1 is not allowed"],
    ["a name that is not listed", "https://other.internal/", "other.internal is not allowed"],
    ["loopback in another spelling", "http://0x7f.1/", "127.0.0.1 is not allowed"],
    ["cloud metadata", "http://[::ffff:169.254.169.254]/", "169.254.169.254 is not allowed"],
    ["another protocol", "ftp://10.0.0.7/", "must be a URL like"],
    ["a user in it", "http://user:secret@10.0.0.7/", "must be a URL like"],
    ["a fragment", "http://10.0.0.7/#part", "must be a URL like"],
    ["no URL", "10.0.0.7:9000", "must be a URL like"],
  ])("%s: %s", async (_, bad, detail) => {
    const service = freshName("search");
    const { status, body } = await put(service, { url: bad });
    expect([status, body.code, body.field]).toEqual([400, "invalid_request", "url"]);
    expect(body.detail).toContain(detail);
    expect((await call("GET", `${service}/hooks`)).body.hooks).toEqual([]);
  });

  test("everything where nothing is listed, with the setting's name", async () => {
    await using closed = await startInstance((await sharedPrimaries()).urls, {
      env: { QUORATE_OPERATOR_KEY: KEY },
    });
    const { status, body } = await put(freshName("search"), { url }, "pager", closed);
    expect(status).toBe(400);
    expect(body.detail).toContain("QUORATE_HOOK_ALLOW");
  });

  test.each([
    [{ url: `http://127.0.0.7/${"x".repeat(2_048)}` }, "url"],
    [{ url: "" }, "url"],
    [{}, "url"],
    [{ url, events: [] }, "events"],
    [{ url, events: ["ring-changed"] }, "events.0"],
    [{ url, events: ["left", "left"] }, "events"],
    [{ url, secret: "whsec_" }, "secret"],
    [{ url, secret: "0123456789abcdef0123456789abcdef" }, "secret"],
    [{ url, secret: `whsec_${Buffer.alloc(23).toString("base64")}` }, "secret"],
    [{ url, secret: `whsec_${Buffer.alloc(65).toString("base64")}` }, "secret"],
    [{ url, method: "GET" }, "method"],
  ])("%o", async (body, field) => {
    const answer = await put(freshName("search"), body);
    expect([answer.status, answer.body.errors?.[0]?.field]).toEqual([400, field]);
  });

  test.each([24, 25, 26, 64])(
    "no secret of %d bytes, a URL of 2,048 characters, or all kinds",
    async (bytes) => {
      const secret = `whsec_${Buffer.alloc(bytes, 250).toString("base64")}`;
      const long = `http://127.0.0.7/${"x".repeat(2_031)}`;
      const events = ["joined", "updated", "suspect", "draining", "left", "expired"];
      expect((await put(freshName("search"), { url: long, secret, events })).status).toBe(201);
    },
  );
});

test(`a service has ${HOOKS_MAX} hooks at most`, async () => {
  const service = freshName("search");
  for (let i = 1; i <= HOOKS_MAX; i++) expect((await put(service, { url }, `hook-${i}`)).status).toBe(201);
  const { status, body } = await put(service, { url }, "one-more");
  expect([status, body.code]).toEqual([409, "too_many"]);
  expect((await put(service, { url, events: ["left"] }, "hook-1")).status).toBe(200);
  await call("DELETE", `${service}/hooks/hook-2`);
  expect((await put(service, { url }, "one-more")).status).toBe(201);
});

test(`${SERVICES_WITH_HOOKS_MAX} services have hooks at most`, async () => {
  await using full = await startInstance((await sharedPrimaries()).urls, { env, prefix: ownPrefix() });
  const names = Array.from({ length: SERVICES_WITH_HOOKS_MAX - 1 }, (_, i) => `full-${i}`);
  await Promise.all(
    names.map((name) =>
      full.service.registers.put(registerName("hooks", "default", name), { json: "[]", ttlMs: null }),
    ),
  );
  expect((await put("last", { url }, "pager", full)).status).toBe(201);
  const { status, body } = await put("one-more", { url }, "pager", full);
  expect([status, body.code]).toEqual([409, "too_many"]);
  expect((await put("last", { url }, "another", full)).status).toBe(201);
  expect((await put("full-0", { url }, "pager", full)).status).toBe(201);
});
