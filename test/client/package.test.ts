import { execFile } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { builtMain } from "../helpers/built.js";

// What `npm pack` makes, in a project that has nothing else.

const root = fileURLToPath(new URL("../../", import.meta.url));
const run = promisify(execFile);
const tsc = join(root, "node_modules/typescript/bin/tsc");

let dir: string;
/** A project with the package among its node_modules, and no other. */
let project: string;
let installed: string;
let tarball: string;

/** Breaks each connection off. A port where nobody listens may be another test's a moment later. */
const broken = createServer((socket) => socket.destroy());
let nobody: string;

beforeAll(async () => {
  await once(broken.listen(0, "127.0.0.1"), "listening");
  nobody = `http://127.0.0.1:${(broken.address() as AddressInfo).port}`;
  dir = await mkdtemp(join(tmpdir(), "quorate-package-"));
  project = join(dir, "project");
  installed = join(project, "node_modules/quorate");
  // As `prepack` does it, but for a build that the other tests share.
  const source = join(dir, "source");
  await cp(dirname(await builtMain()), join(source, "dist"), { recursive: true });
  await run(process.execPath, [
    tsc,
    "-p",
    join(root, "tsconfig.client.json"),
    "--outDir",
    join(source, "dist"),
  ]);
  for (const file of ["package.json", "README.md", "LICENSE"]) await cp(join(root, file), join(source, file));
  const { stdout } = await run("npm", ["pack", "--ignore-scripts", "--offline", "--silent"], { cwd: source });
  await mkdir(installed, { recursive: true });
  tarball = join(source, stdout.trim());
  await run("tar", ["-xzf", tarball, "-C", installed, "--strip-components=1"]);
}, 120_000);
afterAll(async () => {
  broken.close();
  await rm(dir, { recursive: true, force: true });
});

const write = async (name: string, text: string): Promise<string> => {
  const path = join(project, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  return path;
};

/** What a program prints. */
const output = async (name: string, text: string): Promise<string> => {
  const { stdout } = await run(process.execPath, ["--no-warnings", await write(name, text)]);
  return stdout.trim();
};

describe("the package", () => {
  test("has what runs and what describes it, and neither sources nor tests", async () => {
    const files = await readdir(installed, { recursive: true });
    expect(files).toEqual(
      expect.arrayContaining([
        "LICENSE",
        "README.md",
        "dist/main.js",
        "dist/scripts/lua/lib/prelude.lua",
        "dist/client/quorate.js",
        "dist/client/quorate.d.ts",
      ]),
    );
    expect(
      files.filter((file) => /(^|\/)(src|test|bench|node_modules)\/|(?<!\.d)\.ts$|\.map$/.test(file)),
    ).toEqual([]);
  });

  test("may be published, and has every file that it names", async () => {
    const {
      private: hidden,
      exports,
      bin,
    } = JSON.parse(await readFile(join(installed, "package.json"), "utf8"));
    expect(hidden).toBeUndefined();
    const named = [...Object.values(bin), ...Object.values(exports)].flatMap((entry) =>
      typeof entry === "string" ? [entry] : Object.values(entry as object),
    );
    expect(named.length).toBeGreaterThan(5);
    for (const file of named) await expect(readFile(join(installed, file), "utf8")).resolves.not.toBe("");
    // Conditions are tried in order.
    for (const entry of Object.values(exports))
      if (typeof entry === "object") expect(Object.keys(entry as object)[0]).toBe("types");
  });

  test("has nothing that publint finds wrong", async () => {
    const { publint } = await import("publint");
    const { formatMessage } = await import("publint/utils");
    const buffer = await readFile(tarball);
    const { messages, pkg } = await publint({
      pack: {
        tarball: buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.length) as ArrayBuffer,
      },
      strict: true,
    });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  });

  // require() of an ES module is what Node.js of `engines` can do: so that error classes exist once.
  test("has types that are those of its code, to @arethetypeswrong/cli", async () => {
    const attw = join(root, "node_modules/@arethetypeswrong/cli/dist/index.js");
    const options = ["--profile", "node16", "--ignore-rules", "cjs-resolves-to-esm", "--format", "json"];
    const { stdout } = await run(process.execPath, [attw, tarball, ...options], { maxBuffer: 1e8 }).catch(
      ({ stdout }) => expect.fail(String(stdout)),
    );
    const { analysis } = JSON.parse(stdout);
    expect(Object.keys(analysis.entrypoints)).toEqual(
      expect.arrayContaining([
        "./client",
        "./client/bound",
        "./client/consensus",
        "./client/worker",
        "./redlock",
      ]),
    );
  }, 60_000);

  test("is imported by a module, and required by CommonJS as the same module", async () => {
    // Node.js adds __esModule to what it requires.
    const names = `[client, worker, redlock]
      .map((each) => Object.keys(each).filter((name) => name !== "__esModule").sort()).join()`;
    const exported = "Quorate,QuorateError,renewInWorker,ExecutionError,Lock,ResourceLockedError,default";
    expect(
      await output(
        "module.mjs",
        `import * as client from "quorate/client";
         import * as worker from "quorate/client/worker";
         import * as redlock from "quorate/redlock";
         console.log(${names});`,
      ),
    ).toBe(exported);
    expect(
      await output(
        "common.cjs",
        `const client = require("quorate/client");
         const worker = require("quorate/client/worker");
         const redlock = require("quorate/redlock");
         import("quorate/client").then((other) => console.log(${names}, other.QuorateError === client.QuorateError));`,
      ),
    ).toBe(`${exported} true`);
  });

  test("works in plain JavaScript without any other package", async () => {
    const program = `
      import { Quorate, QuorateError } from "quorate/client";
      import { renewInWorker } from "quorate/client/worker";
      const quorate = new Quorate({ urls: ["${nobody}"], renewal: renewInWorker({ maxHoldMs: 1000 }) });
      await quorate.withLock("a", { ttlMs: 1000, timeoutMs: 1000 }, () => {}).catch((error) =>
        console.log(error instanceof QuorateError, error.code));
    `;
    expect(await output("plain.mjs", program)).toBe("true unreachable");
  });
});

