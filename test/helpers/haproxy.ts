import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type RunningProxy, startProxy } from "./proxy.js";

/** Whether this machine has a HAProxy. */
export const haproxyInstalled = (() => {
  try {
    execFileSync("haproxy", ["-v"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

/** One in the foreground, with this configuration. */
export function startHaProxy(configuration: (port: number) => string): Promise<RunningProxy> {
  return startProxy("haproxy", async (dir, port) => {
    const file = join(dir, "haproxy.cfg");
    // It refuses a last line without an end.
    await writeFile(file, `${configuration(port)}\n`);
    return ["-db", "-f", file];
  });
}
