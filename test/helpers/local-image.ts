import { execFile, spawn } from "node:child_process";
import { copyFile, mkdir, mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import type { ContainerRuntimeClient } from "testcontainers";

export const localImage = "quorate-test-redis:local";

/**
 * Makes an image of this machine's redis-server and redis-cli with the libraries they need and nothing else, for
 * where no registry can be reached. Done twice at once it does no harm: the tag names the later of two equal ones.
 */
export async function importLocalImage(
  docker: ContainerRuntimeClient["container"]["dockerode"],
  cause: Error,
): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), "quorate-image-"));
  try {
    for (const name of ["redis-server", "redis-cli"]) await copyProgram(name, root);
    await mkdir(join(root, "data"));
    const tar = spawn("tar", ["-C", root, "-c", "."], { stdio: ["ignore", "pipe", "inherit"] });
    const [repo, tag] = localImage.split(":");
    const changes = ["WORKDIR /data", 'ENTRYPOINT ["redis-server"]'];
    await text(await docker.importImage(tar.stdout, { repo, tag, changes }));
    await docker.getImage(localImage).inspect();
  } catch (error) {
    throw new Error(
      `${cause.message}\nNor can an image be made from this machine's redis-server: ${(error as Error).message}\n` +
        "Install redis-server (Debian, Ubuntu: apt-get install redis-server), or set REDIS_IMAGE to an image that is here.",
      { cause: error },
    );
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function copyProgram(name: string, root: string): Promise<void> {
  const run = promisify(execFile);
  const binary = (await run("sh", ["-c", `command -v ${name}`])).stdout.trim();
  await copyInto(root, binary, `/usr/bin/${name}`);
  // The libraries and the loader, to the absolute paths at which the program will look for them.
  const { stdout } = await run("ldd", [binary]);
  for (const [, library] of stdout.matchAll(/(?:^\s*|=> )(\/\S+) \(0x/gm)) {
    if (library !== undefined) await copyInto(root, library, library);
  }
}

async function copyInto(root: string, from: string, to: string): Promise<void> {
  const target = join(root, to);
  await mkdir(dirname(target), { recursive: true });
  await copyFile(await realpath(from), target);
}