describe("installed by npm", () => {
  /** False: npm has neither the packages nor a registry. */
  async function install(into: string): Promise<boolean> {
    await mkdir(into);
    await writeFile(join(into, "package.json"), JSON.stringify({ name: "empty", private: true }));
    const options = ["--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=0"];
    return run("npm", ["install", ...options, tarball], { cwd: into }).then(
      () => true,
      ({ stderr }) => {
        if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENOTCACHED/.test(String(stderr))) return false;
        throw new Error(String(stderr));
      },
    );
  }

  test("into an empty project, it runs as a module, as CommonJS and as a command, without a warning", async (context) => {
    const into = join(dir, "empty");
    if (!(await install(into))) context.skip("npm reaches no registry, and has not cached the packages");
    const program = (load: string) => `
      ${load}
      const quorate = new Quorate({ urls: ["${nobody}"] });
      const redlock = new Redlock(quorate, { retryCount: 0 });
      Promise.allSettled([quorate.acquireLock("a", { ttlMs: 1_000, timeoutMs: 1_000 }), redlock.quit()])
        .then(([{ reason }]) => console.log(reason instanceof QuorateError, reason.code));`;
    for (const [file, load] of [
      [
        "a.mjs",
        'import { Quorate, QuorateError } from "quorate/client"; import Redlock from "quorate/redlock";',
      ],
      [
        "a.cjs",
        'const { Quorate, QuorateError } = require("quorate/client"); const { default: Redlock } = require("quorate/redlock");',
      ],
    ] as const) {
      await writeFile(join(into, file), program(load));
      const { stdout } = await run(process.execPath, [join(into, file)]);
      expect(stdout.trim()).toBe("true unreachable");
    }
    const commands = await readdir(join(into, "node_modules/.bin"));
    expect(commands).toContain("quorate");
  }, 120_000);
});

const PROGRAM = `
  import { type Lease, type LockGrant, Quorate, QuorateError } from "quorate/client";
  import { Consensus } from "quorate/client/consensus";
  import { renewInWorker } from "quorate/client/worker";

  export const quorate = new Quorate({ urls: ["http://a"], renewal: renewInWorker({ maxHoldMs: 1_000 }) });

  export async function work(lease: Lease<LockGrant>): Promise<number> {
    const { signal }: { signal: AbortSignal } = lease;
    signal.throwIfAborted();
    return lease.fencingToken + lease.grant.names.length;
  }

  export async function main(): Promise<string> {
    try {
      const token: number = await quorate.withLock(["a", "b"], { ttlMs: 1_000, mode: "shared" }, work);
      const slots: readonly number[] = (await quorate.acquirePermits("s", { limit: 3, ttlMs: 1_000 })).grant.slots;
      return String(token + slots.length);
    } catch (error) {
      if (!(error instanceof QuorateError)) throw error;
      switch (error.code) {
        case "held":
          return error.holder?.owner ?? \`again after \${error.retryAfterMs.toFixed()} ms\`;
        case "lease_lost":
          return error.lost.why;
        case "unexpected_answer":
          return String(error.status);
        default:
          // @ts-expect-error: only \`held\` has a holder
          return error.holder;
      }
    }
  }

  export async function others(): Promise<void> {
    for await (const { leader } of quorate.observe("e")) if (leader?.term === 1) break;
    const led: boolean | undefined = await quorate.lead("e", { ttlMs: 1_000, onElected: async (_, stop) => stop.aborted });
    await (await quorate.join("s", { id: "a", address: "b" })).leave();
    const { members: [picked] } = await quorate.pick("s", { strategy: "sticky", key: "k", maxLoad: 2 });
    console.log(picked?.address);
    for await (const { members } of quorate.watch("s", { status: "draining" })) if (members[0]?.id) break;
    // @ts-expect-error: there is no such strategy
    await quorate.pick("s", { strategy: "fastest" });
    const { registers, transactions } = new Consensus({ urls: ["http://a"] });
    const count: number | undefined = await registers.change<number>("k", (value = 0) => value + 1);
    for await (const register of registers.watch<string>("k")) if (register?.value.at(count ?? 0)) break;
    const decision: "committed" | "aborted" = await transactions.decision("id");
    console.log(decision);
    const ring = await quorate.ring("s");
    console.log(led, ring.owner("k")?.address);
    // @ts-expect-error: a lease has a time to live
    await quorate.acquireLock("a", {});
    // @ts-expect-error: there is no such mode
    await quorate.acquireLock("a", { ttlMs: 1, mode: "both" });
  }
`;

