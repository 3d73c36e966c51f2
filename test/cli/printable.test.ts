import { expect, test } from "vitest";
import { printable, printableJson } from "../../src/cli/printable.js";

const CONTROLS = "\u001b[2J\u0007\r\n\u007f\u009b31m\u200b\u202e\u2028\ufeff\u{e0001}";

test("control and format characters are shown as what they are, and others stay", () => {
  expect(printable("späti 日本 👍 -\\")).toBe("späti 日本 👍 -\\");
  expect(printable("\u001b[31m\n\u{e0001}")).toBe("\\u001b[31m\\u000a\\udb40\\udc01");
  expect(printable(CONTROLS)).not.toMatch(/[\p{Cc}\p{Cf}\u2028\u2029]/u);
});

test("JSON with them says the same without them", () => {
  const value = { [CONTROLS]: [CONTROLS, "späti"] };
  for (const indent of [0, 2]) {
    const text = printableJson(JSON.stringify(value, null, indent));
    expect(text.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}\u2028\u2029]/u);
    expect(JSON.parse(text)).toEqual(value);
  }
});
