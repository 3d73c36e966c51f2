import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CoordinationError } from "../../../src/errors.js";
import { isSealed, SealedCursors } from "../../../src/http/access/sealed-cursors.js";
import { systemIds } from "../../../src/ids.js";

const cursors = (secret = "deployment") => new SealedCursors(() => secret, systemIds);
const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/);

describe("a sealed cursor", () => {
  test("is opened by every instance of the deployment, for its list", () => {
    fc.assert(
      fc.property(name, fc.string(), (text, list) => {
        const sealed = cursors().seal(text, list);
        expect(isSealed(sealed)).toBe(true);
        expect(cursors().open(sealed, list)).toBe(text);
      }),
      { numRuns: 300 },
    );
  });

  test("keeps any key, whatever it begins or ends with", () => {
    const key = fc
      .string({ unit: "grapheme", minLength: 1 })
      .filter((text) => Buffer.byteLength(text) <= 512);
    fc.assert(
      fc.property(key, (text) => {
        fc.pre(!/[\0\p{Cs}]/u.test(text));
        const sealed = cursors().seal(text, "l", 512);
        expect(sealed).toHaveLength(cursors().seal("a", "l", 512).length);
        expect(isSealed(sealed, 512)).toBe(true);
        expect(cursors().open(sealed, "l", 512)).toBe(text);
      }),
    );
  });

  test("has one length, and is another each time", () => {
    const sealed = ["a", "a", "orders-42", "x".repeat(128)].map((text) => cursors().seal(text, "l"));
    expect(new Set(sealed.map(({ length }) => length)).size).toBe(1);
    expect(new Set(sealed).size).toBe(4);
  });

  test("is no cursor for another list, of another deployment, or with any character changed", () => {
    const sealed = cursors().seal("orders-42", "team-a\nlocks\n");
    const refused = (open: () => string) => {
      try {
        return `opened: ${open()}`;
      } catch (error) {
        if (!(error instanceof CoordinationError)) throw error;
        return `${error.code} ${error.help.field}`;
      }
    };
    expect(refused(() => cursors().open(sealed, "team-b\nlocks\n"))).toBe("invalid_request cursor");
    expect(refused(() => cursors("other").open(sealed, "team-a\nlocks\n"))).toBe("invalid_request cursor");
    for (let at = 1; at < sealed.length; at++) {
      const changed = `${sealed.slice(0, at)}${sealed[at] === "A" ? "B" : "A"}${sealed.slice(at + 1)}`;
      expect(refused(() => cursors().open(changed, "team-a\nlocks\n"))).toBe("invalid_request cursor");
    }
  });

  test("is told from a name, which stands for itself", () => {
    fc.assert(
      fc.property(name, (text) => {
        expect(isSealed(text)).toBe(false);
        expect(cursors().open(text, "l")).toBe(text);
      }),
    );
  });
});
