import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type RunningProxy, startProxy } from "./proxy.js";

/** Whether this machine has an nginx. */
export const nginxInstalled = (() => {
  try {
    execFileSync("nginx", ["-v"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

/** A proxy in front of `upstream` that has every default: time-outs, buffers, and HTTP/1.0 behind it. */
export function startNginx(upstream: string): Promise<RunningProxy> {
  return startNginxWith(
    (port) => `server { listen 127.0.0.1:${port}; location / { proxy_pass ${upstream}; } }`,
  );
}

/** With what stands inside of `http { … }`. */
export function startNginxWith(http: (port: number) => string): Promise<RunningProxy> {
  return startProxy("nginx", async (dir, port) => {
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
    return ["-p", dir, "-c", join(dir, "nginx.conf"), "-e", join(dir, "error.log")];
  });
}
