import { describe, expect, test } from "vitest";
import { ExactFirstRouter } from "../../src/http/router.js";

describe("a router that looks for exact paths first", () => {
  const router = new ExactFirstRouter<string>();
  router.add("POST", "/locks/acquire", "several");
  router.add("POST", "/locks/:name/acquire", "one");
  router.add("GET", "/locks/:name", "read");
  router.add("GET", "/locks", "list");
  router.add("GET", "/docs/", "docs");
  router.add("GET", "/docs/:file", "file");

  const found = (method: string, path: string) => {
    const [handlers, values = []] = router.match(method, path) as [
      [string, Record<string, number>][],
      string[]?,
    ];
    return handlers.map(([handler, params]) => [
      handler,
      Object.fromEntries(Object.entries(params).map(([name, at]) => [name, values[at]])),
    ]);
  };

  test.each([
    ["POST", "/locks/acquire", [["several", {}]]],
    ["POST", "/locks/a/acquire", [["one", { name: "a" }]]],
    ["POST", "/locks/acquire/acquire", [["one", { name: "acquire" }]]],
    ["GET", "/locks/acquire", [["read", { name: "acquire" }]]],
    ["GET", "/locks", [["list", {}]]],
    ["GET", "/docs/", [["docs", {}]]],
    ["GET", "/docs/x", [["file", { file: "x" }]]],
    ["GET", "/locks/", []],
    ["GET", "/locks/a/acquire", []],
    ["POST", "/locks", []],
    ["DELETE", "/locks/a", []],
    ["GET", "/", []],
    ["GET", "/locks/a/", []],
    ["POST", "/locks//acquire", []],
  ])("%s %s", (method, path, expected) => expect(found(method, path)).toEqual(expected));
});

describe("a router for paths under a namespace", () => {
  const router = new ExactFirstRouter<string>();
  for (const base of ["/v1", "/v1/namespaces/:namespace"]) {
    router.add("POST", `${base}/locks/acquire`, `several ${base}`);
    router.add("POST", `${base}/locks/:name/acquire`, `one ${base}`);
    router.add("GET", `${base}/locks`, `list ${base}`);
  }

  const found = (method: string, path: string) => {
    const [handlers, values] = router.match(method, path);
    return handlers.map(([handler, params]) => [
      handler,
      Object.fromEntries(
        Object.entries(params).map(([name, at]) => [name, values ? values[at as number] : at]),
      ),
    ]);
  };
  const any = "/v1/namespaces/:namespace";

  test.each([
    ["POST", "/v1/locks/acquire", [["several /v1", {}]]],
    ["POST", "/v1/locks/a/acquire", [["one /v1", { name: "a" }]]],
    ["POST", "/v1/namespaces/n/locks/acquire", [[`several ${any}`, { namespace: "n" }]]],
    ["POST", "/v1/namespaces/n/locks/a/acquire", [[`one ${any}`, { namespace: "n", name: "a" }]]],
    ["GET", "/v1/namespaces/n/locks", [[`list ${any}`, { namespace: "n" }]]],
    ["GET", "/v1/namespaces/%7En/locks", [[`list ${any}`, { namespace: "%7En" }]]],
    ["GET", "/v1/namespaces/n", []],
    ["GET", "/v1/namespaces/n/", []],
    ["GET", "/v1/namespaces//locks", []],
    ["GET", "/v1/namespaces/n/namespaces/m/locks", []],
    ["GET", "/v1/namespaces/n/v1/locks", []],
    ["PUT", "/v1/namespaces/n/locks", []],
    ["GET", "/v1/namespace/n/locks", []],
  ])("%s %s", (method, path, expected) => expect(found(method, path)).toEqual(expected));
});
