import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ERROR_CODES } from "../../src/errors.js";

// What openapi-typescript makes of openapi.yaml, under the strictest settings of the compiler.

const root = fileURLToPath(new URL("../../", import.meta.url));
const run = promisify(execFile);

const BEGINNING = `
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Problem = components["schemas"]["Problem"];
const client = createClient<paths>({ baseUrl: "http://127.0.0.1:8080" });
const never = (left: never): never => { throw new Error(left); };
const { data, error } = await client.POST("/v1/locks/{name}/acquire", {
  params: { path: { name: "orders-42" } },
  body: { ttlMs: 10_000 },
});
`;

const dealing = (codes: readonly string[]) => `${BEGINNING}
export function statusOf(problem: Problem): number {
  switch (problem.code) {
    ${codes.map((code) => `case "${code}": return problem.status;`).join("\n    ")}
    default: return never(problem);
  }
}
`;

const MISTAKES = {
  "a field of one code, of any problem": "error?.retryAfterMs",
  "a field of another code": 'error?.code === "lease_lost" && error.holder',
  "a field that may be missing": 'error?.code === "held" && error.holder.owner',
  "a code that there is not": 'error?.code === "hold"',
  "a code that this operation does not have": 'error?.code === "limit_mismatch"',
  "undefined for what may be left out":
    'client.GET("/v1/locks", { params: { query: { limit: undefined } } })',
  "a request without what it must have": 'client.POST("/v1/locks/acquire", { body: { names: ["a"] } })',
};

const PROGRAMS = {
  "narrowing.ts": `${BEGINNING}
if (data) {
  const token: number = data.fencingToken;
} else if (error.code === "held") {
  const again: number = error.retryAfterMs;
  const status: 409 = error.status;
  const owner: string | null | undefined = error.holder?.owner;
} else if (error.code === "lease_lost") {
  const why: "expired" | "released" | "broken" | "taken" | "restarted" = error.lost.why;
} else if (error.code === "invalid_request") {
  const fields: string[] = (error.errors ?? []).map(({ field }) => field);
} else if (error.code === "no_quorum" || error.code === "overloaded") {
  const again: number = error.retryAfterMs ?? 1_000;
}
`,
  "every-code.ts": dealing(ERROR_CODES),
  "all-codes-but-one.ts": dealing(ERROR_CODES.filter((code) => code !== "superseded")),
  "mistaken.ts": `${BEGINNING}
${Object.values(MISTAKES)
  .map((mistake) => `void (${mistake});`)
  .join("\n")}
`,
};

type Program = keyof typeof PROGRAMS;

let dir: string;
/** The line and the words of each mistake that the compiler finds, by program. */
let found: Record<Program, Map<string, string>>;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "quorate-generated-"));
  await mkdir(join(dir, "node_modules"));
  for (const name of ["openapi-fetch", "openapi-typescript-helpers"])
    await symlink(join(root, "node_modules", name), join(dir, "node_modules", name));
  const generate = join(root, "node_modules/openapi-typescript/bin/cli.js");
  await run(process.execPath, [generate, join(root, "openapi.yaml"), "-o", join(dir, "api.ts")]);
  found = await compiled();
}, 180_000);
afterAll(() => rm(dir, { recursive: true, force: true }));

async function compiled() {
  const compilerOptions = {
    ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
    ...{ module: "nodenext", target: "es2022", lib: ["es2022", "dom"], types: [] },
    ...{ noEmit: true, skipLibCheck: true },
  };
  for (const [name, text] of Object.entries(PROGRAMS)) await writeFile(join(dir, name), text);
  await writeFile(join(dir, "package.json"), '{ "type": "module" }');
  await writeFile(
    join(dir, "tsconfig.json"),
    JSON.stringify({ compilerOptions, files: Object.keys(PROGRAMS) }),
  );
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  // Fails where it finds something, as it does in two of them.
  const { stdout } = await run(process.execPath, [tsc, "-p", dir], { cwd: dir }).catch(
    (failed: { stdout: string }) => failed,
  );
  const each = Object.keys(PROGRAMS).map((name) => [name, new Map<string, string>()] as const);
  const mistakes = Object.fromEntries(each) as Record<Program, Map<string, string>>;
  // The lines that begin with a space explain the one before them.
  for (const line of stdout.split("\n").filter((text) => /^\S/.test(text))) {
    const [, program = "", place = "", message = ""] = /^(\S+)\((\d+),\d+\): error (.*)$/.exec(line) ?? [];
    const known = mistakes[program as Program];
    if (!known) throw new Error(`this is not about the programs: ${line}`);
    known.set(lineOf(program as Program, Number(place)), message);
  }
  return mistakes;
}

const lineOf = (program: Program, place: number) => PROGRAMS[program].split("\n")[place - 1] ?? "";

describe("a program with the generated types", () => {
  test("narrows the problems of an operation by code, to the fields that this code has", () => {
    expect(found["narrowing.ts"]).toEqual(new Map());
  });

  test("knows whether it has dealt with every code", () => {
    expect(found["every-code.ts"]).toEqual(new Map());
    expect([...found["all-codes-but-one.ts"]]).toEqual([
      ["    default: return never(problem);", expect.stringContaining("never")],
    ]);
  });

  test.each(Object.entries(MISTAKES))("does not compile with %s", (_, mistake) => {
    expect([...found["mistaken.ts"].keys()]).toContain(`void (${mistake});`);
  });
});
