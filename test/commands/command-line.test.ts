import { execFile } from "node:child_process";
import { describe, expect, it } from "vitest";

/** The scripts that are not in scripts/. */
const FILES: Record<string, string> = { bench: "bench/main.ts" };

/** What a script prints, and with which code it ends. */
function run(script: string, ...args: string[]): Promise<{ code: unknown; out: string; error: string }> {
  const file = new URL(`../../${FILES[script] ?? `scripts/${script}.ts`}`, import.meta.url).pathname;
  return new Promise((resolve) => {
    execFile(process.execPath, ["--import", "tsx", file, ...args], (failure, out, error) =>
      resolve({ code: failure?.code ?? 0, out, error }),
    );
  });
}

describe("the command line of a long run", { timeout: 60_000 }, () => {
  it.each([
    ["simulate", "--runs", "x"],
    ["simulate", "--canary", "nothing"],
    ["faults", "--minutes", "x"],
    ["faults", "--primaries", "4"],
    ["model", "--minutes", "0"],
    ["model", "--bogus", "1"],
    ["crowd", "--kind", "nothing"],
    ["crowd", "--clients", "x"],
    ["bench", "--only", "nothing"],
    ["bench", "--seconds", "0"],
  ])("tells what is wrong and its usage: %s %s %s", async (script, ...args) => {
    const { code, out, error } = await run(script, ...args);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(error).toContain(args[0]?.slice(2));
    expect(error).toContain("npm run");
    expect(error).not.toMatch(/^ +at .*:\d+/m);
  });

  it("tells its usage when asked", async () => {
    const { code, out } = await run("simulate", "--help");
    expect(code).toBe(0);
    expect(out).toContain("npm run simulate");
  });

  it("tells what primaries were asked with --trace, and not with --history", async () => {
    const [history, trace] = await Promise.all([
      run("simulate", "--seed", "7", "--history"),
      run("simulate", "--seed", "7", "--trace"),
    ]);
    const asked = /primary \d: (acquire|prepare)/;
    expect(history.out).toContain("seed 7");
    expect(history.out).not.toMatch(asked);
    expect(trace.out).toMatch(asked);
  });
});
