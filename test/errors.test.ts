import { expect, test } from "vitest";
import { CoordinationError, ERROR_CODES } from "../src/errors.js";

test("a failure carries its code, its sentence, what helps and its cause", () => {
  const cause = new Error("socket closed");
  const failure = new CoordinationError("no_quorum", "1 of 3 primaries answered.", {
    cause,
    help: { retryAfterMs: 1_000 },
  });
  expect(failure).toBeInstanceOf(Error);
  expect(failure).toMatchObject({ name: "CoordinationError", code: "no_quorum", cause });
  expect(failure.message).toBe("1 of 3 primaries answered.");
  expect(failure.help).toEqual({ retryAfterMs: 1_000 });
});

test("without help and cause it has none", () => {
  const failure = new CoordinationError("not_found", "There is nothing.");
  expect(failure.help).toEqual({});
  expect("cause" in failure).toBe(false);
});

test("what helps cannot be changed on its way to the caller", () => {
  const { help } = new CoordinationError("held", "It is held.", { help: { retryAfterMs: 1 } });
  expect(Object.isFrozen(help)).toBe(true);
});

test("codes are words that a program can compare, each once", () => {
  expect(new Set(ERROR_CODES).size).toBe(ERROR_CODES.length);
  for (const code of ERROR_CODES) expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
});
