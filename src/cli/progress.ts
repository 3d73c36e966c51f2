import { QuorateError } from "../client/errors.js";
import type { Deployment } from "../client/transport.js";
import { Transport } from "../client/transport.js";
import { sleep, systemWorld } from "../client/world.js";
import { inWords } from "./duration.js";
import { printable } from "./printable.js";

/** What is waited for. */
export interface Awaited {
  readonly name: string;
  /** Of the resource, below /v1, such as `/locks/nightly`. */
  readonly path: string;
  /** What this process is called in the queue. */
  readonly owner: string;
  /** How long it waits at most, ms; undefined: for ever. */
  readonly waitMs: number | undefined;
}

/** What a lock, a semaphore or an election says of itself. */
interface Shown {
  readonly holders?: readonly Party[];
  readonly leader?: Party | null;
  readonly waiting: number;
  readonly queue?: readonly (Party & { readonly position: number })[];
}

interface Party {
  readonly owner?: string | null;
  readonly candidate?: string | null;
  readonly heldForMs?: number;
}

/**
 * Shows on the terminal, in one line that changes, what is waited for, until the signal aborts. Shows nothing where stderr is
 * no terminal.
 */
export async function showProgress(
  deployment: Deployment,
  awaited: Awaited,
  signal: AbortSignal,
): Promise<void> {
  if (!process.stderr.isTTY) return;
  const { clock } = systemWorld;
  const transport = new Transport(deployment, systemWorld);
  const sinceMs = clock.monotonicMs();
  let drawn = false;
  signal.addEventListener("abort", () => {
    if (drawn) process.stderr.write(CLEAR);
  });
  try {
    // What does not wait at all shows nothing.
    for (let pauseMs = FIRST_MS; ; pauseMs = PAUSE_MS) {
      await sleep(clock, pauseMs, signal);
      const text = await textOf(transport, awaited, signal);
      signal.throwIfAborted();
      const passedMs = clock.monotonicMs() - sinceMs;
      process.stderr.write(CLEAR + cut(`${text} (${times(passedMs, awaited.waitMs)})`));
      drawn = true;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function textOf(transport: Transport, awaited: Awaited, signal: AbortSignal): Promise<string> {
  const { name, path } = awaited;
  try {
    const limits = transport.limits({ timeoutMs: PAUSE_MS, signal });
    const { body } = await transport.send<Shown>({ method: "GET", path, ...limits });
    return `waiting for ${name}: ${lineOf(body, awaited)}`;
  } catch (error) {
    if (error instanceof QuorateError && error.code !== "unreachable")
      return `waiting for ${name}: ${error.code}`;
    return `waiting for ${name}: no instance answers`;
  }
}

/** Where this process is in the queue, who is ahead of all, and since when. */
export function lineOf({ holders = [], leader, waiting, queue = [] }: Shown, { owner }: Awaited): string {
  const mine = queue.filter((entry) => nameOf(entry) === owner);
  const position =
    mine.length === 1 ? `position ${mine[0]?.position} of ${waiting}` : `${waiting} in the queue`;
  const [first, ...more] = leader
    ? [leader]
    : [...holders].sort((a, b) => (b.heldForMs ?? 0) - (a.heldForMs ?? 0));
  if (!first) return `${position}, held by nobody`;
  const others = more.length > 0 ? ` and ${more.length} more` : "";
  const who = nameOf(first) ?? "one without a name";
  return `${position}, held by ${printable(who)}${others} for ${inWords(first.heldForMs ?? 0)}`;
}

const nameOf = ({ owner, candidate }: Party) => owner ?? candidate;

const times = (passedMs: number, waitMs: number | undefined) =>
  waitMs === undefined || waitMs <= passedMs
    ? inWords(passedMs)
    : `${inWords(passedMs)}, at most ${inWords(waitMs - passedMs)} more`;

/** To one line of the terminal: a longer one could not be cleared. */
const cut = (text: string) => text.slice(0, Math.max(20, (process.stderr.columns || 80) - 1));

const CLEAR = "\r\x1b[K";
const FIRST_MS = 300;
const PAUSE_MS = 1_000;
