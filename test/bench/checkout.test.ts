import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkOut } from "../../bench/machine/checkout.js";

const repository = fileURLToPath(new URL("../../", import.meta.url));
let scratch: string;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "quorate-checkout-"));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

describe("the state that is compared", () => {
  it.each(["no-such-revision", "--help", ""])(
    "%j is neither a directory nor a revision, and it says so",
    async (given) => {
      await expect(checkOut(given, repository, scratch)).rejects.toThrow(
        "neither a directory nor a revision",
      );
    },
  );

  it("a directory that has no service is refused before anything is built", async () => {
    await expect(checkOut(scratch, repository, scratch)).rejects.toThrow("not a checkout of this service");
  });
});
