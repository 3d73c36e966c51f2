import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";

/**
 * Kills these processes and removes the folder when this process ends, in whatever way: leftovers would disturb every
 * later measurement. Returns a function to call once they have ended in an orderly way.
 */
export function endWithUs(pids: readonly number[], dir = ""): () => void {
  // In a session of its own: a Ctrl-C must not end it before its work is done.
  const guard = spawn("sh", ["-c", GUARD, "sh", dir, ...pids.map(String)], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  guard.unref();
  // It is a socket, although it is declared as a plain stream.
  (guard.stdin as unknown as { unref(): void }).unref();
  return () => guard.stdin.end("over\n");
}

/** Its standard input closes when this process ends. */
const GUARD = `
  dir=$1; shift
  read -r over && exit
  [ $# -eq 0 ] || kill -9 "$@"
  [ -z "$dir" ] || { sleep 0.2; rm -rf "$dir"; }
`;

/** The nodes of a peer and their data. Returns what ends both; they end with this process in any case. */
export function stoppable(nodes: readonly ChildProcess[], dir: string): () => Promise<void> {
  const ended = endWithUs(
    nodes.map(({ pid }) => pid ?? 0),
    dir,
  );
  return async () => {
    await Promise.all(
      nodes.map(async (node) => {
        if (node.exitCode !== null || node.signalCode !== null) return;
        const gone = once(node, "exit");
        node.kill("SIGKILL");
        await gone;
      }),
    );
    await rm(dir, { recursive: true, force: true });
    ended();
  };
}
