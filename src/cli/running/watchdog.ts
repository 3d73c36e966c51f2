import { type ChildProcess, spawn } from "node:child_process";
import { KILL_AFTER_MS } from "./limits.js";
import type { Limits, Order, Report } from "./messages.js";
import { sleeplessClock } from "./sleepless-clock.js";
import { Watch } from "./watch.js";

// The watchdog: a process of its own, in a session of its own, which starts the command, and ends it when its time is over,
// whatever happens to the process that holds the lease. Where that is stopped, there is no news; where it is killed, the
// channel to it ends.

/** The command runs from now on. */
function start({ file, args, zeroMs, limits }: Order & { readonly kind: "start" }): void {
  const clock = sleeplessClock(zeroMs);
  if (limits && clock.monotonicMs() >= limits.termAtMs) {
    report({ kind: "told" });
    report({ kind: "over", code: null, signal: "SIGTERM" }, true);
    return;
  }
  // Leads a group and a session of its own: what it starts is in that too.
  const child = spawn(file, args, { stdio: "inherit", detached: true });
  child.once("error", ({ code, message }: NodeJS.ErrnoException) => {
    if (child.pid === undefined) report({ kind: "failed", code, message }, true);
  });
  if (child.pid !== undefined) watch(child, child.pid, clock, limits);
}

function watch(
  child: ChildProcess,
  pid: number,
  clock: ReturnType<typeof sleeplessClock>,
  limits: Limits | undefined,
): void {
  let ending: readonly [number | null, NodeJS.Signals | null] = [null, null];
  const watching = new Watch(clock, groupOf(pid), limits, {
    told: () => report({ kind: "told" }),
    gone: () => report({ kind: "over", code: ending[0], signal: ending[1] }, true),
  });
  child.once("exit", (code, signal) => {
    ending = [code, signal];
    watching.left();
  });
  process.on("message", (order: Order) => {
    if (order.kind === "limits") watching.extend(order.limits);
    if (order.kind === "end") watching.end(order.killAtMs);
  });
  process.on("disconnect", () => watching.end(clock.monotonicMs() + KILL_AFTER_MS));
  report({ kind: "started", pid });
}

const groupOf = (pid: number) => ({
  kill: (signal: NodeJS.Signals) => void signalGroup(pid, signal),
  isAlive: () => signalGroup(pid, 0),
});

/** Whether there was such a process. */
function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-pid, signal);
  } catch (error) {
    // EPERM: there is one, of another user, or on macOS one that is dead already.
    return (error as NodeJS.ErrnoException).code === "EPERM" && process.platform !== "darwin";
  }
}

function report(report: Report, isLast = false): void {
  const end = () => {
    if (isLast) process.exit(0);
  };
  if (process.connected) process.send?.(report, end);
  else end();
}

// Meant for others, such as by `pkill -f`: this process ends when its command has.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGPIPE"] as const)
  process.on(signal, () => {});
process.once("message", (order: Order) => {
  if (order.kind === "start") start(order);
});
report({ kind: "ready" });
// Its parent has ended before the command began.
process.once("disconnect", () => {
  if (process.listenerCount("message") === 0) process.exit(0);
});
