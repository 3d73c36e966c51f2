import { describe, expect, test } from "vitest";
import { refuseLostNumbers } from "../../../src/http/requests/json-text.js";

describe("a number that JavaScript cannot keep is refused, with its field", () => {
  test.each([
    ['{"metadata":1e999}', "metadata"],
    ['{"metadata":{"a":[0,{"b":-1e400}]}}', "metadata.a.1.b"],
    ['{"metadata":{"id":9007199254740993}}', "metadata.id"],
    ['{"metadata":{"id":9007199254740992}}', "metadata.id"],
    ['{"metadata":{"x":{"y":[]},"id": 12345678901234567890 }}', "metadata.id"],
    ['{"metadata":[["a","b"],"c",-12345678901234567890.5]}', "metadata.2"],
    ['{"metadata":1234567890123456789e3}', "metadata"],
    ['{"metadata":1e-999}', "metadata"],
    ["1e999", undefined],
  ])("%s", (text, field) => {
    expect(() => refuseLostNumbers(text)).toThrow(
      expect.objectContaining({
        code: "invalid_request",
        help: expect.objectContaining(field ? { field } : {}),
      }),
    );
  });
});

test.each([
  '{"ttlMs":1000}',
  '{"fencingToken":1795903891730123}',
  '{"metadata":9007199254740991}',
  '{"metadata":6.02e23}',
  '{"metadata":[1e3,0.1,-0,0e5,1.7976931348623157e308,0.12345678901234567890]}',
  '{"leaseId":"12345678901234567890","owner":"1e999","metadata":"a\\"1e999,"}',
  '{"1e999":1,"12345678901234567890":2}',
  "not JSON 1",
  '{"a":-,"b":1e5}',
])("%s passes", (text) => {
  expect(() => refuseLostNumbers(text)).not.toThrow();
});

test("64 KB of whatever costs a few ms", () => {
  for (const part of ["[", "0,", '"",', '"a":1e9,', "1e9,", '\\"', "9".repeat(50)]) {
    const text = `{"a":1e3,${part.repeat(65_000 / part.length)}`;
    const beganMs = performance.now();
    try {
      refuseLostNumbers(text);
    } catch {}
    expect(performance.now() - beganMs, part).toBeLessThan(2_000);
  }
});
