import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { ERROR_CODES } from "../../../src/errors.js";
import { statusOf } from "../../../src/http/problem.js";
import { type Instance, startOffline } from "../../helpers/service.js";

let instance: Instance;
beforeAll(async () => {
  instance = await startOffline();
});
afterAll(() => instance[Symbol.asyncDispose]());

const get = (path: string) => instance.service.app.request(path);

describe("the page at /docs", () => {
  test("loads everything from here: it works without the internet", async () => {
    const page = await get("/docs");
    expect(page.headers.get("content-type")).toMatch(/^text\/html/);
    const html = await page.text();
    expect(html).not.toMatch(/https?:|\/\/[a-z]/);
    const loaded = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = ""]) => path);
    expect(loaded.length).toBeGreaterThan(2);
    for (const path of loaded) {
      const file = await get(new URL(path, "http://quorate/docs").pathname);
      expect([path, file.status]).toEqual([path, 200]);
      expect((await file.arrayBuffer()).byteLength).toBeGreaterThan(0);
    }
  });

  test.each([
    ["http://quorate/", "http://quorate/docs"],
    ["http://quorate/docs/", "http://quorate/docs"],
    // A proxy may put a path in front, and take it away on the way here.
    ["http://proxy/coordination/", "http://proxy/coordination/docs"],
  ])("is where %s leads", async (seen, page) => {
    const { status, headers } = await get(new URL(seen).pathname.replace("/coordination", ""));
    expect(status).toBe(302);
    expect(new URL(headers.get("location") ?? "", seen).href).toBe(page);
  });

  test("is forbidden to ask anybody else", async () => {
    const policy = (await get("/docs")).headers.get("content-security-policy");
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/https?:|\*/);
  });

  test.each([
    ["swagger-ui-bundle.js", "text/javascript; charset=utf-8"],
    ["swagger-ui.css", "text/css; charset=utf-8"],
    ["favicon-32x32.png", "image/png"],
  ])("has %s as %s, which may be kept", async (name, type) => {
    const { status, headers } = await get(`/docs/${name}`);
    expect([status, headers.get("content-type")]).toEqual([200, type]);
    expect(headers.get("cache-control")).toMatch(/max-age=\d/);
  });

  test.each([
    "package.json",
    "..%2fpackage.json",
    "%2e%2e/package.json",
    "swagger-ui.css.map",
    "constructor",
  ])("does not hand out %s", async (name) => {
    const { status, headers } = await get(`/docs/${name}`);
    expect([status, headers.get("content-type")]).toEqual([404, "application/problem+json"]);
  });
});

interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly requestBody?: { readonly content: Record<string, { readonly examples?: object }> };
  readonly responses: Record<string, { readonly content?: Record<string, { readonly examples?: object }> }>;
}

async function operations(): Promise<{ name: string; operation: Operation }[]> {
  const { paths } = (await (await get("/openapi.json")).json()) as {
    paths: Record<string, Record<string, Operation>>;
  };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      operation,
    })),
  );
}

describe("the description", () => {
  test("is OpenAPI 3.1, and the same as YAML", async () => {
    const json = await get("/openapi.json");
    expect(json.headers.get("content-type")).toMatch(/^application\/json/);
    const document = await json.json();
    expect(document).toMatchObject({ openapi: "3.1.0" });
    const yaml = await get("/openapi.yaml");
    expect(yaml.headers.get("content-type")).toMatch(/^application\/yaml/);
    expect(parse(await yaml.text())).toEqual(document);
  });

  test("has every path that answers, but for the page and its files", async () => {
    const described = (await operations()).map(({ name }) => name);
    const routes = instance.service.app.routes
      .filter(({ method, path }) => method !== "ALL" && path !== "/" && !path.startsWith("/docs"))
      .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`);
    const [once, namespaced] = [false, true].map((which) =>
      routes.filter((route) => route.includes(" /v1/namespaces/{namespace}/") === which),
    );
    expect(once?.sort()).toEqual([...described].sort());
    // Described once for all: each has the same path in any namespace, but for what is of the deployment.
    const twice = described.filter((name) => name.includes(" /v1/") && name !== "GET /v1/primaries");
    expect(namespaced?.sort()).toEqual(
      twice.map((name) => name.replace("/v1/", "/v1/namespaces/{namespace}/")).sort(),
    );
  });

  test("says of every operation what it does, by an id of its own", async () => {
    const all = await operations();
    for (const { name, operation } of all) expect(operation.summary, name).toMatch(/\w/);
    expect(new Set(all.map(({ operation }) => operation.operationId)).size).toBe(all.length);
  });

  test("shows an example of every body that is sent and that comes back", async () => {
    for (const { name, operation } of await operations()) {
      const bodies = [operation.requestBody, ...Object.values(operation.responses)];
      for (const { content } of bodies.filter((each) => each !== undefined)) {
        for (const { examples } of Object.values(content ?? {})) {
          expect(Object.keys(examples ?? {}).length, name).toBeGreaterThan(0);
        }
      }
    }
  });

  test("names every problem code at an operation or for all of them", async () => {
    const text = await (await get("/openapi.json")).text();
    for (const code of ERROR_CODES) expect(text).toContain(`\`${code}\``);
  });

  test("lists only failures that a code has the status of", async () => {
    const statuses = new Set(ERROR_CODES.map((code) => String(statusOf(code))));
    for (const { name, operation } of await operations()) {
      const failures = Object.keys(operation.responses).filter((status) => Number(status) >= 400);
      expect(failures.length, name).toBeGreaterThan(0);
      for (const status of failures) expect(statuses, `${name} ${status}`).toContain(status);
    }
  });
});
