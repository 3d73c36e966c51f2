import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import { createInterface } from "node:readline";
import { Redis } from "ioredis";
import { afterEach, describe, expect, test, vi } from "vitest";
import { ConfigError } from "../../src/config.js";
import { type Embedded, startEmbedded } from "../../src/embedded/embedded.js";
import { startEmbeddedJavaScript } from "../../src/embedded/javascript.js";
import { findProgram } from "../../src/embedded/servers.js";

const started: Embedded[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((each) => each.stop()));
});

async function start(prefer?: "javascript") {
  const log = { warn: vi.fn() };
  const embedded = await startEmbedded(log, prefer);
  started.push(embedded);
  return { embedded, log };
}

const program = await findProgram();

for (const kind of ["real", "javascript"] as const) {
  describe.skipIf(kind === "real" && program === undefined)(`${kind} primaries`, () => {
    const prefer = kind === "javascript" ? kind : undefined;

    test("are three independent servers that run scripts", async () => {
      const { embedded } = await start(prefer);
      expect(embedded.kind).toBe(kind === "real" ? program?.name : "javascript");
      expect(new Set(embedded.urls).size).toBe(3);
      for (const [i, url] of embedded.urls.entries()) {
        await using redis = client(url);
        expect(await redis.get("who")).toBeNull();
        expect(await redis.set("who", String(i))).toBe("OK");
        const sha = (await redis.script("LOAD", "return redis.call('GET', KEYS[1]) .. ARGV[1]")) as string;
        expect(await redis.evalsha(sha, 1, "who", "!")).toBe(`${i}!`);
      }
    });

    test("answer small pipelined commands without delay", async () => {
      const { embedded } = await start(prefer);
      await using redis = client(embedded.urls[0] as string);
      await redis.ping();
      const beganMs = performance.now();
      for (let i = 0; i < 250; i++) await Promise.all([redis.incr("n"), redis.incr("n")]);
      // Nagle's algorithm holds back the second reply of each pair for 40 ms: 10 s in all.
      expect(performance.now() - beganMs).toBeLessThan(6_000);
    });

    test("are out of reach from other machines", async () => {
      const { embedded } = await start(prefer);
      for (const address of outerAddresses()) {
        expect(await listens(Number(new URL(embedded.urls[0] as string).port), address)).toBe(false);
      }
    });

    test("stop while clients are connected, and twice", async () => {
      const { embedded } = await start(prefer);
      await using redis = client(embedded.urls[0] as string);
      await redis.ping();
      await embedded.stop();
      await embedded.stop();
      for (const url of embedded.urls) expect(await listens(Number(new URL(url).port))).toBe(false);
    });
  });
}

test.each(["javascript", undefined] as const)(
  "are announced by a warning that they are for trying out (%s)",
  async (prefer) => {
    const { log } = await start(prefer);
    expect(log.warn.mock.calls).toEqual([
      [expect.anything(), expect.stringMatching(/^no Redis was named: .* for trying out, and keep nothing/)],
    ]);
  },
);

test("without a program on the PATH the JavaScript ones run", async () => {
  vi.stubEnv("PATH", "/nowhere");
  try {
    expect((await start()).embedded.kind).toBe("javascript");
  } finally {
    vi.unstubAllEnvs();
  }
});

describe("the package of the JavaScript ones", () => {
  test("may be missing: one line says so, and what to do", async () => {
    const missing = Object.assign(new Error("Cannot find package"), { code: "ERR_MODULE_NOT_FOUND" });
    const failure = await startEmbeddedJavaScript(3, () => Promise.reject(missing)).catch((error) => error);
    expect(failure).toBeInstanceOf(ConfigError);
    expect(failure.mistakes).toEqual([
      expect.stringMatching(/js-redis-server, which is not installed: set REDIS_URLS, install redis-server/),
    ]);
  });

  test("that fails otherwise is not called missing", async () => {
    const broken = new Error("broken");
    await expect(startEmbeddedJavaScript(3, () => Promise.reject(broken))).rejects.toBe(broken);
  });

  // npm leaves out what is optional and declares another Node.js, though this runs on ours: the tests above show it.
  test("is optional, and package-lock.json has it installed on every Node.js that we support", async () => {
    const read = async (name: string) =>
      JSON.parse(await readFile(new URL(`../../${name}`, import.meta.url), "utf8"));
    expect((await read("package.json")).optionalDependencies).toHaveProperty("js-redis-server");
    const { packages } = await read("package-lock.json");
    for (const name of ["js-redis-server", "lua-redis-wasm"]) {
      expect(packages[`node_modules/${name}`]).toMatchObject({ optional: true });
      expect(packages[`node_modules/${name}`], "its engines are taken out by hand").not.toHaveProperty(
        "engines",
      );
    }
  });
});

