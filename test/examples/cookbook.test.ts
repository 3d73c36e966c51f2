import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "./checkout.js";

const COOKBOOK = join(root, "docs/cookbook.md");
const text = readFileSync(COOKBOOK, "utf8");

/** A link to a program, and its text. */
const PROGRAM = /^(\[`([^`]+)`\]\(\.\.\/examples\/([^)]+)\):\n\n```\w+\n)[\s\S]*?^(```)$/gm;

test("the cookbook has the very text of the programs (npx vitest -u writes it)", async () => {
  const filled = text.replace(PROGRAM, (_, head: string, _name, path: string, end: string) => {
    return `${head}${readFileSync(join(root, "examples", path), "utf8")}${end}`;
  });
  await expect(filled).toMatchFileSnapshot(COOKBOOK);
});

test("it has all of them", () => {
  const files = readdirSync(join(root, "examples"), { recursive: true, withFileTypes: true })
    .filter((file) => file.isFile())
    .map((file) => join(file.parentPath, file.name).slice(join(root, "examples/").length));
  expect([...text.matchAll(PROGRAM)].map(([, , name, path]) => [name, path]).sort()).toEqual(
    files.map((path) => [path.split("/").at(-1), path]).sort(),
  );
});
