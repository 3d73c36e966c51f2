import { connect } from "node:net";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startPrimaries, type TestPrimaries, type TestPrimary } from "./primaries.js";
import { containerRun, processRun } from "./run.js";

const RUNS = [
  ["containers (skipped with TEST_REDIS=process)", await containerRun()],
  ["processes (skipped where no redis-server is installed)", await processRun()],
] as const;

for (const [where, run] of RUNS)
  describe.skipIf(run === null)(`primaries in ${where}`, () => {
    let primaries: TestPrimaries;
    let primary: TestPrimary;

    beforeAll(async () => {
      primaries = await startPrimaries(3, { args: ["--maxmemory", "64mb"], ...(run && { run }) });
      primary = primaries.all[0] as TestPrimary;
    });
    afterAll(() => primaries.close());

    test("primaries are independent and take arguments", async () => {
      expect(new Set(primaries.urls).size).toBe(3);
      for (const [i, each] of primaries.all.entries()) {
        expect(await each.cli("SET", "who", String(i))).toBe("OK");
        expect(await each.cli("CONFIG", "GET", "maxmemory")).toContain("67108864");
        expect(await each.cli("CONFIG", "GET", "appendfsync")).toContain("always");
      }
      expect(await Promise.all(primaries.all.map((each) => each.cli("GET", "who")))).toEqual(["0", "1", "2"]);
    });

    test("a URL is one that ioredis connects to", async () => {
      const redis = new Redis(primary.url);
      expect(await redis.ping()).toBe("PONG");
      redis.disconnect();
    });

    test("cli throws where the command fails", async () => {
      await expect(primary.cli("NOSUCHCOMMAND")).rejects.toThrow();
    });

    for (const end of ["kill", "stop"] as const) {
      test(`after ${end} nothing answers, and start brings it back with its data, as another run`, async () => {
        await primary.cli("SET", "kept", end);
        const runId = await runIdOf(primary);
        await primary[end]();
        await primary[end]();
        expect(await pinged(primary)).toBe("refused");
        await primary.start();
        await primary.start();
        expect(await primary.cli("GET", "kept")).toBe(end);
        expect(await runIdOf(primary)).not.toBe(runId);
      });
    }

    test("startEmpty forgets everything, whether the primary ran or not", async () => {
      for (const before of [async () => {}, () => primary.kill(), () => primary.pause()]) {
        await primary.cli("SET", "kept", "1");
        await before();
        await primary.startEmpty();
        expect(await primary.cli("DBSIZE")).toBe("0");
      }
    });

    test("startCut keeps the head of what was written and forgets its tail", async () => {
      await primary.startEmpty();
      for (let i = 0; i < 10; i++) await primary.cli("SET", `key-${i}`, "x".repeat(100));
      await primary.startCut(0.3);
      const kept = await primary.cli("KEYS", "*");
      expect(kept).toContain("key-5");
      expect(kept).not.toContain("key-8");
      await primary.cli("SET", "after", "1");
      await primary.startCut(0);
      expect(await primary.cli("GET", "after")).toBe("1");
    });

    test("a paused primary accepts connections, answers nothing, and goes on where it was", async () => {
      await primary.cli("SET", "kept", "paused");
      await primary.pause();
      await primary.pause();
      expect(await pinged(primary)).toBe("silence");
      await primary.resume();
      await primary.resume();
      expect(await primary.cli("GET", "kept")).toBe("paused");
    });

    test("a paused primary can be stopped", async () => {
      await primary.pause();
      await primary.stop();
      await primary.start();
      expect(await primary.cli("PING")).toBe("PONG");
    });
  });

async function runIdOf(each: TestPrimary): Promise<string | undefined> {
  return /run_id:(\w+)/.exec(await each.cli("INFO", "server"))?.[1];
}

/** What a fresh connection hears within 300 ms of a PING. */
function pinged(each: TestPrimary): Promise<"refused" | "silence" | string> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port: each.port });
    const end = (heard: string): void => {
      socket.destroy();
      resolve(heard);
    };
    socket.once("connect", () => socket.write("PING\r\n"));
    socket.once("data", (reply) => end(reply.toString().trim()));
    socket.once("error", () => end("refused"));
    socket.setTimeout(300, () => end("silence"));
  });
}
