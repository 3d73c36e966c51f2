import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./rolling.js";
import { until } from "./service.js";

/** Whether this machine has an nginx. */
export const nginxInstalled = (() => {
  try {
    execFileSync("nginx", ["-v"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

export interface Nginx extends AsyncDisposable {
  readonly url: string;
}

/** A proxy in front of `upstream` that has every default: time-outs, buffers, and HTTP/1.0 behind it. */
export function startNginx(upstream: string): Promise<Nginx> {
  return startNginxWith(
    (port) => `server { listen 127.0.0.1:${port}; location / { proxy_pass ${upstream}; } }`,
  );
}

/** With what stands inside of `http { … }`. */
export async function startNginxWith(http: (port: number) => string): Promise<Nginx> {
  const dir = await mkdtemp(join(tmpdir(), "quorate-nginx-"));
  const port = await freePort();
  await writeFile(
    join(dir, "nginx.conf"),
    `daemon off; master_process off; pid ${dir}/pid; error_log ${dir}/error.log;
     events {}
     http {
       access_log off;
       ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${dir}/${kind};`).join(" ")}
       ${http(port)}
     }`,
  );
  const child = spawn("nginx", ["-p", dir, "-c", join(dir, "nginx.conf"), "-e", join(dir, "error.log")], {
    stdio: "ignore",
  });
  const ended = once(child, "exit");
  const url = `http://127.0.0.1:${port}`;
  await until(
    () =>
      fetch(`${url}/livez`).then(
        ({ ok }) => ok,
        () => false,
      ),
    "nginx answers",
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
