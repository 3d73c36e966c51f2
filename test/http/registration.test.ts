import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { z } from "@hono/zod-openapi";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Routes } from "../../src/http/registration.js";
import { body as content } from "../../src/http/responses/content.js";
import { Reply } from "../../src/http/responses/reply.js";
import { type Instance, startOffline } from "../helpers/service.js";

// No route can be registered past the limit of the body, the check for stopping, and metrics.

let instance: Instance;
beforeAll(async () => {
  instance = await startOffline();
});
afterAll(() => instance[Symbol.asyncDispose]());

/** All that the framework knows, however it was registered; a path is filled with names. */
function routes(of: Instance) {
  return of.service.app.routes.map(({ method, path }) => ({
    method,
    path,
    asked: path.replaceAll(/:\w+/g, "x"),
  }));
}

const BATCH_BODY_BYTES_MAX = 2 * 1_024 * 1_024;

describe("every route", () => {
  test("is one handler: layers would each keep memory for as long as a request waits", () => {
    const names = routes(instance).map(({ method, path }) => `${method} ${path}`);
    expect(names.length).toBeGreaterThan(30);
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => name.startsWith("ALL ") || name.includes("*"))).toEqual([]);
  });

  test("refuses a body that is too large, and is counted under its own name", async () => {
    const counts = new Map<string, number>();
    for (const { method, path, asked } of routes(instance)) {
      const response = await instance.service.app.request(asked, {
        method,
        headers: { "content-length": String(BATCH_BODY_BYTES_MAX + 1), "x-request-id": "7f3a" },
      });
      expect([method, path, response.status]).toEqual([method, path, 413]);
      expect(response.headers.get("x-request-id")).toBe("7f3a");
      const { body } = await instance.call("GET", "/metrics");
      // A route is the same in all namespaces.
      const route = path.replace("/v1/namespaces/:namespace/", "/v1/");
      const count = (counts.get(`${method} ${route}`) ?? 0) + 1;
      counts.set(`${method} ${route}`, count);
      const counted = `quorate_http_requests_total{method="${method}",route="${route}",status="413",code="too_large"} ${count}`;
      expect(body.split("\n")).toContain(counted);
    }
  });

  test("under /v1 takes no new work once the instance is stopping", async () => {
    await using stopping = await startOffline();
    stopping.service.stop();
    const under = routes(stopping).filter(({ path }) => path.startsWith("/v1/"));
    expect(under.length).toBeGreaterThan(20);
    for (const { method, path, asked } of under) {
      const response = await stopping.service.app.request(asked, { method });
      const { code } = (await response.json()) as { code: string };
      expect([method, path, response.status, code]).toEqual([method, path, 503, "shutting_down"]);
    }
  });
});

describe("a route that says too little of what its callers need", () => {
  /** Never called: it is the compiler that refuses. */
  const register = (routes: Routes) => {
    const answer = { description: "" };
    const read = { action: "read", kind: "locks" } as const;
    const route = {
      method: "get",
      operationId: "x",
      description: "",
      responses: {},
      answer,
      handle: () => new Reply(200, null),
    } as const;
    const named = { ...route, request: { params: z.object({ name: z.string() }) } } as const;
    const body = content(z.object({ names: z.array(z.string()) }), {});
    routes.add({ ...route, path: "/v1/x", needs: { ...read, names: "listed" } });
    routes.add({ ...named, path: "/v1/{name}", needs: { ...read, names: { inPath: "name" } } });
    routes.add({ ...route, path: "/v1/x", request: { body }, needs: { ...read, names: "in body" } });
    routes.add({ ...route, path: "/v1/x", needs: { action: "read", kind: "*" } });
    routes.add({ ...route, path: "/livez", needs: "nothing" });
    // @ts-expect-error nothing said
    routes.add({ ...route, path: "/v1/x" });
    // @ts-expect-error nothing said, outside of /v1
    routes.add({ ...route, path: "/x" });
    // @ts-expect-error under /v1 a grant is needed
    routes.add({ ...route, path: "/v1/x", needs: "nothing" });
    // @ts-expect-error under /v1 any key is not enough
    routes.add({ ...route, path: "/v1/x", needs: "any key" });
    // @ts-expect-error names from nowhere
    routes.add({ ...route, path: "/v1/x", needs: read });
    // @ts-expect-error names from a part of the path that there is not
    routes.add({ ...named, path: "/v1/{name}", needs: { ...read, names: { inPath: "id" } } });
    // @ts-expect-error names from a body that has none
    routes.add({ ...named, path: "/v1/{name}", needs: { ...read, names: "in body" } });
  };

  test("is refused by the compiler", () => expect(register).toBeTypeOf("function"));
});

describe("the framework's own registration", () => {
  const root = fileURLToPath(new URL("../../src/http/", import.meta.url));
  const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".ts"),
  );
  const REGISTERS =
    /\bapp\s*\.\s*(on|all|use|get|put|post|patch|delete|options|openapi|route|mount)\b|\bnew (Open|Hono)/;

  test("is used in registration.ts only", () => {
    const using = files.filter((file) => REGISTERS.test(readFileSync(root + file, "utf8")));
    expect(using).toEqual(["registration.ts"]);
  });

  test.each(['app.get("/x", handle)', "routes.app.use(layer)", "new Hono()", "app.openapi(route, handle)"])(
    "would be noticed: %s",
    (text) => expect(REGISTERS.test(text)).toBe(true),
  );

  test("has no cast into what is private to it", () => {
    const casting = files.filter((file) => readFileSync(root + file, "utf8").includes("as unknown as"));
    expect(casting).toEqual([]);
  });
});
