import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

// What a text of this repository refers to is in this repository.

const root = fileURLToPath(new URL("../", import.meta.url));
const TEXT = /\.(md|ts|mjs|lua|c|json|yml|yaml|sh|service)$|^(Dockerfile|\.env\.example)$|^\.ci\//;

const files = [".", "src", "test", "scripts", "bench", "docs", "deploy", "examples", ".ci"]
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: folder !== ".", encoding: "utf8" }).map((file) =>
      join(folder, file),
    ),
  )
  .filter((file) => statSync(join(root, file)).isFile() && (TEXT.test(file) || file.startsWith(".ci/")))
  .map((file) => ({ file, text: readFileSync(join(root, file), "utf8") }));

/** A link or path as it stands in a file, from the root of the repository or from where the file is. */
function exists(path: string, file: string): boolean {
  return [root, join(root, dirname(file)), join(root, "docs")].some((from) => existsSync(join(from, path)));
}

/** As GitHub makes them of headings. */
function anchorsOf(markdown: string): string[] {
  return [...markdown.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

test("all kinds of text are looked at", () => {
  const names = files.map(({ file }) => file);
  expect(names).toEqual(expect.arrayContaining(["README.md", "docs/limits.md", "src/main.ts", ".ci/run"]));
});

test("documents that are named are there", () => {
  const missing = files.flatMap(({ file, text }) =>
    [...text.matchAll(/[\w./-]*\w\.md\b/g)].flatMap(([path]) =>
      exists(path, file) ? [] : `${file}: ${path}`,
    ),
  );
  expect(missing).toEqual([]);
});

test("documents are named by their files, not by what somebody calls them elsewhere", () => {
  const named = files.flatMap(({ file, text }) =>
    [...text.matchAll(/\bDESIGN\b( \d[\d.]*)?|§/g)].map(([name]) => `${file}: ${name}`),
  );
  expect(named.filter((each) => !each.startsWith("test/references.test.ts"))).toEqual([]);
});

test("links within the documents lead somewhere", () => {
  const documents = files.filter(({ file }) => file.endsWith(".md"));
  const links = documents.flatMap(({ file, text }) =>
    [...text.matchAll(/\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)/g)].map(
      ([, path = "", anchor]) => ({
        from: file,
        to: path === "" ? file : join(dirname(file), path),
        anchor,
      }),
    ),
  );
  expect(links.length).toBeGreaterThan(100);
  const broken = links.filter(({ to, anchor }) => {
    if (!existsSync(join(root, to))) return true;
    return anchor !== undefined && !anchorsOf(readFileSync(join(root, to), "utf8")).includes(anchor);
  });
  expect(broken).toEqual([]);
});
