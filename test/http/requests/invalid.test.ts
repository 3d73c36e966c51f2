import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chosenId, type Instance, startOffline } from "../../helpers/service.js";

// What is wrong with a request is told before any primary is asked.
let instance: Instance;
beforeAll(async () => {
  instance = await startOffline({
    env: { QUORATE_OPERATOR_KEY: "the-key-of-the-operator", QUORATE_COMMAND_TIMEOUT_MS: "10" },
  });
});
afterAll(() => instance[Symbol.asyncDispose]());

const AS_OPERATOR = { authorization: "Bearer the-key-of-the-operator" };

async function wrong(method: string, path: string, body?: unknown): Promise<string[]> {
  const answer = await instance.call(method, path, body, AS_OPERATOR);
  expect([answer.status, answer.body.code]).toEqual([400, "invalid_request"]);
  const { errors, field, detail } = answer.body;
  expect(field ?? "").toBe(errors[0].field);
  if (field) expect(detail).toBe(`${field}: ${errors[0].detail}`);
  return errors.map((each: { field: string; detail: string }) => `${each.field}: ${each.detail}`);
}

const lock = (body: unknown) => wrong("POST", "/v1/locks/a/acquire", body);

describe("what is wrong with a field is told in words:", () => {
  const leaseId = chosenId();

  test.each<[what: string, path: string, body: object, told: string[]]>([
    ["it is missing", "locks/a/acquire", {}, ["ttlMs: is missing"]],
    [
      "it is one of a record",
      "services/s/members/m/heartbeat",
      { load: { custom: { queued: "3" } } },
      ["load.custom.queued: must be a number"],
    ],
    [
      "its name in a record is none",
      "services/s/members/m/heartbeat",
      { load: { custom: { "": 3 } } },
      ["load.custom.: its name must be text of 1 to 64 characters"],
    ],
    [
      "it is below its range",
      "locks/a/acquire",
      { ttlMs: 99 },
      ["ttlMs: must be a whole number from 100 to 600000"],
    ],
    [
      "it is no whole number, and above its range",
      "locks/a/acquire",
      { ttlMs: 1_000_000.5 },
      ["ttlMs: must be a whole number from 100 to 600000"],
    ],
    [
      "it is of another type",
      "locks/a/acquire",
      { ttlMs: "1000", owner: 7, mode: null },
      [
        "ttlMs: must be a whole number from 100 to 600000",
        'mode: must be "exclusive" or "shared"',
        "owner: must be text of 1 to 256 characters",
      ],
    ],
    [
      "its text is too long",
      "locks/a/acquire",
      { ttlMs: 1_000, owner: "x".repeat(257), metadata: "x".repeat(2_048) },
      ["owner: must be text of 1 to 256 characters", "metadata: at most 2048 bytes of JSON"],
    ],
    [
      "it is one of others",
      "locks/a/acquire",
      { ttlMs: 1_000, mode: "read" },
      ['mode: must be "exclusive" or "shared"'],
    ],
    [
      "it is written wrongly",
      "locks/a/release",
      { leaseId: "short" },
      ["leaseId: must be 22 to 64 of A-Z a-z 0-9 _ -"],
    ],
    ["there are too few", "locks/release", { leaseId, names: [] }, ["names: must be a list of 1 to 16"]],
    [
      "one of several is",
      "locks/release",
      { leaseId, names: ["a", 7, "-"] },
      [
        "names.1: must be text",
        "names.2: must be a name of 1 to 128 of A-Z a-z 0-9 . _ : - that begins with a letter or digit",
      ],
    ],
    ["they are the same", "locks/release", { leaseId, names: ["a", "a"] }, ["names: each name once"]],
    [
      "it is above another",
      "semaphores/a/acquire",
      { ttlMs: 1_000, limit: 2, permits: 3 },
      ["permits: more than the limit"],
    ],
    [
      "only one value would do",
      "registers/transactions",
      { changes: [{ key: "a", delete: false }] },
      ["changes.0.delete: must be true"],
    ],
    [
      "no path could have it",
      "registers/transactions",
      { reads: ["", ".", "..", "..."] },
      [
        "reads.0: must be text of 1 or more characters",
        "reads.1: must not be . or ..",
        "reads.2: must not be . or ..",
      ],
    ],
    ["any value would do", "elections/a/proclaim", { leaseId }, ["value: is missing"]],
  ])("%s", async (_what, path, body, told) => {
    expect(await wrong("POST", `/v1/${path}`, body)).toEqual(told);
  });

  test("a number with fractions", async () => {
    const body = { address: "a", weight: 257, tags: "canary" };
    expect(await wrong("PUT", "/v1/services/s/members/m", body)).toEqual([
      "weight: must be a number from 0 to 256",
      "tags: must be a list of at most 16",
    ]);
  });

  test("it is nested too deep", async () => {
    // JSON.stringify could not write it either.
    const body = `{"value":${"[".repeat(20_000)}${"]".repeat(20_000)}}`;
    const headers = { "content-type": "application/json", "content-length": String(body.length) };
    const answer = await instance.service.app.request("/v1/registers/a", { method: "PUT", headers, body });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ detail: "value: is nested too deep" });
  });

  test("it is in the path", async () => {
    expect(await wrong("GET", "/v1/locks/-a")).toEqual([
      "name: must be a name of 1 to 128 of A-Z a-z 0-9 . _ : - that begins with a letter or digit",
    ]);
  });

  test.each(["/v1/registers?prefix=%FF", "/v1/registers?prefix=%", "/v1/services/s/owner?key=%C3"])(
    "the query is not UTF-8: %s",
    async (path) => {
      const answer = await instance.call("GET", path, undefined, AS_OPERATOR);
      expect([answer.status, answer.body.code]).toEqual([400, "invalid_request"]);
      expect(answer.body.detail).toMatch(/^The query is not well-formed/);
    },
  );

  test.each([7, null, [], "text"])("a body that is %j", async (body) => {
    const answer = await instance.call("POST", "/v1/locks/a/acquire", body);
    expect([answer.status, answer.body.detail, answer.body.field]).toEqual([
      400,
      "The body must be a JSON object.",
      undefined,
    ]);
  });
});

