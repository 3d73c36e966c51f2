import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startCli } from "../test/cli/cli.js";
import { exclusively, together } from "../test/cli/together.js";
import { startPrimaries } from "../test/helpers/primaries.js";
import { startProcess } from "../test/helpers/process.js";
import { closeRun } from "../test/helpers/run.js";
import { ownPrefix, PATIENT } from "../test/helpers/service.js";
import { commandLine, positive, whole } from "./command-line.js";

// Many processes of `quorate run` under one name, against two instances on three primaries: never two of their commands at
// once, and every one runs.

const USAGE = `npm run runs -- [--runs 1000] [--alive 100] [--minutes 30]

  --runs      how many processes in total
  --alive     how many of them at a time: each waits in the queue, and takes 20 to 50 MB
  --minutes   how long one waits for its turn at most`;

const { runs, alive, minutes } = commandLine(USAGE, {
  runs: whole(1).default(1_000),
  alive: whole(2).default(100),
  minutes: positive.default(30),
});

process.env.TEST_REDIS ??= "process";
const dir = await mkdtemp(join(tmpdir(), "quorate-runs-"));
const primaries = await startPrimaries(3, { args: ["--appendfsync", "no"] });
const env = { REDIS_URLS: primaries.urls.join(","), QUORATE_KEY_PREFIX: ownPrefix(), ...PATIENT };
const instances = [startProcess(env), startProcess(env)];
try {
  const urls = await Promise.all(instances.map(({ listening }) => listening));
  const startMs = performance.now();
  let ended = 0;
  const args = [
    "run",
    "one-name",
    "--wait",
    `${Math.ceil(minutes * 60)}s`,
    "--",
    ...exclusively(join(dir, "file")),
  ];
  const { codes, err } = await together(runs, alive, args, { QUORATE_URL: urls.join(",") }, (...what) => {
    const run = startCli(...what);
    void run.ended.then(() => {
      if (++ended % 100 === 0) console.log(`${ended} of ${runs} after ${seconds(startMs)}`);
    });
    return run;
  });
  console.log(
    `${runs} runs, at most ${alive} at a time, in ${seconds(startMs)}; exit codes: ${JSON.stringify(codes)}`,
  );
  if (codes[0] !== runs) {
    console.error(`not all of them ran, or two at once (99): ${err}`);
    process.exitCode = 1;
  }
} finally {
  for (const instance of instances) await instance[Symbol.asyncDispose]();
  await primaries.close();
  await closeRun();
  await rm(dir, { recursive: true, force: true });
}

function seconds(startMs: number): string {
  return `${((performance.now() - startMs) / 1_000).toFixed(1)} s`;
}
