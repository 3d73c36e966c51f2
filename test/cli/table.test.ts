import { afterEach, expect, test, vi } from "vitest";
import { type Cell, printTable } from "../../src/cli/output.js";

afterEach(() => {
  vi.restoreAllMocks();
});

function printed(head: string[], rows: Cell[][]): string {
  let text = "";
  vi.spyOn(process.stdout, "write").mockImplementation((part) => {
    text += part;
    return true;
  });
  printTable(head, rows);
  vi.restoreAllMocks();
  return text;
}

test("a table has columns as wide as their widest cell, two spaces between them, and none at the end of a line", () => {
  expect(
    printed(
      ["name", "owner"],
      [
        ["a", "worker-7"],
        ["orders-42", null],
        ["日本", "x"],
      ],
    ),
  ).toBe(["NAME       OWNER", "a          worker-7", "orders-42  -", "日本       x", ""].join("\n"));
});

test("a table of many lines has the same columns from the first to the last", () => {
  const rows = Array.from({ length: 130 }, (_, i) => [i === 77 ? "the-longest-name" : `n-${i}`, "x"]);
  const lines = printed(["name", "owner"], rows).trimEnd().split("\n");
  expect(lines).toHaveLength(131);
  expect(new Set(lines.map((line) => line.search(/(?<= {2})\S+$/)))).toEqual(new Set([18]));
});

test("a table without lines is its head", () => {
  expect(printed(["name", "owner"], [])).toBe("NAME  OWNER\n");
});
