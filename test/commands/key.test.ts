import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { readKeysFile } from "../../src/access/keys-file.js";

const script = fileURLToPath(new URL("../../scripts/key.mjs", import.meta.url));

async function run(...args: string[]) {
  const child = spawn(process.execPath, [script, ...args]);
  const told = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const)
    child[stream].on("data", (text) => (told[stream] += text));
  const [code] = await once(child, "close");
  return { code, ...told };
}

test("a key is made, shown once, and its entry is one of a keys file", async () => {
  const { code, stdout, stderr } = await run("--id", "team-a");
  expect([code, stderr]).toEqual([0, ""]);
  const [key = "", ...rest] = stdout.split("\n");
  expect(key).toMatch(/^quorate_[\w-]{43}$/);
  expect(rest.join("\n")).not.toContain(key);
  const file = await readKeysFile("keys.yaml", rest.join("\n"));
  if (file.kind === "refused") throw new Error(file.mistakes.join("\n"));
  expect(file.keys).toMatchObject([
    { id: "team-a", sha256: [createHash("sha256").update(key).digest("hex")] },
  ]);
});

test("each key is another", async () => {
  const [one, other] = await Promise.all([run("--id", "a"), run("--id", "a")]);
  expect(one.stdout.split("\n")[0]).not.toBe(other.stdout.split("\n")[0]);
});

test.each([
  ["--id is missing", []],
  ["--id must be", ["--id", "a b"]],
  ["--id must be", ["--id", "jwt:a"]],
  ["the only option is --id", ["team-a"]],
  ["the only option is --id", ["--id"]],
  ["the only option is --id", ["--name", "a"]],
])("one line tells that %s: %o", async (why, args) => {
  const { code, stdout, stderr } = await run(...args);
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(/^quorate: [^\n]+\n$/);
  expect(stderr).toContain(why);
});

test("it runs without packages", () => {
  const imports = [...readFileSync(script, "utf8").matchAll(/from "([^"]+)"/g)].map(([, name]) => name);
  expect(imports.length).toBeGreaterThan(0);
  expect(imports.filter((name) => !name?.startsWith("node:"))).toEqual([]);
});
