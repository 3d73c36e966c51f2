import { execFile, execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const program = ["chromium", "chromium-browser", "google-chrome"].find((name) => {
  try {
    execFileSync(name, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
});

/** Whether this machine has a Chromium. */
export const hasChromium = program !== undefined;

/**
 * The text of the page's body, once its scripts had time to do what they do.
 * `names`: host names that lead to this machine, as an attacker's DNS can make them.
 */
export async function visit(url: string, { names = [] as readonly string[] } = {}): Promise<string> {
  const profile = await mkdtemp(join(tmpdir(), "quorate-chromium-"));
  try {
    const { stdout } = await promisify(execFile)(
      program as string,
      [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        `--user-data-dir=${profile}`,
        `--host-resolver-rules=${names.map((name) => `MAP ${name} 127.0.0.1`).join(", ")}`,
        "--timeout=20000",
        "--virtual-time-budget=10000",
        "--dump-dom",
        url,
      ],
      { timeout: 60_000, maxBuffer: 4 * 1024 * 1024 },
    );
    return /<body[^>]*>([\s\S]*)<\/body>/.exec(stdout)?.[1] ?? stdout;
  } finally {
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