describe("a field that there is not", () => {
  test("comes first, with what was probably meant", async () => {
    expect(await lock({ waitMS: 1_000, ttl: 1_000 })).toEqual([
      "waitMS: there is no such field; did you mean waitMs?",
      "ttl: there is no such field; did you mean ttlMs?",
      "ttlMs: is missing",
    ]);
  });

  test.each([
    ["lease_id", "leaseId"],
    ["metdata", "metadata"],
    ["ownr", "owner"],
    ["wait", "waitMs"],
  ])("%s is taken for %s", async (name, meant) => {
    expect(await lock({ ttlMs: 1_000, [name]: 1 })).toEqual([
      `${name}: there is no such field; did you mean ${meant}?`,
    ]);
  });

  test.each(["timeout", "x", "", "colour", "__proto__", "constructor", "ms"])(
    "%o is taken for none",
    async (name) => {
      const body = JSON.parse(`{"ttlMs":1000,${JSON.stringify(name)}:1}`);
      const [told] = await lock(body);
      expect(told).toBe(`${name}: there is no such field`);
    },
  );

  test("is not repeated at length, nor are thousands", async () => {
    const many = Object.fromEntries(Array.from({ length: 2_000 }, (_, i) => [`field${i}`, i]));
    expect(await lock({ ttlMs: 1_000, ["x".repeat(10_000)]: 1, ...many })).toHaveLength(10);
    const [told = ""] = await lock({ ttlMs: 1_000, ["x".repeat(10_000)]: 1 });
    expect(told.length).toBeLessThan(150);
  });
});

