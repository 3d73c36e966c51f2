import { inWords } from "../duration.js";
import { type Cell, printable } from "../output.js";
import type { Primaries, Primary, Server } from "../types.js";

export const PRIMARY_HEAD = [
  ...["address", "state", "for", "p50", "p99", "server", "append-only file", "memory", "clock"],
];

export function primaryRow({ address, state, forMs, latencyMs, server }: Primary): Cell[] {
  const known = [address, state, inWords(forMs), latency(latencyMs.p50), latency(latencyMs.p99)];
  // Instances of earlier versions do not tell.
  if (!server) return [...known, null, null, null, null];
  const { product, version, persistence, memory, clock } = server;
  return [...known, `${product} ${version}`, persisted(persistence), used(memory), ahead(clock)];
}

/** What the table does not say, a line each. */
export function primariesInWords({ primaries, ...all }: Primaries): string[] {
  const reasons = primaries.flatMap(({ address, reason }) =>
    reason === null ? [] : [printable(`${address}: ${reason}`)],
  );
  const { majority, quorum, grantsInMs, configurationVersion } = all;
  const state = quorum ? "quorum" : "no quorum";
  const grants =
    grantsInMs === null || grantsInMs === 0 ? "" : `; no new lease is granted for ${inWords(grantsInMs)}`;
  const configuration = configurationVersion === null ? "none yet" : `version ${configurationVersion}`;
  return [
    ...reasons,
    `${state}: ${majority} of ${primaries.length} are needed${grants}; configuration: ${configuration}`,
  ];
}

type Told = NonNullable<Server>;

function latency(ms: number | null): Cell {
  return ms === null ? null : `${ms.toFixed(ms < 10 ? 2 : 0)} ms`;
}

function persisted({ appendOnly, appendFsync }: Told["persistence"]): Cell {
  return appendOnly ? (appendFsync ?? "yes, appendfsync unknown") : "none";
}

function used({ usedBytes, maxBytes }: Told["memory"]): Cell {
  const whole = maxBytes === null ? "" : ` of ${bytes(maxBytes)}`;
  return usedBytes === null ? null : `${bytes(usedBytes)}${whole}`;
}

/** `1.4 MB` */
export function bytes(count: number): string {
  const mb = count / 1024 / 1024;
  return mb < 1024 ? `${mb.toFixed(1)} MB` : `${(mb / 1024).toFixed(1)} GB`;
}

function ahead({ differenceMs, uncertaintyMs }: Told["clock"]): Cell {
  if (Math.abs(differenceMs) <= uncertaintyMs + 1) return "same";
  return `${inWords(Math.abs(differenceMs))} ${differenceMs < 0 ? "behind" : "ahead"}`;
}
