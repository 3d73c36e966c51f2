import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./rolling.js";
import { until } from "./service.js";

/** Whether this machine has a HAProxy. */
export const haproxyInstalled = (() => {
  try {
    execFileSync("haproxy", ["-v"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

export interface HaProxy extends AsyncDisposable {
  readonly url: string;
}

/** One in the foreground, with this configuration. */
export async function startHaProxy(configuration: (port: number) => string): Promise<HaProxy> {
  const dir = await mkdtemp(join(tmpdir(), "quorate-haproxy-"));
  const port = await freePort();
  // It refuses a last line without an end.
  await writeFile(join(dir, "haproxy.cfg"), `${configuration(port)}\n`);
  const child = spawn("haproxy", ["-db", "-f", join(dir, "haproxy.cfg")], { stdio: "ignore" });
  const ended = once(child, "exit");
  const url = `http://127.0.0.1:${port}`;
  await until(
    () =>
      fetch(`${url}/livez`).then(
        ({ ok }) => ok,
        () => false,
      ),
    "HAProxy answers",
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
