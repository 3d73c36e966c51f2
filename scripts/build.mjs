// Builds dist/ out of src/: the code by tsc, and the Lua scripts, which tsc does not copy, to the same places beside it.
//
//   node scripts/build.mjs              builds
//   node scripts/build.mjs --if-stale   builds only where dist/ was not made of what is in src/ now
//
// Plain JavaScript without packages: it runs before `npm start` where only what the service itself needs is installed.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, cp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));

const STAMP = "dist/.built-from";
const NEW = `dist.new-${process.pid}`;
const OLD = `dist.old-${process.pid}`;

const ifStale = process.argv.includes("--if-stale");
const sources = await digest();
const needed = !ifStale || !(await isFresh(sources));
process.exitCode = needed ? await build(sources) : 0;

/** Names what is built from, by its content: times of files change with every checkout. Undefined: there is none. */
async function digest() {
  if (!existsSync("src")) return undefined;
  const hash = createHash("sha256");
  const files = await readdir("src", { recursive: true, withFileTypes: true });
  const paths = files
    .filter((file) => file.isFile())
    .map((file) => `${file.parentPath ?? file.path}/${file.name}`);
  for (const path of [...paths.sort(), "tsconfig.json", "tsconfig.build.json"]) {
    hash
      .update(`${path}\0`)
      .update(await readFile(path))
      .update("\0");
  }
  return hash.digest("hex");
}

/** Where there is only dist/, as in an image, it is what there is to run. */
async function isFresh(sources) {
  if (!existsSync("dist/main.js")) return false;
  return sources === undefined || (await readFile(STAMP, "utf8").catch(() => "")) === sources;
}

async function build(sources) {
  const tsc = findCompiler();
  if (sources === undefined || tsc === undefined) {
    const why = existsSync("dist/main.js") ? "dist/ is older than src/" : "there is no dist/";
    const what = tsc === undefined ? "TypeScript is not installed" : "there is no src/";
    console.error(
      `quorate: ${why}, and ${what} to build it. Run: npm ci --include=dev && npm run build && npm ci --omit=dev`,
    );
    return 1;
  }
  try {
    const code = await compile(tsc);
    if (code !== 0) return code;
    await cp("src", NEW, {
      recursive: true,
      filter: (path) => !/\.[^/\\]+$/.test(path) || path.endsWith(".lua"),
    });
    // What `npm install -g .` linked stays a command.
    await chmod(`${NEW}/cli/main.js`, 0o755).catch(ignore("ENOENT"));
    await writeFile(STAMP.replace("dist", NEW), sources);
    await putInPlace(sources);
    return 0;
  } finally {
    await rm(NEW, { recursive: true, force: true });
    await rm(OLD, { recursive: true, force: true });
  }
}

function findCompiler() {
  try {
    return createRequire(import.meta.url).resolve("typescript/bin/tsc");
  } catch {
    return undefined;
  }
}

/** Beside dist/, as deep as it is: the paths in the source maps are relative. */
async function compile(tsc) {
  const child = spawn(process.execPath, [tsc, "-p", "tsconfig.build.json", "--outDir", NEW], {
    stdio: "inherit",
  });
  const [code] = await once(child, "exit");
  return code ?? 1;
}

/**
 * Never writes into a dist/ that instances run from: it is moved away, and the new one is moved to its place. Another
 * build may be doing the same.
 */
async function putInPlace(sources) {
  for (;;) {
    // Of two starts at once the first has done it, and may be reading it already.
    if (ifStale && (await isFresh(sources))) return;
    await rename("dist", OLD).catch(ignore("ENOENT"));
    try {
      return await rename(NEW, "dist");
    } catch (error) {
      ignore("ENOTEMPTY", "EEXIST")(error);
      await rm(OLD, { recursive: true, force: true });
    }
  }
}

function ignore(...codes) {
  return (error) => {
    if (!codes.includes(error.code)) throw error;
  };
}
