import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chown, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../helpers/service.js";
import { has, PATIENCE_MS } from "./checkout.js";

/** A PostgreSQL that a test has for itself. */
export interface RunningPostgres extends AsyncDisposable {
  /** By which `psql` finds it. */
  readonly env: Record<string, string>;
}

/** Where initdb and postgres are; Debian does not put them on the PATH. */
async function postgresBin(): Promise<string | undefined> {
  const debian = "/usr/lib/postgresql";
  const versions = await readdir(debian).catch(() => []);
  const folders = versions
    .sort((one, other) => Number(other) - Number(one))
    .map((v) => `${debian}/${v}/bin/`);
  return ["", ...folders].find((folder) => has(`${folder}initdb`) && has(`${folder}postgres`));
}

const bin = await postgresBin();
// It refuses to run as root. On most systems this is `nobody`.
const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

export const hasPostgres = bin !== undefined && has("psql");

export async function startPostgres(): Promise<RunningPostgres> {
  const dir = await mkdtemp(join(tmpdir(), "quorate-postgres-"));
  await mkdir(join(dir, "socket"));
  if (user.uid !== undefined)
    for (const path of [dir, join(dir, "socket")]) await chown(path, user.uid, user.gid);
  const data = join(dir, "data");
  execFileSync(`${bin}initdb`, ["-D", data, "-U", "test", "-A", "trust", "-E", "UTF8", "--no-sync"], {
    ...user,
    cwd: dir,
    stdio: "pipe",
  });
  const settings = ["listen_addresses=", "fsync=off", `unix_socket_directories=${join(dir, "socket")}`];
  const server = spawn(`${bin}postgres`, ["-D", data, ...settings.flatMap((setting) => ["-c", setting])], {
    ...user,
    cwd: dir,
    stdio: "ignore",
  });
  const ended = once(server, "exit");
  const env = { PGHOST: join(dir, "socket"), PGUSER: "test", PGDATABASE: "postgres" };
  const answers = () =>
    spawnSync("psql", ["-c", "SELECT 1"], { env: { PATH: process.env.PATH, ...env } }).status === 0;
  await until(async () => answers(), "psql", PATIENCE_MS);
  return {
    env,
    [Symbol.asyncDispose]: async () => {
      server.kill("SIGQUIT"); // at once
      await ended;
      await rm(dir, { recursive: true, force: true });
    },
  };
}
