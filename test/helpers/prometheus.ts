import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./primaries.js";
import { until } from "./service.js";

/** Whether this machine has a Prometheus. */
export const prometheusInstalled = spawnSync("prometheus", ["--version"]).status === 0;

export interface Target {
  readonly labels: Readonly<Record<string, string>>;
  readonly discoveredLabels: Readonly<Record<string, string>>;
  readonly scrapeUrl: string;
  readonly health: "up" | "down" | "unknown";
}

export interface RunningPrometheus extends AsyncDisposable {
  /** Those that it scrapes now. */
  targets(): Promise<readonly Target[]>;
}

/** Throws what it says against a configuration. */
export async function checkConfiguration(text: string): Promise<void> {
  await inFolder(text, async (file) => {
    execFileSync("promtool", ["check", "config", file], { stdio: "pipe" });
  });
}

/** A Prometheus as a process of its own, with this configuration. */
export async function startPrometheus(text: string): Promise<RunningPrometheus> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const dir = await mkdtemp(join(tmpdir(), "quorate-prometheus-"));
  const file = join(dir, "prometheus.yml");
  await writeFile(file, text);
  const child = spawn(
    "prometheus",
    [`--config.file=${file}`, `--storage.tsdb.path=${dir}/data`, `--web.listen-address=127.0.0.1:${port}`],
    { stdio: "ignore" },
  );
  const ended = once(child, "exit");
  const isReady = () =>
    fetch(`${url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  await until(isReady, "prometheus answers", 30_000);
  return {
    targets: async () => {
      const answer = await fetch(`${url}/api/v1/targets?state=active`);
      const { data } = (await answer.json()) as { data: { activeTargets: Target[] } };
      return data.activeTargets;
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await ended;
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function inFolder(text: string, work: (file: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "quorate-prometheus-"));
  try {
    await writeFile(join(dir, "prometheus.yml"), text);
    await work(join(dir, "prometheus.yml"));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
