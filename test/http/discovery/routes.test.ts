import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { accessBy, bearer } from "../../helpers/access.js";
import { command } from "../../helpers/deployment.js";
import type { SharedPrimaries } from "../../helpers/primaries.js";
import { type Instance, startInstance, startOffline } from "../../helpers/service.js";
import { sharedPrimaries } from "../../helpers/shared-primaries.js";

interface Group {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

let primaries: SharedPrimaries;
let instance: Instance;

beforeAll(async () => {
  primaries = await sharedPrimaries();
  instance = await startInstance(primaries.urls);
  for (const path of ["services/a", "services/a.b", "namespaces/team/services/a", "services/c"])
    for (const id of ["m1", "m2"])
      await instance.call("PUT", `/v1/${path}/members/${id}`, { address: `${path.at(-1)}:1`, ttlMs: 60_000 });
  await instance.call("DELETE", "/v1/services/c/members/m1");
});
afterAll(() => instance[Symbol.asyncDispose]());

const told = (groups: Group[]) =>
  groups.map(
    ({ labels }) =>
      `${labels.__meta_quorate_namespace}/${labels.__meta_quorate_service}/${labels.__meta_quorate_id}`,
  );

describe("targets", () => {
  test("are the live members of a service, as JSON that Prometheus takes", async () => {
    const { status, headers, body } = await instance.call("GET", "/v1/services/c/http-sd");
    expect([status, headers.get("content-type")]).toEqual([200, "application/json"]);
    expect(told(body)).toEqual(["default/c/m2"]);
    expect((body as Group[])[0]?.targets).toEqual(["c:1"]);
    expect((await instance.call("GET", "/v1/services/nobody/http-sd")).body).toEqual([]);
  });

  test("are those of all services of a namespace, and of no other", async () => {
    const { body } = await instance.call("GET", "/v1/http-sd");
    expect(told(body)).toEqual([
      "default/a/m1",
      "default/a/m2",
      "default/a.b/m1",
      "default/a.b/m2",
      "default/c/m2",
    ]);
    const team = await instance.call("GET", "/v1/namespaces/team/http-sd");
    expect(told(team.body)).toEqual(["team/a/m1", "team/a/m2"]);
  });

  test("are refused where there is no quorum, so that Prometheus keeps those that it has", async () => {
    await using offline = await startOffline();
    for (const path of ["/v1/http-sd", "/v1/services/a/http-sd"])
      expect((await offline.call("GET", path)).body.code).toBe("no_quorum");
  });

  test("take no query", async () => {
    expect((await instance.call("GET", "/v1/http-sd?zone=a")).body.code).toBe("invalid_request");
  });

  test("are not told where there are too many, as those that are left out would be taken for gone", async () => {
    await using other = await startInstance(primaries.urls);
    // As a service that is counted, though nobody could read its members.
    const fill = `for i = 1, 20001 do redis.call('ZADD', ARGV[1], ARGV[2], 'm' .. i) end`;
    const untilMs = Date.now() + 60_000;
    for (const primary of primaries.all) {
      await command(primary, "EVAL", fill, 0, `${other.prefix}members/big`, untilMs);
      await command(primary, "ZADD", `${other.prefix}services`, untilMs, "big");
    }
    const { status, body } = await other.call("GET", "/v1/http-sd");
    expect([status, body.code]).toEqual([409, "too_many"]);
  });
});

describe("with keys, targets", () => {
  test("are those of the services that the key may read", async () => {
    using keys = await accessBy({
      some: [{ namespace: "default", kinds: ["members"], names: ["a*"], actions: ["read"] }],
      none: [{ namespace: "default", kinds: ["locks"], names: ["*"], actions: ["read"] }],
    });
    await using guarded = await startInstance(primaries.urls, {
      prefix: instance.prefix,
      world: { access: keys.access },
    });
    const ask = (key: string | undefined, path: string) =>
      guarded.call("GET", path, undefined, key === undefined ? {} : bearer(key));
    const { body } = await ask("some", "/v1/http-sd");
    expect(told(body)).toEqual(["default/a/m1", "default/a/m2", "default/a.b/m1", "default/a.b/m2"]);
    expect((await ask("some", "/v1/services/c/http-sd")).body.code).toBe("forbidden");
    expect((await ask("none", "/v1/http-sd")).body.code).toBe("forbidden");
    expect((await ask(undefined, "/v1/http-sd")).status).toBe(401);
  });
});
