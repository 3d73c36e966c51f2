import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setPriority } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startPrimaries } from "../helpers/primaries.js";
import { processRun } from "../helpers/run.js";
import type { Part } from "./actor.js";
import { type Attack, unless } from "./attack.js";
import { OPERATOR_KEY } from "./attacks/locks.js";
import type { Count, Seen } from "./bystander.js";
import type { Figures } from "./figures.js";
import { type Crowded, peakMb, residentMb, startCrowded } from "./instance.js";

/** What came of an attack. */
export interface Outcome {
  readonly figures: Figures;
  /** What the bystander saw of it; null where there is none. */
  readonly seen: Seen | null;
  /** How often the instances took a primary for gone. */
  readonly downs: number;
  readonly memory: { readonly beforeMb: number; readonly afterMb: number; readonly peakMb: number };
  /** The bounds that are broken, one sentence each. */
  readonly broken: string[];
}

export interface Wanted {
  readonly clients: number;
  readonly seconds: number;
  readonly primaries?: number;
  readonly instances?: number;
  /** Whether the primaries write each command to disk; else they keep everything in memory. */
  readonly appendOnly?: boolean;
  readonly env?: Record<string, string>;
  /** How much slower than it should be the machine may be: 1 is what is promised. */
  readonly slack?: number;
  readonly pairsPerSecond?: number;
}

/** An attack on real servers of its own, with a bystander that begins before it and ends after it. */
export async function runAttack(attack: Attack, wanted: Wanted): Promise<Outcome> {
  const run = await processRun();
  if (run === null) throw new Error("a crowd needs a redis-server or valkey-server on the PATH");
  const args = ["--appendonly", wanted.appendOnly ? "yes" : "no", "--appendfsync", "everysec"];
  await using primaries = await startPrimaries(wanted.primaries ?? 3, { run, args });
  const env = { QUORATE_OPERATOR_KEY: OPERATOR_KEY, ...wanted.env };
  const count = attack.alone ? 0 : (wanted.instances ?? 1);
  const role = attack.unwatched || attack.overloads ? "measurer" : "attacker";
  const [attacker, bystander, ...started] = await Promise.allSettled([
    actorFor(role),
    attack.alone || attack.unwatched ? null : actorFor("bystander"),
    ...Array.from({ length: count }, () => startCrowded(primaries.urls, env)),
  ]);
  const instances = started.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  try {
    for (const one of started) if (one.status === "rejected") throw one.reason;
    if (attacker.status === "rejected") throw attacker.reason;
    if (bystander.status === "rejected") throw bystander.reason;
    const actors = { attacker: attacker.value, bystander: bystander.value };
    const outcome = await watch(attack, wanted, { instances, primaries: primaries.urls, ...actors });
    idle[role].push(actors.attacker);
    if (actors.bystander) idle.bystander.push(actors.bystander);
    return outcome;
  } catch (error) {
    // They may still be at it.
    if (attacker.status === "fulfilled") attacker.value.end();
    if (bystander.status === "fulfilled") bystander.value?.end();
    throw error;
  } finally {
    await Promise.all(instances.map((one) => one[Symbol.asyncDispose]()));
  }
}

interface Scene {
  readonly instances: readonly Crowded[];
  readonly primaries: readonly string[];
  readonly attacker: Actor;
  readonly bystander: Actor | null;
}

async function watch(attack: Attack, wanted: Wanted, scene: Scene): Promise<Outcome> {
  const { instances, primaries, attacker, bystander } = scene;
  const { clients, seconds, slack = 1, pairsPerSecond = 0 } = wanted;
  const pids = instances.map(({ pid }) => pid);
  const urls = instances.map(({ url }) => url);
  const sum = (of: (pid: number) => number) => pids.reduce((all, pid) => all + of(pid), 0);
  const watched = bystander?.play<Seen>({ bystander: urls[0] as string });
  watched?.catch(() => {});
  // So that it is there before.
  if (bystander) await sleep(300);
  const beforeMb = sum(residentMb);
  const cluster = { urls, pids, primaries, clients, seconds, pairsPerSecond };
  const figures = await attacker.play<Figures>({ attack: attack.name, cluster });
  await sleep(300);
  bystander?.tell("end");
  const seen = (await watched) ?? null;
  const downs = instances.reduce((all, instance) => all + instance.downs(), 0);
  return {
    figures,
    seen,
    downs,
    memory: { beforeMb, afterMb: sum(residentMb), peakMb: sum(peakMb) },
    broken: [...attack.broken(figures, slack), ...(seen ? disturbed(seen, downs, slack, attack) : [])],
  };
}

