import { describe, expect, test } from "vitest";
import { AllowList } from "../../src/outbound/allow-list.js";

describe("allowed are", () => {
  const allow = new AllowList(["10.0.0.0/8", "192.168.1.7", "fd00::/8", "Search.Internal"]);

  test.each(["10.1.2.3", "192.168.1.7", "fd00::1", "search.internal"])("%s, which is listed", (host) => {
    expect(allow.hasHost(host)).toBe(true);
  });

  test.each(["11.0.0.1", "192.168.1.8", "fe80::1", "other.internal", "sub.search.internal", "127.0.0.1", ""])(
    "not %s, which is not",
    (host) => {
      expect(allow.hasHost(host)).toBe(false);
    },
  );

  test("nothing where nothing is listed", () => {
    expect(new AllowList([]).isEmpty).toBe(true);
    for (const host of ["127.0.0.1", "localhost", "::1"]) expect(new AllowList([]).hasHost(host)).toBe(false);
  });

  test("no address for its name's sake", () => {
    expect(allow.hasAddress("search.internal")).toBe(false);
  });
});
