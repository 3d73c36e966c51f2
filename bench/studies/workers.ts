// One worker against two on the same port: owner look-ups per second by wrk, and processor time per look-up. Look-ups need no
// primary, so what is compared is the service alone, as if the primaries were on other machines.
//
//   npx tsx bench/studies/workers.ts [--rounds 7] [--seconds 5] [--connections 64]
//
// Needs wrk (Debian: apt-get install wrk) and redis-server on the PATH. The load generator runs on the same cores, and so do all
// other programs: the rounds alternate, and the figures are medians.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const run = promisify(execFile);

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "7" },
    seconds: { type: "string", default: "5" },
    connections: { type: "string", default: "64" },
  },
});
const rounds = Number(values.rounds);

interface Subject extends AsyncDisposable {
  readonly workers: number;
  readonly url: string;
  /** All its processes, without its primaries. */
  readonly pids: readonly number[];
}

/** A service with three primaries of its own, and members to look up. */
async function start(workers: number): Promise<Subject> {
  // On a busy machine the primaries, idle as they are, may be slow.
  const env = {
    PATH: process.env.PATH,
    PORT: "0",
    QUORATE_WORKERS: String(workers),
    QUORATE_COMMAND_TIMEOUT_MS: "5000",
  };
  const child = spawn(process.execPath, [`${ROOT}dist/main.js`], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  const line = await new Promise<string>((resolve, reject) => {
    let out = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text;
      const found = out.split("\n").find((each) => each.includes("listens on") && each.endsWith("}"));
      if (found) resolve(found);
    });
    child.once("exit", () => reject(new Error(`the service ended before it listened: ${out}`)));
  });
  const { msg, workers: pids = [] } = JSON.parse(line) as { msg: string; workers?: number[] };
  const url = /http:\S+/.exec(msg)?.[0] ?? "";
  for (let id = 0; id < 10; id++) await register(url, `search-${id}`);
  return {
    workers,
    url,
    pids: [child.pid ?? 0, ...pids],
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

async function register(url: string, id: string): Promise<void> {
  const response = await fetch(`${url}/v1/services/search/members/${id}`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ address: `${id}:9000`, ttlMs: 600_000 }),
  });
  if (!response.ok) throw new Error(await response.text());
}

interface Figures {
  readonly perSecond: number;
  /** Of all processes of the service, for one look-up. */
  readonly cpuUs: number;
}

async function measure({ url, pids }: Subject, seconds: number): Promise<Figures> {
  const before = await cpuMs(pids);
  const { stdout } = await run("wrk", [
    "-t1",
    `-c${values.connections}`,
    `-d${seconds}`,
    `${url}/v1/services/search/owner?key=user:42`,
  ]);
  const usedMs = (await cpuMs(pids)) - before;
  const requests = Number(/(\d+) requests in/.exec(stdout)?.[1]);
  const refused = Number(/Non-2xx or 3xx responses: (\d+)/.exec(stdout)?.[1] ?? 0);
  const perSecond = Number(/Requests\/sec: +([\d.]+)/.exec(stdout)?.[1]);
  // On a busy machine some are refused as overloaded; if it were many, this would measure something else.
  if (!(refused < 0.05 * requests)) throw new Error(stdout);
  return { perSecond: perSecond * (1 - refused / requests), cpuUs: (1_000 * usedMs) / requests };
}

/** User and system time since their start; a tick is 10 ms. */
async function cpuMs(pids: readonly number[]): Promise<number> {
  let ticks = 0;
  for (const pid of pids) {
    const fields = (await readFile(`/proc/${pid}/stat`, "utf8")).split(") ")[1]?.split(" ") ?? [];
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks * 10;
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((one, other) => one - other);
  return ((sorted[(sorted.length - 1) >> 1] as number) + (sorted[sorted.length >> 1] as number)) / 2;
}

await run("npm", ["run", "--silent", "build"], { cwd: ROOT });
await using one = await start(1);
await using two = await start(2);
const subjects = [one, two];
const measured = new Map<Subject, Figures[]>(subjects.map((subject) => [subject, []]));
for (const subject of subjects) await measure(subject, 3); // warm-up
for (let round = 0; round < rounds; round++) {
  // Each goes first every second time.
  for (const subject of round % 2 === 0 ? subjects : subjects.toReversed()) {
    measured.get(subject)?.push(await measure(subject, Number(values.seconds)));
    await sleep(200);
  }
}
const all = (subject: Subject, figure: keyof Figures) =>
  (measured.get(subject) ?? []).map((each) => each[figure]);
for (const subject of subjects) {
  const rates = all(subject, "perSecond");
  console.log(
    `${subject.workers} worker(s): ${median(rates).toFixed(0)} look-ups/s (${Math.min(...rates).toFixed(0)} to ${Math.max(...rates).toFixed(0)}), ` +
      `${median(all(subject, "cpuUs")).toFixed(1)} us of the service's processor time each`,
  );
}
const ratios = (figure: keyof Figures) =>
  all(two, figure).map((value, round) => value / (all(one, figure)[round] as number));
console.log(
  `two against one, median of the rounds' ratios: ${median(ratios("perSecond")).toFixed(2)} x look-ups/s, ${median(ratios("cpuUs")).toFixed(2)} x processor time`,
);
