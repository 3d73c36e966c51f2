import { posix } from "node:path";
import { buffer } from "node:stream/consumers";
import {
  type ContainerRuntimeClient,
  GenericContainer,
  getContainerRuntimeClient,
  type StartedTestContainer,
  type WaitStrategy,
} from "testcontainers";
import { latestAppendOnly, tarEntries, tarOf } from "./append-only.js";
import type { OwnedPrimary } from "./primaries.js";
import { untilReady } from "./ready.js";
import { type ContainerRun, runLabel } from "./run.js";

type DockerContainer = ReturnType<ContainerRuntimeClient["container"]["getById"]>;

/** A primary in a container of its own, published on a fixed port of this machine. */
export async function startContainer(
  run: ContainerRun,
  port: number,
  args: readonly string[],
): Promise<OwnedPrimary> {
  const client = await getContainerRuntimeClient();
  const engineHost = client.info.containerRuntime.host;
  const host = engineHost === "localhost" ? "127.0.0.1" : engineHost;
  const create = async (): Promise<DockerContainer> =>
    client.container.getById((await new RedisContainer(run, host, port, args).start()).getId());

  let container = await create();
  const primary: OwnedPrimary = {
    url: `redis://${host}:${port}`,
    port,
    start: async () => {
      await unless("304", container.start());
      await untilReady(host, port);
    },
    kill: () => unless("is not running", container.kill()),
    stop: async () => {
      await primary.resume();
      await unless("304", container.stop());
    },
    // A new container: nothing of the old one can come back with it.
    startEmpty: async () => {
      await primary.remove();
      container = await create();
    },
    startCut: async (share) => {
      await primary.kill();
      await cutAppendOnly(container, share);
      await primary.start();
    },
    pause: () => unless("is already paused", container.pause()),
    resume: () => unless("is not paused", container.unpause()),
    cli: async (...command) => {
      const program = run.image.includes("valkey") ? "valkey-cli" : "redis-cli";
      const { exitCode, output } = await client.container.exec(container, [program, "-e", ...command]);
      if (exitCode !== 0) throw new Error(output);
      return output.replace(/\n$/, "");
    },
    remove: () => removeContainer(container),
  };
  return primary;
}

function removeContainer(container: DockerContainer): Promise<void> {
  return unless("No such container", container.remove({ force: true, v: true }));
}

/** Images have no shell, but the engine reads and writes files of a container that is stopped. */
async function cutAppendOnly(container: DockerContainer, share: number): Promise<void> {
  const entries = tarEntries(await buffer(await container.getArchive({ path: dataDir })));
  const name = latestAppendOnly(entries.map((entry) => entry.name));
  const entry = entries.find((each) => each.name === name);
  if (!entry) throw new Error("an archive without the file that it lists");
  const kept = entry.content.subarray(0, Math.floor(entry.content.length * (1 - share)));
  // Names in the archive begin with the name of the folder itself.
  await container.putArchive(tarOf({ ...entry, content: kept }), { path: posix.dirname(dataDir) });
}

/** Where the images of Redis and Valkey keep their data. */
const dataDir = "/data";

async function unless(expected: string, done: Promise<unknown>): Promise<void> {
  await done.catch((error: Error) => {
    if (!error.message.includes(expected)) throw error;
  });
}

class RedisContainer extends GenericContainer {
  private createdId: string | undefined;

  constructor(run: ContainerRun, host: string, port: number, args: readonly string[]) {
    super(run.image);
    this.withLabels({ [runLabel]: run.id });
    this.withExposedPorts({ container: 6379, host: port });
    // testcontainers would publish on every address of the machine.
    const hostIp = host === "127.0.0.1" ? host : "";
    this.hostConfig.PortBindings = { "6379/tcp": [{ HostIp: hostIp, HostPort: String(port) }] };
    // No program name: every Redis and Valkey image puts its own before options. Protected mode would refuse the
    // tests, whose connections come from outside the container.
    this.withCommand(["--protected-mode", "no", ...args]);
    // Our reaper cleans up, so Ryuk need not be pulled and started.
    this.withAutoCleanup(false);
    this.withWaitStrategy(untilAnswering(host, port));
  }

  override async start(): Promise<StartedTestContainer> {
    try {
      return await super.start();
    } catch (error) {
      // One whose port was taken has been created, and would stay.
      if (this.createdId !== undefined) {
        const client = await getContainerRuntimeClient();
        await removeContainer(client.container.getById(this.createdId));
      }
      throw error;
    }
  }

  protected override async containerCreated(id: string): Promise<void> {
    this.createdId = id;
  }
}

// The strategies that testcontainers has follow the log or run a shell in the container; small images have none.
function untilAnswering(host: string, port: number): WaitStrategy {
  const strategy: WaitStrategy = {
    waitUntilReady: () => untilReady(host, port),
    withStartupTimeout: () => strategy,
    isStartupTimeoutSet: () => false,
    getStartupTimeout: () => 0,
  };
  return strategy;
}
