import { describe, expect, test } from "vitest";
import { toFailure } from "../../src/cli/failure.js";
import { failure } from "../../src/client/errors.js";

const unreachable = (why: string) =>
  toFailure(failure("unreachable", `https://a/v1/locks/a could not be reached, or broke off: ${why}.`, {}));

describe("no instance that answers", () => {
  test.each([
    "self-signed certificate",
    "self-signed certificate in certificate chain",
    "unable to verify the first certificate",
    "unable to get local issuer certificate",
  ])("may be one whose CA is not known: %s", (why) => {
    const { exitCode, message } = unreachable(why);
    expect(exitCode).toBe(69);
    expect(message).toMatch(/\. Name the file of its CA in NODE_EXTRA_CA_CERTS$/);
  });

  test.each(["connect ECONNREFUSED 127.0.0.1:8080", "certificate has expired"])("may not run: %s", (why) => {
    expect(unreachable(why).message).toMatch(/Is it running\? `quorate serve` starts one$/);
  });
});
