import { startPrimaries } from "../../test/helpers/primaries.js";
import type { Bench } from "../areas/area.js";
import { get, HttpConnection } from "../load/http-connection.js";
import type { Cleanup } from "./cleanup.js";
import { type InstanceProcess, startInstanceProcess } from "./process.js";

/** `always` is what docs/guarantees.md asks for, and what etcd and ZooKeeper do; `off`: nothing is written to disk. */
export type Persistence = "always" | "off";

/** Primaries, and an instance of each state of the service on them. */
export interface Deployment {
  readonly urls: readonly string[];
  /** This service, and the state before it, each under a key prefix of its own. */
  readonly instances: readonly Instance[];
}

export interface Instance {
  readonly isBefore: boolean;
  readonly process: InstanceProcess;
}

export async function startRedis(
  count: number,
  persistence: Persistence,
  cleanup: Cleanup,
): Promise<readonly string[]> {
  const args = persistence === "always" ? ["--appendfsync", "always"] : ["--appendonly", "no"];
  return cleanup.add(await startPrimaries(count, { args })).urls;
}

export async function startDeployment(
  { before }: Pick<Bench, "before">,
  cleanup: Cleanup,
  { primaries = 3, persistence = "off" as Persistence, node = [] as readonly string[] } = {},
): Promise<Deployment> {
  const urls = await startRedis(primaries, persistence, cleanup);
  const start = async (isBefore: boolean, root?: string): Promise<Instance> => ({
    isBefore,
    process: cleanup.add(
      await startInstanceProcess(
        {
          REDIS_URLS: urls.join(","),
          QUORATE_KEY_PREFIX: isBefore ? "b:" : "q:",
          // A busy machine should spoil a figure, and not abort the run.
          QUORATE_COMMAND_TIMEOUT_MS: "1000",
        },
        node,
        root,
      ),
    ),
  });
  const instances = [await start(false)];
  if (before) instances.push(await start(true, before.root));
  for (const { process } of instances) await untilReady(process.url);
  return { urls, instances };
}

/** Waits until the service at `url` is ready. */
export async function untilReady(url: string, patienceMs = 20_000): Promise<void> {
  const endMs = performance.now() + patienceMs;
  while (!(await isReady(url))) {
    if (performance.now() > endMs) throw new Error(`the service is not ready after ${patienceMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function isReady(url: string): Promise<boolean> {
  const connection = new HttpConnection(url);
  return new Promise((resolve) =>
    connection.send(get("/readyz"), (error, { status }) => {
      connection.close();
      resolve(error === null && status === 200);
    }),
  );
}
