import type { ContainerRuntimeClient } from "testcontainers";
import { importLocalImage, localImage } from "./local-image.js";

type Docker = ContainerRuntimeClient["container"]["dockerode"];

const standardImage = "redis:8-alpine";

// A registry that cannot be reached must not hold up the tests; one that delivers may take its time.
const pullSilenceMsMax = 15_000;

/**
 * The image that the tests' primaries run: `REDIS_IMAGE`, else redis:8-alpine. Where the latter is neither here nor
 * to be had, a small one made from this machine's own redis-server.
 */
export async function redisImage(docker: Docker): Promise<string> {
  const wanted = process.env.REDIS_IMAGE;
  if (wanted !== undefined && wanted !== "") {
    // Asked for by name: another one in its place would test something else than was asked.
    if (!(await present(docker, wanted))) await pull(docker, wanted);
    return wanted;
  }
  if (await present(docker, standardImage)) return standardImage;
  if (await present(docker, localImage)) return localImage;
  try {
    await pull(docker, standardImage);
    return standardImage;
  } catch (error) {
    await importLocalImage(docker, error as Error);
    console.info(
      `${(error as Error).message}\nThe tests use ${localImage}, made from this machine's redis-server.`,
    );
    return localImage;
  }
}

function present(docker: Docker, image: string): Promise<boolean> {
  const inspected = docker.getImage(image).inspect();
  return inspected.then(
    () => true,
    () => false,
  );
}

async function pull(docker: Docker, image: string): Promise<void> {
  const silence = new AbortController();
  const watch = () => setTimeout(() => silence.abort(), pullSilenceMsMax);
  let timer = watch();
  try {
    const stream = await docker.pull(image, { abortSignal: silence.signal });
    // A pull that fails half-way says so in its last line, and ends as if all were well.
    let failure: string | undefined;
    await new Promise<void>((resolve, reject) => {
      docker.modem.followProgress(
        stream,
        (error) => (error ? reject(error) : resolve()),
        (line: { error?: string }) => {
          clearTimeout(timer);
          timer = watch();
          failure ??= line.error;
        },
      );
    });
    if (failure !== undefined) throw new Error(failure);
  } catch (error) {
    const reason = silence.signal.aborted ? "the registry does not answer" : (error as Error).message;
    throw new Error(`${image} is not here and cannot be pulled: ${reason}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
