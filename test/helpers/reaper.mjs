// Removes what a test run left behind: node reaper.mjs <directory> [<label=value>]
// It waits for its standard input to end, which happens when the run closes it and when the run dies, however it
// dies (Ctrl-C, SIGKILL, a crash). testcontainers has a container for this, Ryuk; it cannot be pulled everywhere.
import { execFileSync } from "node:child_process";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";

const [where, label] = process.argv.slice(2);
process.stdin.resume().once("end", async () => {
  if (label !== undefined) await removeContainers();
  await removeProcesses();
});

async function removeContainers() {
  const { getContainerRuntimeClient } = await import("testcontainers");
  const { dockerode } = (await getContainerRuntimeClient()).container;
  const left = await dockerode.listContainers({ all: true, filters: { label: [label] } });
  // One that its own test is removing just now fails here, and that is fine.
  await Promise.allSettled(left.map(({ Id }) => dockerode.getContainer(Id).remove({ force: true, v: true })));
}

async function removeProcesses() {
  for (const primary of await readdir(where)) {
    const pid = await readFile(join(where, primary, "redis.pid"), "utf8").catch(() => "");
    if (Number(pid) > 0 && stillRedis(Number(pid))) process.kill(Number(pid), "SIGKILL");
  }
  for (const pid of runningBuilds()) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }
  await rm(where, { recursive: true, force: true, maxRetries: 5 });
}

// Instances of the service that was built into the run's directory.
function runningBuilds() {
  const all = execFileSync("ps", ["-eo", "pid=,args="], { encoding: "utf8" }).split("\n");
  return all.filter((line) => line.includes(`${where}/service/`)).map((line) => Number.parseInt(line, 10));
}

// A server killed by SIGKILL leaves its pid file, and the number may be another process by now.
function stillRedis(pid) {
  try {
    return /(redis|valkey)-server/.test(
      execFileSync("ps", ["-o", "args=", "-p", String(pid)], { encoding: "utf8" }),
    );
  } catch {
    return false;
  }
}
