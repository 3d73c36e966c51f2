import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./primaries.js";
import { until } from "./service.js";

/** A proxy in front of instances, as a process of its own. */
export interface RunningProxy extends AsyncDisposable {
  readonly url: string;
}

/** Starts a program in a folder of its own, which `prepare` fills and which it gets its arguments from; it answers then. */
export async function startProxy(
  program: string,
  prepare: (dir: string, port: number) => Promise<readonly string[]>,
): Promise<RunningProxy> {
  const dir = await mkdtemp(join(tmpdir(), `quorate-${program}-`));
  const port = await freePort();
  const child: ChildProcess = spawn(program, await prepare(dir, port), { stdio: "ignore" });
  const ended = once(child, "exit");
  const url = `http://127.0.0.1:${port}`;
  await until(
    () =>
      fetch(`${url}/livez`).then(
        ({ ok }) => ok,
        () => false,
      ),
    `${program} answers`,
  );
  return {
    url,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await ended;
      await rm(dir, { recursive: true, force: true });
    },
  };
}
