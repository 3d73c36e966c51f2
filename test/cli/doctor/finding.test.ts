import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const read = (path: string) => readFileSync(root + path, "utf8");
const rules = readdirSync(`${root}src/cli/doctor`).map((file) => read(`src/cli/doctor/${file}`));

test("each section that a finding refers to is in docs/operating.md", () => {
  const named = rules.flatMap((text) =>
    [...text.matchAll(/\bsee\("([^"]+)"\)/g)].map(([, section]) => section),
  );
  const sections = [...read("docs/operating.md").matchAll(/^##+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^a-z0-9 -]/g, "")
      .replaceAll(" ", "-"),
  );
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter((section) => !sections.includes(section ?? ""))).toEqual([]);
});

test("each finding is in docs/cli.md", () => {
  const ids = rules.flatMap((text) => [...text.matchAll(/\bid: "([^"]+)"/g)].map(([, id]) => id));
  expect(ids.length).toBeGreaterThan(10);
  expect(ids.filter((id) => !read("docs/cli.md").includes(`\`${id}\``))).toEqual([]);
});