describe.skipIf(program === undefined)("real primaries", () => {
  test("keep records of members small, and evict nothing", async () => {
    const { embedded } = await start();
    expect(embedded.urls.length).toBe(3);
    for (const url of embedded.urls) {
      await using redis = client(url);
      const all = await redis.config("GET", "*");
      const settings = Object.fromEntries(
        (all as string[]).flatMap((name, i) => (i % 2 ? [] : [[name, (all as string[])[i + 1]]])),
      );
      // Its old name is the only one in Redis 6.2.
      expect(settings["hash-max-listpack-value"] ?? settings["hash-max-ziplist-value"]).toBe("512");
      expect(settings["maxmemory-policy"]).toBe("noeviction");
    }
  });

  test("let in nobody without the password, which no argument list shows", async () => {
    const { embedded, log } = await start();
    const url = new URL(embedded.urls[0] as string);
    expect(url.password).toMatch(/^\w{32}$/);
    expect(JSON.stringify(log.warn.mock.calls)).not.toContain(url.password);
    expect(execFileSync("ps", ["-eo", "args"], { encoding: "utf8" })).not.toContain(url.password);
    await using redis = client(`redis://127.0.0.1:${url.port}`);
    await expect(redis.get("x")).rejects.toThrow("NOAUTH");
  });

  test("leave no process and no directory", async () => {
    const { embedded } = await start();
    const { dir, pids } = await facts(embedded.urls);
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    await embedded.stop();
    expect(existsSync(dir)).toBe(false);
    expect(pids.filter(alive)).toEqual([]);
  });

  test("one that does not hear SIGTERM is killed after 2 s", async () => {
    const { embedded } = await start();
    const { pids } = await facts(embedded.urls);
    process.kill(pids[0] as number, "SIGSTOP");
    const beganMs = performance.now();
    await embedded.stop();
    // That server would never have ended.
    expect(performance.now() - beganMs).toBeLessThan(10_000);
    expect(pids.filter(alive)).toEqual([]);
  });

  for (const signal of ["SIGKILL", "SIGINT"] as const) {
    test(`end when the service is ended by ${signal}`, async () => {
      const { service, urls } = await startService();
      const { dir, pids } = await facts(urls);
      // To the whole group, as a terminal does.
      process.kill(-(service.pid as number), signal);
      await once(service, "exit");
      await expect.poll(() => pids.filter(alive)).toEqual([]);
      await expect.poll(() => existsSync(dir)).toBe(false);
    });
  }

  test("outlive a Ctrl-C until the service lets go of them", async () => {
    const { service, urls } = await startService("process.on('SIGINT', () => {})");
    const { pids } = await facts(urls);
    process.kill(-(service.pid as number), "SIGINT");
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(pids.every(alive)).toBe(true);
    process.kill(-(service.pid as number), "SIGKILL");
    await expect.poll(() => pids.filter(alive)).toEqual([]);
  });
});

/** Another process with embedded primaries, in a process group of its own. */
async function startService(more = ""): Promise<{ service: ChildProcess; urls: string[] }> {
  const source = `
    const { startEmbedded } = await import("./src/embedded/embedded.ts");
    const { urls } = await startEmbedded({ warn() {} });
    ${more};
    setInterval(() => {}, 1000);
    console.log(JSON.stringify(urls));
  `;
  const service = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", source], {
    detached: true,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(createInterface(service.stdout), "line");
  return { service, urls: JSON.parse(line) };
}

async function facts(urls: readonly string[]): Promise<{ dir: string; pids: number[] }> {
  const pids: number[] = [];
  let dir = "";
  for (const url of urls) {
    await using redis = client(url);
    pids.push(Number(/process_id:(\d+)/.exec(await redis.info("server"))?.[1]));
    dir = ((await redis.config("GET", "dir")) as string[])[1] as string;
  }
  return { dir, pids };
}

function client(url: string): Redis & AsyncDisposable {
  const redis = new Redis(url, { protocol: 2, enableReadyCheck: false });
  redis.on("error", () => {});
  return Object.assign(redis, { [Symbol.asyncDispose]: async () => redis.disconnect() });
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function listens(port: number, host = "127.0.0.1"): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host, timeout: 1_000 });
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
    socket.once("timeout", () => end(false));
  });
}

function outerAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return all.filter((each) => !each.internal && each.family === "IPv4").map((each) => each.address);
}
