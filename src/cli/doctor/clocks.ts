import { inWords } from "../duration.js";
import { on } from "./cures.js";
import type { Examined } from "./examination.js";
import { type Finding, see } from "./finding.js";

/**
 * Clocks that are wrong: that of an instance which differs from most of its primaries, and those of primaries which differ
 * from the others.
 */
export function findingsOfClocks(examined: readonly Examined[]): Finding[] {
  const told = examined.flatMap(({ url, primaries }) => {
    const clocks = (primaries?.primaries ?? []).flatMap(({ address, server }) =>
      server ? [{ address, ...server.clock }] : [],
    );
    return clocks.length === 0
      ? []
      : [{ url, clocks, medianMs: median(clocks.map((one) => one.differenceMs)) }];
  });
  const instances = told.flatMap(({ url, clocks, medianMs }) => {
    const uncertaintyMs = Math.max(...clocks.map((clock) => clock.uncertaintyMs));
    // What is ahead of this instance makes it behind.
    return isWrong(medianMs, uncertaintyMs) ? [ofInstance(url, -medianMs)] : [];
  });
  const primaries = new Map<string, Finding>();
  for (const { clocks, medianMs } of told)
    for (const { address, differenceMs, uncertaintyMs } of clocks)
      if (isWrong(differenceMs - medianMs, uncertaintyMs))
        primaries.set(address, ofPrimary(address, differenceMs - medianMs));
  return [...instances, ...primaries.values()];
}

const ofInstance = (url: string, aheadMs: number): Finding => ({
  id: "clock-of-instance",
  weight: "serious",
  subject: url,
  what: `its clock is ${inWords(Math.abs(aheadMs))} ${direction(aheadMs)} those of the primaries`,
  why: "after a restart of all primaries, tokens begin at the clock of an instance; JWTs end by it as well",
  see: see("rebooting"),
  cure: on(url, "timedatectl set-ntp true"),
});

const ofPrimary = (address: string, aheadMs: number): Finding => ({
  id: "clock-of-primary",
  weight: "minor",
  subject: address,
  what: `its clock is ${inWords(Math.abs(aheadMs))} ${direction(aheadMs)} those of the others`,
  why: "a clock that NTP does not keep may jump, which ends leases on this primary too early or too late",
  see: see("what-to-alert-on"),
  cure: on(address, "timedatectl set-ntp true"),
});

const direction = (aheadMs: number) => (aheadMs < 0 ? "behind" : "ahead of");
const isWrong = (ms: number, uncertaintyMs: number) => Math.abs(ms) - uncertaintyMs > DIFFERENCE_MS_MAX;

/** The middle one; of an even number the one of the two that is closer to the clock of the instance. */
function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
  const upper = sorted[Math.floor(sorted.length / 2)] ?? 0;
  return Math.abs(lower) <= Math.abs(upper) ? lower : upper;
}

/** NTP keeps clocks within some ms, and some tens over bad networks. */
const DIFFERENCE_MS_MAX = 500;
