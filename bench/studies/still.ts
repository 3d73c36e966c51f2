import { setTimeout as sleep } from "node:timers/promises";
import { hangUp, lockAt } from "../load/client.js";
import type { Watched } from "../machine/primaries.js";
import type { InstanceProcess } from "../machine/process.js";

/** The cost of waiting requests for an instance while nothing is released. */
export interface Still {
  readonly idleMb: number;
  readonly residentMb: number;
  readonly cpuPercent: number;
  /** Duration of the measurement: shorter than requested if the first request would otherwise time out. */
  readonly seconds: number;
  readonly joinedMs: number;
}

/** Throws if a request ends before the measurement does. */
export async function standStill(
  { url, usage }: InstanceProcess,
  primaries: Watched,
  wanted: { readonly waiting: number; readonly names: number; readonly seconds: number },
): Promise<Still> {
  const names = Array.from({ length: wanted.names }, (_, i) => `still-${wanted.names}-${i}`);
  for (const name of names) await lockAt(url, name).acquire({ ttlMs: 300_000 });
  const { residentMb: idleMb } = await usage();
  const startMs = performance.now();
  const failed = await join(url, primaries, names, wanted.waiting);
  const joinedMs = performance.now() - startMs;
  const before = await usage();
  const fromMs = performance.now();
  await sleep(Math.min(wanted.seconds * 1000, Math.max(1000, WAIT_MS - MARGIN_MS - joinedMs)));
  failed.assertNot();
  const after = await usage();
  const tookMs = performance.now() - fromMs;
  hangUp();
  return {
    idleMb,
    residentMb: Math.max(before.residentMb, after.residentMb),
    cpuPercent: (100 * (after.cpuMs - before.cpuMs)) / tookMs,
    seconds: tookMs / 1000,
    joinedMs,
  };
}

/** This many requests join the queues of these locks in turn. None may be granted or answered before the measurement ends. */
async function join(
  url: string,
  primaries: Watched,
  names: readonly string[],
  total: number,
): Promise<{ assertNot(): void }> {
  const locks = names.map((name) => lockAt(url, name));
  let failure: Error | null = null;
  const ended = (how: unknown) => {
    failure ??= new Error("a request ended too early", { cause: how });
  };
  const assertNot = () => {
    if (failure) throw failure;
  };
  let sent = 0;
  for (let waiting = 0; waiting < total; waiting = await primaries.waiting(names)) {
    for (const most = Math.min(total, waiting + JOINING_MAX); sent < most; sent++) {
      const lock = locks[sent % locks.length] as (typeof locks)[number];
      void lock.acquire({ ttlMs: 1_000, waitMs: WAIT_MS }).then(ended, ended);
    }
    await sleep(5);
    assertNot();
  }
  return { assertNot };
}

/** This many join the queues at once: bursts are not what is measured here. */
const JOINING_MAX = 150;
const WAIT_MS = 25_000;
const MARGIN_MS = 500;