describe("a query", () => {
  let operations: (readonly [method: string, path: string, query: readonly string[]])[];
  beforeAll(async () => {
    const { body } = await instance.call("GET", "/openapi.json");
    operations = Object.entries<Record<string, { parameters?: { in: string; name: string }[] }>>(body.paths)
      .filter(([path]) => path.startsWith("/v1/"))
      .flatMap(([path, methods]) =>
        Object.entries(methods).map(([method, { parameters = [] }]) => {
          const query = parameters.filter((each) => each.in === "query").map(({ name }) => name);
          return [method.toUpperCase(), path.replaceAll(/\{\w+\}/g, "a"), query] as const;
        }),
      );
  });

  /** A body is there, where there must be one, so that nothing else is wrong before. */
  const ask = (method: string, path: string) =>
    wrong(method, path, method === "GET" || method === "DELETE" ? undefined : {});

  test("with a parameter that the route does not have is refused everywhere under /v1", async () => {
    expect(operations.length).toBeGreaterThan(25);
    for (const [method, path] of operations) {
      const told = await ask(method, `${path}?nonsense=20000`);
      expect([method, path, told[0]]).toEqual([method, path, "nonsense: there is no such parameter"]);
    }
  });

  test("that would make a busy loop of what was meant to wait is refused", async () => {
    expect(await wrong("GET", "/v1/locks/a?waitMs=20000")).toEqual(["waitMs: there is no such parameter"]);
    expect(await wrong("GET", "/v1/elections/a?waitms=20000")).toEqual([
      "waitms: there is no such parameter; did you mean waitMs?",
    ]);
  });

  test("with a parameter given twice is refused", async () => {
    const twice = operations.flatMap(([method, path, query]) => query.map((name) => [method, path, name]));
    expect(twice.length).toBeGreaterThan(5);
    for (const [method = "", path = "", name = ""] of twice) {
      const told = await ask(method, `${path}?${name}=7&${name}=8`);
      expect([path, told]).toEqual([path, expect.arrayContaining([`${name}: may be given once only`])]);
    }
  });

  test("with a wrong value is told what would be right", async () => {
    for (const value of ["x", "-1", "25001", "1.5", "", "9".repeat(30)]) {
      expect(await wrong("GET", `/v1/elections/a?waitMs=${value}`)).toEqual([
        "waitMs: must be a whole number from 0 to 25000",
      ]);
    }
  });

  test("without any parameter is none", async () => {
    for (const query of ["?", "?&"]) {
      expect((await instance.call("GET", `/v1/locks/a${query}`)).status).toBe(503);
    }
  });

  test("is ignored by probes, metrics and documents", async () => {
    for (const path of ["/livez", "/readyz", "/metrics", "/docs", "/openapi.json", "/openapi.yaml"]) {
      expect((await instance.service.app.request(`${path}?_=1&_=2`)).status).toBe(200);
    }
  });
});

describe("no phrase of the validator", () => {
  const RAW =
    /invalid (input|option|string|number|key|value)|too (small|big)|expected|received|unrecognized/i;
  const value = fc.oneof(
    fc.constantFrom<unknown>(0, -1, 1.5, 2 ** 53, "", "a", "-", "x".repeat(2_000), null, true, [], {}, [[]]),
    fc.constantFrom<unknown>([1], [""], ["a", "a"], Array(20_000).fill("a"), { a: { b: [] } }),
    fc.jsonValue(),
  );

  test("reaches a user, whichever field of a body is wrong", async () => {
    const { body } = await instance.call("GET", "/openapi.json");
    const { paths, components } = body;
    let told = 0;
    for (const [path, methods] of Object.entries<Record<string, Operation>>(paths)) {
      for (const [method, { requestBody }] of Object.entries(methods)) {
        const $ref = requestBody?.content["application/json"].schema.$ref;
        if ($ref === undefined) continue;
        const fields = Object.keys(components.schemas[$ref.split("/").at(-1) ?? ""].properties);
        const sent = fc.dictionary(fc.constantFrom(...fields, "extra"), value);
        const property = fc.asyncProperty(sent, async (fields) => {
          const url = path.replaceAll(/\{\w+\}/g, "a");
          const answer = await instance.call(method.toUpperCase(), url, fields, AS_OPERATOR);
          if (answer.status !== 400) return;
          told++;
          expect(`${JSON.stringify(answer.body.errors)} ${answer.body.detail}`).not.toMatch(RAW);
        });
        await fc.assert(property, { numRuns: 40 });
      }
    }
    expect(told).toBeGreaterThan(300);
  });

  test("reaches a user, whatever is in the query or the headers", async () => {
    const text = fc.oneof(fc.constantFrom("", "-", "0", "70000", "x".repeat(300)), fc.webQueryParameters());
    for (const path of ["elections/a", "elections/a/events", "locks", "services/a/owner"]) {
      await fc.assert(
        fc.asyncProperty(text, text, async (one, other) => {
          const names = ["waitMs", "lastEventId", "prefix", "cursor", "limit", "key", "replicas"];
          const query = new URLSearchParams(
            Object.fromEntries(names.map((name, i) => [name, i % 2 ? one : other])),
          );
          const headers = { "if-none-match": "x", "last-event-id": "y".repeat(300) };
          const answer = await instance.call("GET", `/v1/${path}?${query}`, undefined, headers);
          expect(answer.status).toBe(400);
          expect(JSON.stringify(answer.body)).not.toMatch(RAW);
        }),
        { numRuns: 30 },
      );
    }
  });
});

interface Operation {
  readonly requestBody?: {
    readonly content: { readonly "application/json": { readonly schema: { readonly $ref: string } } };
  };
}