/** What a bystander must not have seen. */
export function disturbed(
  seen: Seen,
  downs: number,
  slack: number,
  { overloads = false, fells = false }: Pick<Attack, "overloads" | "fells"> = {},
): string[] {
  const few = (what: keyof Seen & ("acquires" | "renewals" | "releases" | "heartbeats")) => {
    const count = seen[what];
    return [
      isFew(count, slack),
      `${count.failed} of ${count.all} ${what} of a bystander failed (${byStatus(seen, what)})`,
    ] as const;
  };
  const { maxMs, medianMs, failed } = seen.livez;
  return unless(
    ...(overloads
      ? [few("renewals"), few("releases"), few("heartbeats")]
      : [few("acquires"), few("renewals"), few("releases"), few("heartbeats")]),
    [seen.acquires.all > 0 && seen.livez.all > 0, "the bystander did nothing"],
    [failed === 0, `${failed} of ${seen.livez.all} requests for /livez failed`],
    [medianMs <= LIVEZ_MEDIAN_MS * slack, `the median of the longest /livez is ${Math.round(medianMs)} ms`],
    [maxMs <= LIVEZ_MAX_MS * slack, `a /livez took ${Math.round(maxMs)} ms`],
    [
      fells || (seen.notUp === 0 && downs === 0),
      `primaries were seen ${seen.notUp} times as not up, and taken for gone ${downs} times`,
    ],
    [seen.resets === 0, `${seen.resets} connections of a bystander were reset`],
  );
}

function byStatus({ failures }: Seen, what: string): string {
  return Object.entries(failures)
    .filter(([name]) => name.startsWith(what))
    .map(([name, count]) => `${name.slice(what.length + 1)}: ${count}`)
    .join(", ");
}

/** One in a hundred, but one at all of those that are few. */
function isFew({ all, failed }: Count, slack: number): boolean {
  return failed <= Math.max(1, all * FAILED_SHARE_MAX) * slack;
}

/** A process that does one part after the other. */
class Actor {
  private constructor(private readonly process: ChildProcess) {}

  static async start(niceness: number): Promise<Actor> {
    const script = fileURLToPath(new URL("actor.ts", import.meta.url));
    const child = fork(script, {
      execArgv: ["--import", "tsx"],
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    if (child.pid !== undefined && niceness > 0) setPriority(child.pid, niceness);
    await once(child, "message");
    const actor = new Actor(child);
    actor.#rest();
    return actor;
  }

  get lives(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null && this.process.connected;
  }

  tell(part: Part): void {
    this.process.send(part);
  }

  play<T>(part: Part): Promise<T> {
    this.process.ref();
    this.process.channel?.ref();
    return new Promise((resolve, reject) => {
      const onExit = (code: number | null) => reject(new Error(`a process of the crowd ended with ${code}`));
      this.process.once("exit", onExit);
      this.process.once("message", (message: { value: T } | { failed: string }) => {
        this.process.off("exit", onExit);
        this.#rest();
        if ("failed" in message) reject(new Error(message.failed));
        else resolve(message.value);
      });
      this.tell(part);
    });
  }

  end(): void {
    this.process.kill("SIGKILL");
  }

  /** Does not keep this process from ending, nor lives longer. */
  #rest(): void {
    this.process.unref();
    this.process.channel?.unref();
  }
}

/** Those that have nothing to do now: to start one takes half a second. */
const idle: Record<Role, Actor[]> = { attacker: [], bystander: [], measurer: [] };

async function actorFor(role: Role): Promise<Actor> {
  for (let actor = idle[role].pop(); actor; actor = idle[role].pop()) if (actor.lives) return actor;
  return Actor.start(NICENESS[role]);
}

type Role = "attacker" | "bystander" | "measurer";

/**
 * The bystander must see what the service is like, not how busy its own machine is with those who attack. One who is to
 * find out how much can be done must not be what is slow.
 */
const NICENESS: Record<Role, number> = { attacker: 5, bystander: 0, measurer: 0 };
const FAILED_SHARE_MAX = 0.01;
const LIVEZ_MEDIAN_MS = 250;
const LIVEZ_MAX_MS = 1_000;
