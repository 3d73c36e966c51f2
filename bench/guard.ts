import { spawn } from "node:child_process";

/**
 * Ends these processes and removes the folder when this process ends, however it does: what is left behind would be in
 * the way of every later measurement. Returns what is to be called once they have ended in an orderly way.
 */
export function endWithUs(pids: readonly number[], dir = ""): () => void {
  // In a session of its own: a Ctrl-C must not end it before its work is done.
  const guard = spawn("sh", ["-c", GUARD, "sh", dir, ...pids.map(String)], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  guard.unref();
  // A socket, though it is declared as less.
  (guard.stdin as unknown as { unref(): void }).unref();
  return () => guard.stdin.end("over\n");
}

/** Its standard input ends with us. */
const GUARD = `
  dir=$1; shift
  read -r over && exit
  kill -9 "$@"
  [ -z "$dir" ] || { sleep 0.2; rm -rf "$dir"; }
`;
