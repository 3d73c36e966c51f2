import { execFile } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { mkdir, readFile, symlink } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A checkout of the service that can be started, and what to call it in a report. */
export interface Checkout {
  readonly root: string;
  readonly label: string;
}

/** Says in one sentence what is wrong with the given directory or revision. */
export class CheckoutError extends Error {
  override readonly name = "CheckoutError";
}

const builds = new Map<string, Promise<unknown>>();

/** Builds `dist/` of a checkout unless it is up to date, once per process. */
export function build(root: string): Promise<unknown> {
  const started = builds.get(root) ?? buildNow(root);
  builds.set(root, started);
  return started;
}

async function buildNow(root: string): Promise<void> {
  // A script of an earlier state may not know the option, and then builds in any case.
  await run(process.execPath, ["scripts/build.mjs", "--if-stale"], { cwd: root }).catch((error) => {
    throw new CheckoutError(`${root} does not build: ${error.stdout ?? ""}${error.stderr ?? error.message}`);
  });
}

/**
 * Another state of the service: a directory as it is, or a revision of this repository, whose files go to a new folder
 * in `scratch` with the dependencies of the current checkout linked. Built when this returns.
 */
export async function checkOut(given: string, repository: string, scratch: string): Promise<Checkout> {
  const checkout = isDirectory(given)
    ? await fromDirectory(resolve(given), repository)
    : await fromRevision(given, repository, join(scratch, "before"));
  await build(checkout.root);
  return checkout;
}

async function fromDirectory(root: string, repository: string): Promise<Checkout> {
  if (!existsSync(join(root, "scripts/build.mjs")) || !existsSync(join(root, "src/main.ts")))
    throw new CheckoutError(`${root} is not a checkout of this service: it has no src/main.ts to build`);
  if (!existsSync(join(root, "node_modules")))
    throw new CheckoutError(`${root} has no node_modules: run npm ci there, or link those of ${repository}`);
  const revision = await revisionOf(root);
  return { root, label: revision === null ? root : `${root} (${revision})` };
}

async function fromRevision(revision: string, repository: string, root: string): Promise<Checkout> {
  const { stdout } = await run(
    "git",
    ["rev-parse", "--verify", "--quiet", "--end-of-options", `${revision}^{commit}`],
    {
      cwd: repository,
    },
  ).catch(() => {
    throw new CheckoutError(`--before ${revision}: neither a directory nor a revision of this repository`);
  });
  const commit = stdout.trim();
  await mkdir(root, { recursive: true });
  // Not `git worktree`: if the bench is killed, nothing is left in the repository that somebody must prune.
  const archive = `${root}.tar`;
  await run("git", ["archive", "--output", archive, commit], { cwd: repository });
  await run("tar", ["-xf", archive, "-C", root]);
  await symlink(join(repository, "node_modules"), join(root, "node_modules"), "dir");
  const short = commit.slice(0, 10);
  return { root, label: commit.startsWith(revision) ? short : `${revision} (${short})` };
}

/** Commit of a checkout, with a plus sign if files differ from it; null if it is not one of git's. */
export async function revisionOf(root: string): Promise<string | null> {
  try {
    const { stdout: commit } = await run("git", ["rev-parse", "--short=10", "HEAD"], { cwd: root });
    const { stdout: changes } = await run("git", ["status", "--porcelain", "--", "src", "package.json"], {
      cwd: root,
    });
    return `${commit.trim()}${changes.trim() === "" ? "" : "+"}`;
  } catch {
    return null;
  }
}

/** Dependencies of a checkout by their exact versions, as its package.json states them. */
export async function dependenciesOf(root: string): Promise<Record<string, string>> {
  const { dependencies } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  return dependencies;
}

function isDirectory(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory();
}
