import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ACTIONS, type Grant, Grants, KINDS } from "../../../src/access/grants.js";
import { systemClock } from "../../../src/clock.js";
import { readConfig } from "../../../src/config.js";
import { createServer } from "../../../src/http/server/server.js";
import { systemIds } from "../../../src/ids.js";
import type { Service } from "../../../src/service.js";
import { accessBy, bearer, EVERYTHING, type Keys, type TestAccess } from "../../helpers/access.js";
import { grantFor, type Operation, operations } from "../../helpers/operations.js";
import { type Instance, startOffline } from "../../helpers/service.js";
import { send } from "../../helpers/wire.js";

// Goes through openapi.yaml: no route answers callers without a key, or whose key lacks the right.

const underV1 = operations.filter(({ path }) => path(null, "x").startsWith("/v1/"));
const NAMESPACES = [null, "default", "team-a"] as const;
const namespacesOf = ({ needs }: Operation) => (needs?.kind === "*" ? [null] : NAMESPACES);

const FOR_OPERATORS = ["breakLock", "deleteHook", "getHook", "listHooks", "putHook", "setLimit"];

const other = <T>(all: readonly T[], not: unknown): T[] => all.filter((one) => one !== not);

/** Each is one step away from what the operation needs for `orders-1` in the namespace. */
function nearMisses(operation: Operation, namespace: string): Record<string, Grant[]> {
  const right = grantFor(operation, namespace, "orders-1");
  const { action, kind } = operation.needs ?? {};
  const isOfDeployment = kind === "*";
  return {
    "no-grant": [],
    "other-actions": [{ ...right, actions: other(ACTIONS, action) }],
    "other-kinds": [{ ...right, kinds: isOfDeployment ? [...KINDS] : other(KINDS, kind) }],
    "other-namespaces": isOfDeployment
      ? [{ ...right, namespace: "team*" }]
      : [
          { ...right, namespace: `${namespace}2` },
          { ...right, namespace: namespace.toUpperCase() },
        ],
    ...(!operation.isNameless && {
      "other-names": [{ ...right, names: ["orders-12", "orders", "Orders-1", "second", "xorders-1"] }],
    }),
  };
}

/** A key for each operation, namespace and near miss. */
const missing: Keys = Object.fromEntries(
  underV1.flatMap((operation) =>
    namespacesOf(operation).flatMap((namespace) =>
      Object.entries(nearMisses(operation, namespace ?? "default")).map(([what, grants]) => [
        keyOf(operation, namespace, what),
        grants,
      ]),
    ),
  ),
);
const sufficient: Keys = Object.fromEntries(
  underV1.flatMap((operation) =>
    namespacesOf(operation).map((namespace) => [
      keyOf(operation, namespace, "right"),
      [grantFor(operation, namespace ?? "default", "orders-1")],
    ]),
  ),
);

function keyOf({ id }: Operation, namespace: string | null, what: string): string {
  return `${id}.${namespace ?? "plain"}.${what}`;
}

let keyed: TestAccess;
let instance: Instance;
let url: string;
beforeAll(async () => {
  keyed = await accessBy({ ...missing, ...sufficient, ops: [EVERYTHING] });
  instance = await startOffline({ world: { access: keyed.access } });
  url = await instance.url();
});
afterAll(async () => {
  await instance[Symbol.asyncDispose]();
  keyed[Symbol.dispose]();
});

