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
