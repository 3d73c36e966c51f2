import { describe, expect, test } from "vitest";
import { targetGroup, targetGroupsJson } from "../../../src/http/discovery/target-groups.js";
import { member1 } from "../../../src/http/members/examples.js";
import type { Member } from "../../../src/primitives/members/membership.js";

const member = (more: Partial<Member>): Member => ({ ...(member1 as Member), ...more });
const labelsOf = (more: Partial<Member>) => targetGroup(member(more), "search", "team-a").labels;

describe("a member as Prometheus reads it", () => {
  test("has labels for all that tells it apart", () => {
    const all = { zone: "eu-1a", tags: ["canary", "ssd"], metadata: { build: "7f3a" }, weight: 2.5 };
    expect(targetGroup(member(all), "search", "team-a")).toEqual({
      targets: ["10.0.0.7:9000"],
      labels: {
        __meta_quorate_namespace: "team-a",
        __meta_quorate_service: "search",
        __meta_quorate_id: "search-1",
        __meta_quorate_address: "10.0.0.7:9000",
        __meta_quorate_status: "up",
        __meta_quorate_weight: "2.5",
        __meta_quorate_zone: "eu-1a",
        __meta_quorate_tags: ",canary,ssd,",
        __meta_quorate_metadata_build: "7f3a",
      },
    });
  });

  test("has none for what it does not have", () => {
    const names = Object.keys(labelsOf({ zone: null, tags: [], metadata: null }));
    expect(names.filter((name) => /zone|tags|metadata|scheme/.test(name))).toEqual([]);
  });

  test("has labels for text, numbers and booleans of its metadata, under names that Prometheus takes", () => {
    const metadata = {
      "a-b": "other",
      a_b: "right",
      port: 9100,
      tls: false,
      none: null,
      deep: { x: 1 },
      ö: "o",
    };
    const found = Object.entries(labelsOf({ metadata })).filter(([name]) => name.includes("metadata"));
    expect(Object.fromEntries(found)).toEqual({
      __meta_quorate_metadata_a_b: "right",
      __meta_quorate_metadata_port: "9100",
      __meta_quorate_metadata_tls: "false",
      __meta_quorate_metadata__: "o",
    });
    for (const other of ["text", ["list"], 7, true]) {
      const names = Object.keys(labelsOf({ metadata: other }));
      expect(names.filter((name) => name.includes("metadata"))).toEqual([]);
    }
  });

  test.each([
    ["10.0.0.7:9000", "10.0.0.7:9000", undefined],
    ["[::1]:9000", "[::1]:9000", undefined],
    ["http://search-1:9000", "search-1:9000", "http"],
    ["HTTPS://user:secret@search-1/path?query", "search-1", "https"],
    ["tcp://search-1:9000", "tcp://search-1:9000", undefined],
  ])("at %s is the target %s", (address, target, scheme) => {
    const { targets, labels } = targetGroup(member({ address }), "search", "default");
    expect([targets, labels.__scheme__]).toEqual([[target], scheme]);
  });
});

describe("the answer", () => {
  const members = (count: number) => Array.from({ length: count }, (_, i) => member({ id: `m${i}` }));

  test("is made in slices, which together are one list", () => {
    const services = [
      { service: "a", members: members(700) },
      { service: "none", members: [] },
      { service: "b", members: members(1) },
    ];
    const slices: string[] = [];
    const making = targetGroupsJson(services, "default");
    for (let next = making.next(); ; next = making.next()) {
      slices.push(next.value);
      if (next.done) break;
    }
    expect(slices.length).toBeGreaterThan(3);
    for (const slice of slices) expect(slice.length).toBeLessThan(70_000);
    const groups = JSON.parse(slices.join("")) as { labels: Record<string, string> }[];
    expect(groups).toHaveLength(701);
    expect(groups.at(-1)?.labels.__meta_quorate_service).toBe("b");
  });

  test("is an empty list where there are no members", () => {
    expect(targetGroupsJson([], "default").next()).toEqual({ done: true, value: "[]" });
  });
});