async function ask(
  base: string,
  operation: Operation,
  namespace: string | null,
  headers: Record<string, string> = {},
) {
  const body = operation.body("orders-1");
  return send(base, {
    method: operation.method,
    path: operation.path(namespace, "orders-1"),
    headers: { "content-type": "application/json", ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
}

/** What answers though it must not, or in another way than it must: none where all is well. */
async function withoutKey(base: string): Promise<string[]> {
  const wrong: string[] = [];
  for (const operation of underV1)
    for (const namespace of namespacesOf(operation)) {
      for (const headers of [{}, { authorization: "Bearer wrong" }] as Record<string, string>[]) {
        const { status, body, headers: answered } = await ask(base, operation, namespace, headers);
        const challenge = headers.authorization ? 'Bearer error="invalid_token"' : "Bearer";
        const told = [status, body.code, answered.get("www-authenticate")];
        if (told.join() !== [401, "unauthenticated", challenge].join())
          wrong.push(`${operation.id} in ${namespace}: ${told.join()}`);
      }
    }
  return wrong;
}

async function withoutRight(base: string): Promise<string[]> {
  const wrong: string[] = [];
  for (const operation of underV1)
    for (const namespace of namespacesOf(operation))
      for (const what of Object.keys(nearMisses(operation, namespace ?? "default"))) {
        const { status, body } = await ask(
          base,
          operation,
          namespace,
          bearer(keyOf(operation, namespace, what)),
        );
        const names = `the action ${operation.needs?.action} on`;
        if (status !== 403 || body.code !== "forbidden" || !body.detail.includes(names))
          wrong.push(`${operation.id} in ${namespace} with ${what}: ${status} ${body.detail}`);
      }
  return wrong;
}

/** Requests that are wrong in every other way as well: who asks must be judged before. */
async function outOfOrder(base: string): Promise<string[]> {
  const lines = [
    "GET /v1/nothing HTTP/1.1",
    "GET /nothing HTTP/1.1",
    "PATCH /v1/locks HTTP/1.1",
    "GET /v1/locks/../locks HTTP/1.1",
    "GET /v1/locks?nonsense=1 HTTP/1.1",
    "GET /v1/locks/%00 HTTP/1.1",
    "GET /v1/namespaces/%7E/locks HTTP/1.1",
    "GET /%76%31/locks HTTP/1.1",
    "GET //v1/locks HTTP/1.1",
    "GET http://localhost/v1/locks HTTP/1.1",
    "GET http://localhost/livez HTTP/1.1",
    "GET /livez/../v1/locks HTTP/1.1",
    "GET /livez/ HTTP/1.1",
    "GET /livez%2f..%2fv1/locks HTTP/1.1",
    "OPTIONS /v1/locks HTTP/1.1",
    "TRACE /v1/locks HTTP/1.1",
    // Neither of these bodies ever comes.
    "POST /v1/locks/a/acquire HTTP/1.1\r\nContent-Length: 9999999999",
    "POST /v1/locks/a/acquire HTTP/1.1\r\nContent-Length: 50\r\nContent-Type: text/plain",
    "POST /v1/locks/a/acquire HTTP/1.1\r\nTransfer-Encoding: chunked",
  ];
  const wrong: string[] = [];
  for (const line of lines) {
    const socket = connect({ port: Number(new URL(base).port), host: "127.0.0.1" });
    socket.write(`${line}\r\nHost: localhost\r\n\r\n`);
    const [answer] = (await once(socket.setEncoding("utf8"), "data")) as [string];
    socket.destroy();
    if (!answer.startsWith("HTTP/1.1 401 ")) wrong.push(`${line}: ${answer.split("\r\n")[0]}`);
  }
  return wrong;
}

describe("every route under /v1", () => {
  test("is asked for here", () => {
    expect(underV1.length).toBeGreaterThan(25);
    expect(new Set(underV1.map(({ needs }) => needs?.kind))).toEqual(
      new Set(["locks", "semaphores", "elections", "members", "registers", "transactions", "*"]),
    );
    expect(underV1.filter(({ needs }) => !needs)).toEqual([]);
    expect(
      underV1
        .filter(({ needs }) => needs?.action === "operate")
        .map(({ id }) => id)
        .sort(),
    ).toEqual(FOR_OPERATORS);
    // Nobody changes anything by a right to read.
    const reading = underV1.filter(({ needs }) => needs?.action === "read");
    expect(
      reading
        .filter(({ method }) => method !== "GET")
        .map(({ id }) => id)
        .sort(),
    ).toEqual(["checkLock", "getOwners", "pick"]);
  });

  test("answers nobody without a valid key", async () => {
    expect(await withoutKey(url)).toEqual([]);
  });

  test("is forbidden to a key that lacks the right, and says which one it lacks", async () => {
    expect(await withoutRight(url)).toEqual([]);
  });

  test("answers a key that has exactly the right that it states", async () => {
    for (const operation of underV1)
      for (const namespace of namespacesOf(operation)) {
        const { status } = await ask(url, operation, namespace, bearer(keyOf(operation, namespace, "right")));
        expect([401, 403], `${operation.id} in ${namespace}`).not.toContain(status);
      }
  });

  test("says who may not ask before anything else", async () => {
    expect(await outOfOrder(url)).toEqual([]);
  });
});

test("a service that was never given the keys that its settings name lets nobody in", async () => {
  const env = { QUORATE_KEYS_FILE: "/nowhere/keys.yaml" };
  await using forgotten = await startOffline({ env });
  expect(await withoutKey(await forgotten.url())).toEqual([]);
});

describe("what is outside of /v1", () => {
  const status = async (base: string, path: string, headers = {}) =>
    (await send(base, { method: "GET", path, headers })).status;
  const DOCS = ["/", "/docs", "/docs/", "/docs/page.js", "/openapi.json", "/openapi.yaml"];

  test("needs a key but for probes, and for metrics the right to read the deployment", async () => {
    for (const path of ["/livez", "/readyz", "/livez?x=1"]) expect(await status(url, path)).toBe(200);
    for (const path of [...DOCS, "/metrics", "/favicon.ico"])
      expect([path, await status(url, path)]).toEqual([path, 401]);
    const some = bearer(keyOf(underV1[0] as Operation, null, "right"));
    for (const path of DOCS) expect([200, 302]).toContain(await status(url, path, some));
    expect(await status(url, "/metrics", some)).toBe(403);
    expect(await status(url, "/metrics", bearer("ops"))).toBe(200);
  });

  test.each([
    ["docs", DOCS, ["/metrics"]],
    ["metrics", ["/metrics", "/metrics?x=1"], DOCS],
  ])("is open where QUORATE_OPEN says %s", async (what, open, closed) => {
    await using opened = await startOffline({ world: { access: keyed.access }, env: { QUORATE_OPEN: what } });
    const base = await opened.url();
    for (const path of open)
      expect([path, [200, 302].includes(await status(base, path))]).toEqual([path, true]);
    for (const path of [...closed, "/v1/primaries", "/v1/locks", "/docs/x/y", "/docs/%2e%2e/v1/locks"])
      expect([path, await status(base, path)]).toEqual([path, 401]);
  });
});

describe("the same checks catch", () => {
  /** A server of a service that differs in one thing. */
  async function serving(
    change: (service: Service) => Partial<Service>,
    check: (base: string) => Promise<string[]>,
  ) {
    const service = { ...instance.service, ...change(instance.service) };
    const server = createServer(service, readConfig({}), systemIds, systemClock);
    await once(server.listen(0, "127.0.0.1"), "listening");
    const address = server.address();
    const found = await check(`http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`);
    server.closeAllConnections();
    server.close();
    return found;
  }

  test("a key that is looked at last, after path and body", async () => {
    const found = await serving(({ gates }) => {
      return {
        gates: (certificates) => {
          const [host, identity, ...rest] = gates(certificates);
          return [host, ...rest, identity].flatMap((gate) => gate ?? []);
        },
      };
    }, outOfOrder);
    expect(found.join("\n")).toContain("GET /v1/locks/../locks");
  });

  test("a service whose gate lets everybody in, as the routes ask once more", async () => {
    const ungated = (service: Service): Partial<Service> => ({
      gates: (certificates) => service.gates(certificates).filter((_, at) => at !== 1),
    });
    expect(await serving(ungated, withoutKey)).toEqual([]);
    expect((await serving(ungated, outOfOrder)).length).toBeGreaterThan(0);
  });

  test("routes that need less than they state", async () => {
    const { granted } = Grants.prototype;
    // As if each route that is for operators needed only a right to use.
    Grants.prototype.granted = function (need) {
      return granted.call(this, need.action === "operate" ? { ...need, action: "use" } : need);
    };
    try {
      const found = await withoutRight(url);
      const isOne = (line: string) =>
        FOR_OPERATORS.some((id) => line.startsWith(`${id} in `)) && line.includes(" with other-actions: ");
      expect(found.filter((line) => !isOne(line))).toEqual([]);
      expect(found).toHaveLength(FOR_OPERATORS.length * NAMESPACES.length);
    } finally {
      Grants.prototype.granted = granted;
    }
  });
});
