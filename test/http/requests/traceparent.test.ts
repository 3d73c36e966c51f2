import { expect, test } from "vitest";
import { traceparentOf } from "../../../src/http/requests/traceparent.js";

const GOOD = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

test("a well-formed traceparent is taken over", () => {
  expect(traceparentOf(GOOD)).toBe(GOOD);
});

test("of a later version, the part that all versions share", () => {
  const later = GOOD.replace("00-", "cc-");
  expect(traceparentOf(later)).toBe(later);
  expect(traceparentOf(`${later}-what-the-future-brings`)).toBe(later);
});

test.each([
  ["none", undefined],
  ["an empty one", ""],
  ["capital letters", GOOD.toUpperCase()],
  ["version ff", GOOD.replace("00-", "ff-")],
  ["a trace id of zeros", `00-${"0".repeat(32)}-00f067aa0ba902b7-01`],
  ["a parent id of zeros", `00-4bf92f3577b34da6a3ce929d0e0e4736-${"0".repeat(16)}-01`],
  ["more after version 00", `${GOOD}-more`],
  ["something after the flags", `${GOOD.replace("00-", "cc-")}more`],
  ["two of them", `${GOOD}, ${GOOD}`],
  ["a line of its own", `${GOOD}\n`],
  ["a shorter trace id", GOOD.replace("4bf9", "")],
  ["a text for the log", '","level":"fatal'],
])("never %s", (_, header) => {
  expect(traceparentOf(header)).toBeUndefined();
});
