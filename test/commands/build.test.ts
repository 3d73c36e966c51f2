import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, open, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { startProcess } from "../helpers/process.js";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** A project of three files, built as this one is, by a compiler that is quick. */
async function project() {
  const dir = await mkdtemp(join(tmpdir(), "quorate-build-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  for (const path of BUILT_BY) await cp(join(root, path), join(dir, path));
  for (const path of ["src/redis/lua", "node_modules/typescript/bin"]) {
    await mkdir(join(dir, path), { recursive: true });
  }
  const write = (path: string, text: string) => writeFile(join(dir, path), text);
  await write("node_modules/typescript/package.json", "{}");
  await write("node_modules/typescript/bin/tsc", COMPILER);
  await write("src/main.ts", 'import { n } from "./redis/n.js";\nexport const twice: number = 2 * n;\n');
  await write("src/redis/n.ts", "export const n = 1;\n");
  await write("src/redis/lua/one.lua", "return 1\n");
  return {
    write,
    read: (path: string) => readFile(join(dir, path), "utf8"),
    path: (path: string) => join(dir, path),
    files: async () => {
      const all = await readdir(join(dir, "dist"), { recursive: true });
      return all.filter((path) => /\.(js|lua)$/.test(path)).sort();
    },
    /** What stands beside src/ and dist/ after a build. */
    rest: async () => (await readdir(dir)).filter((name) => name.startsWith("dist.")),
    build: async (...options: string[]) => {
      const child = spawn(process.execPath, [join(dir, "scripts/build.mjs"), ...options]);
      let told = "";
      for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (told += text));
      const [code] = await once(child, "close");
      return { code, told };
    },
  };
}

const BUILT_BY = ["scripts/build.mjs", "package.json", "tsconfig.json", "tsconfig.build.json"];

/** Takes every file as it is, and "wrong" for a mistake. */
const COMPILER = `
  const { cpSync, readdirSync, readFileSync } = require("node:fs");
  const out = process.argv[process.argv.indexOf("--outDir") + 1];
  for (const file of readdirSync("src", { recursive: true }).filter((file) => file.endsWith(".ts"))) {
    cpSync("src/" + file, out + "/" + file.replace(".ts", ".js"));
    if (!readFileSync("src/" + file, "utf8").includes("wrong")) continue;
    console.log(file + " is wrong");
    process.exitCode = 2;
  }
`;

const OK = { code: 0, told: "" };

test("a build has the code and the scripts, and is done again only when a source has changed", async () => {
  const { build, files, path, read, write, rest } = await project();
  expect(await build("--if-stale")).toEqual(OK);
  expect(await files()).toEqual(["main.js", "redis/lua/one.lua", "redis/n.js"]);
  const { ino } = await stat(path("dist"));
  expect(await build("--if-stale")).toEqual(OK);
  expect((await stat(path("dist"))).ino).toBe(ino);

  await write("src/redis/lua/one.lua", "return 11\n");
  expect(await build("--if-stale")).toEqual(OK);
  expect(await read("dist/redis/lua/one.lua")).toBe("return 11\n");

  await write("node_modules/typescript/package.json", "{}");
  await write("node_modules/typescript/bin/tsc", COMPILER);
  await write("src/main.ts", "export const twice = 2;\n");
  await rm(path("src/redis/n.ts"));
  expect(await build("--if-stale")).toEqual(OK);
  expect(await files()).toEqual(["main.js", "redis/lua/one.lua"]);
  expect(await rest()).toEqual([]);
});

test("a build leaves the files alone that an instance runs from", async () => {
  const { build, path, write } = await project();
  await build();
  const running = await open(path("dist/redis/n.js"));
  await write("src/redis/n.ts", "export const n = 2;\n");
  expect(await build("--if-stale")).toEqual(OK);
  expect(await running.readFile("utf8")).toContain("n = 1");
  await running.close();
});

test("a build that fails says why, and leaves the last one as it was", async () => {
  const { build, read, write, rest } = await project();
  await build();
  await write("src/redis/n.ts", "wrong\n");
  const { code, told } = await build("--if-stale");
  expect([code, told]).toEqual([2, "redis/n.ts is wrong\n"]);
  expect(await read("dist/redis/n.js")).toContain("n = 1");
  expect(await rest()).toEqual([]);
});

test("two builds at once end with one that is whole", async () => {
  const { build, files, rest } = await project();
  expect(await Promise.all([build("--if-stale"), build("--if-stale")])).toEqual([OK, OK]);
  expect(await files()).toEqual(["main.js", "redis/lua/one.lua", "redis/n.js"]);
  expect(await rest()).toEqual([]);
});

test("without a compiler what is built already starts, and what is not says what to do", async () => {
  const { build, path, write } = await project();
  expect(await build()).toEqual(OK);
  await rm(path("node_modules"), { recursive: true });
  expect(await build("--if-stale")).toEqual(OK);

  await write("src/redis/n.ts", "export const n = 2;\n");
  const stale = await build("--if-stale");
  expect(stale.code).toBe(1);
  expect(stale.told).toMatch(/^quorate: dist\/ is older than src\/, .* npm run build .*\n$/);

  // An image or a package may have the build alone.
  await rm(path("src"), { recursive: true });
  expect(await build("--if-stale")).toEqual(OK);

  await rm(path("dist"), { recursive: true });
  const none = await build("--if-stale");
  expect(none.code).toBe(1);
  expect(none.told).toMatch(/^quorate: there is no dist\/, .* npm run build .*\n$/);
});

test("this project is built, and what is built starts where only what it needs is installed", async () => {
  const dir = await mkdtemp(join(tmpdir(), "quorate-build-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  for (const path of [...BUILT_BY, "src"]) await cp(join(root, path), join(dir, path), { recursive: true });
  await symlink(join(root, "node_modules"), join(dir, "node_modules"));
  const build = spawn(process.execPath, [join(dir, "scripts/build.mjs")], { stdio: "inherit" });
  expect(await once(build, "exit")).toEqual([0, null]);
  const { sources } = JSON.parse(await readFile(join(dir, "dist/main.js.map"), "utf8"));
  expect(sources).toEqual(["../src/main.ts"]);
  expect((await stat(join(dir, "dist/cli/main.js"))).mode & 0o111).toBe(0o111);

  await using service = startProcess(
    { NODE_ENV: "production", REDIS_URLS: "redis://127.0.0.1:1" },
    { main: join(dir, "dist/main.js") },
  );
  const url = await service.listening;
  expect((await fetch(`${url}/livez`)).status).toBe(200);
}, 240_000);