const REDLOCK = `
  import Redlock, { ExecutionError, type Lock, ResourceLockedError } from "quorate/redlock";

  const redlock = new Redlock(quorate, { retryCount: 5 });
  redlock.on("error", (error: unknown) => {
    if (!(error instanceof ResourceLockedError)) console.error(error);
  });
  export const lock: Promise<Lock> = redlock.acquire(["a"], 5_000).then((acquired) => acquired.extend(5_000));
  lock.then((each) => redlock.extend(each, 5_000, { retryCount: 0 })).then((each) => redlock.release(each, { retryCount: 0 }));
  export const sum: Promise<number> = redlock.using(["a"], 5_000, { retryCount: 0 }, async (signal) => {
    if (signal.aborted) throw signal.error ?? new ExecutionError("", []);
    return 1;
  });
`;

describe("its types", () => {
  const check = (files: readonly string[], ...more: string[]) => {
    const options = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--target", "es2022"];
    return run(process.execPath, [tsc, ...options, ...more, ...files], { cwd: project }).catch(({ stdout }) =>
      expect.fail(String(stdout)),
    );
  };

  test("hold a strict program for Node.js together, as a module and as CommonJS", async () => {
    await mkdir(join(project, "node_modules/@types"), { recursive: true });
    for (const types of ["@types/node", "undici-types"]) {
      await symlink(join(root, "node_modules", types), join(project, "node_modules", types));
    }
    const program = `${PROGRAM}${REDLOCK}`;
    const files = [await write("program.mts", program), await write("program.cts", program)];
    await check(files, "--module", "nodenext", "--types", "node", "--skipLibCheck");
  }, 120_000);

  // Looks at the declarations themselves as well.
  test("hold one for a bundler and a browser together, without a type of Node.js", async () => {
    await check(
      [await write("browser.ts", `${PROGRAM}${REDLOCK}`)],
      "--module",
      "preserve",
      "--lib",
      "es2022,dom",
    );
  }, 120_000);

  test("import nothing but each other, from the entries on", async () => {
    const seen = new Set<string>();
    const todo = ["quorate.d.ts", "consensus.d.ts", "worker.d.ts", "redlock.d.ts"].map((file) =>
      join(installed, "dist/client", file),
    );
    for (let file = todo.shift(); file !== undefined; file = todo.shift()) {
      if (seen.has(file)) continue;
      seen.add(file);
      const text = await readFile(file, "utf8");
      for (const [, from = ""] of text.matchAll(
        /^(?:import|export)\b.*\bfrom "([^"]+)"|<reference types="([^"]+)"/gm,
      )) {
        expect([relative(installed, file), from]).toEqual([
          expect.any(String),
          expect.stringMatching(/^\.\.?\//),
        ]);
        todo.push(join(dirname(file), from.replace(/\.js$/, ".d.ts")));
      }
    }
    expect(seen.size).toBeGreaterThan(8);
  });
});

test.each(["quorate", "consensus"])(
  "the client %s has at most 10 KB, minified and gzipped",
  async (entry) => {
    const { outputFiles } = await build({
      entryPoints: [join(installed, `dist/client/${entry}.js`)],
      bundle: true,
      minify: true,
      write: false,
      format: "esm",
      platform: "browser",
    });
    const [{ contents } = { contents: new Uint8Array() }] = outputFiles;
    expect(contents.length).toBeGreaterThan(5_000);
    expect(gzipSync(contents).length).toBeLessThan(10 * 1024);
  },
);
