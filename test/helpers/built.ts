import { existsSync } from "node:fs";
import { cp, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { currentRun } from "./run.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

/**
 * The service's main.js, made once a run of the sources as they are; types are looked at elsewhere. Loaded by tsx instead,
 * each start would take a second of processor time more, and tests start a hundred.
 */
export async function builtMain(): Promise<string> {
  const built = join((await currentRun()).dir, "service");
  const main = join(built, "src/main.js");
  while (!existsSync(main)) {
    // One worker makes it, the others wait.
    const mine = await mkdir(`${built}.lock`).then(
      () => true,
      () => false,
    );
    if (mine) await build(built);
    else await sleep(50);
  }
  return main;
}

async function build(built: string): Promise<void> {
  const half = `${built}.half`;
  try {
    // Another may have made it between our look and our lock.
    if (existsSync(built)) return;
    await transpile(half);
    await rename(half, built);
  } catch (error) {
    await rm(half, { recursive: true, force: true });
    throw error;
  } finally {
    // Where this failed the next one tries, and fails as plainly.
    await rm(`${built}.lock`, { recursive: true });
  }
}

async function transpile(to: string): Promise<void> {
  const ts = (await import("typescript")).default;
  const compilerOptions = {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.ESNext,
    verbatimModuleSyntax: true,
  };
  await mkdir(to);
  // Packages, and the version, are looked for beside the sources.
  await symlink(join(root, "node_modules"), join(to, "node_modules"));
  await cp(join(root, "package.json"), join(to, "package.json"));
  for (const name of await readdir(join(root, "src"), { recursive: true })) {
    const [from, target] = [join(root, "src", name), join(to, "src", name)];
    await mkdir(dirname(target), { recursive: true });
    if (name.endsWith(".lua")) await cp(from, target);
    if (!name.endsWith(".ts") || name.endsWith(".d.ts")) continue;
    const { outputText } = ts.transpileModule(await readFile(from, "utf8"), {
      compilerOptions,
      fileName: from,
    });
    await writeFile(target.replace(/ts$/, "js"), outputText);
  }
}
