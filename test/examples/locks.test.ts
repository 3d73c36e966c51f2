import { describe, expect, test, vi } from "vitest";
import { startInstance, until } from "../helpers/service.js";
import { sharedPrimaries } from "../helpers/shared-primaries.js";
import { Checkout, has, hasPython, PATIENCE_MS, type Running } from "./checkout.js";

vi.setConfig({ testTimeout: 4 * PATIENCE_MS, hookTimeout: PATIENCE_MS });

// The same job in each language: it prints a line every 0.2 s while it holds a lock whose time to live is 5 s.
const TTL_MS = 5_000;

const checkout = new Checkout();

interface Language {
  readonly folder: string;
  readonly here: boolean;
  readonly prepare?: readonly string[];
  readonly command: (name: string, seconds: number) => readonly string[];
  /** How it ends when the lease was lost. */
  readonly lost: number;
}

const SHELL_JOB = 'for i in $(seq "$1"); do echo "working, token $QUORATE_FENCING_TOKEN"; sleep 0.2; done';

const LANGUAGES: Readonly<Record<string, Language>> = {
  "bash and curl": {
    folder: "examples/bash",
    here: has("curl") && process.platform === "linux",
    command: (name, seconds) => [
      ...["./with-lock.sh", name],
      ...["bash", "-c", SHELL_JOB, "job", String(seconds * 5)],
    ],
    lost: 76,
  },
  python3: {
    folder: "examples/python",
    here: hasPython,
    command: (name, seconds) => ["python3", "lock.py", name, String(seconds)],
    lost: 1,
  },
  go: {
    folder: "examples/go",
    here: has("go", "version"),
    prepare: ["go", "build", "-o", "lock", "lock.go"],
    command: (name, seconds) => ["./lock", name, `${seconds}s`],
    lost: 1,
  },
  javac: {
    folder: "examples/java",
    here: has("javac"),
    prepare: ["javac", "-Xlint:all,-serial", "-Werror", "QuorateLock.java"],
    command: (name, seconds) => ["java", "QuorateLock", name, String(seconds)],
    lost: 1,
  },
};

describe("a lock is waited for, lost by a holder that is paused, and not trusted when no instance answers", () => {
  for (const [what, language] of Object.entries(LANGUAGES)) {
    const { folder, here, prepare, command, lost } = language;
    (here ? test.concurrent : test.skip)(`by ${what} (skipped where that is not installed)`, async () => {
      if (prepare) {
        const { code, err } = await checkout.run(folder, prepare);
        expect([code, err]).toEqual([0, ""]);
      }
      await using instance = await startInstance((await sharedPrimaries()).urls);
      // The first instance is not there.
      const env = { QUORATE_URL: `http://127.0.0.1:1,${await instance.url()}` };
      const begin = (seconds: number) => checkout.start(folder, command("orders-42", seconds), env);
      const { locks } = instance.service;
      const waits = () =>
        until(async () => (await locks.inspect("orders-42")).waiting === 1, "it waits", PATIENCE_MS);

      const once = begin(1);
      expect([await once.ended, once.err()]).toEqual([0, ""]);
      expect((await locks.inspect("orders-42")).holders).toEqual([]);

      const held = await instance.call("POST", "/v1/locks/orders-42/acquire", { ttlMs: 60_000 });
      const first = begin(60);
      await waits();
      expect(works(first)).toBe(false);
      await instance.call("POST", "/v1/locks/orders-42/release", { leaseId: held.body.leaseId });
      await until(() => works(first), "the first works", PATIENCE_MS);

      const second = begin(60);
      await waits();
      first.kill("SIGSTOP");
      await until(() => works(second), "the second works", PATIENCE_MS);
      const lines = first.lines().length;
      first.kill("SIGCONT");
      expect(await first.ended).toBe(lost);
      // One that was about to be printed at the pause: no program can know. This is what the token is for.
      expect(first.lines().length - lines).toBeLessThan(2);
      const tokens = [once, first, second].map(tokenOf);
      expect(tokens).toEqual([...new Set(tokens)].sort((one, other) => one - other));

      await instance[Symbol.asyncDispose]();
      const goneMs = performance.now();
      expect(await second.ended).toBe(lost);
      expect(second.lastLineMs() - goneMs).toBeLessThan(TTL_MS + 2_000);
    });
  }
});

const works = (program: Running): boolean => program.lines().length > 0;

function tokenOf(program: Running): number {
  const tokens = new Set(program.lines().map((line) => Number(/^working, token (\d+)$/.exec(line)?.[1])));
  expect(tokens.size).toBe(1);
  return [...tokens][0] as number;
}
