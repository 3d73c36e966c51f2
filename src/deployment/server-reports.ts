import type { Clock } from "../clock.js";
import type { Primary } from "../redis/primary.js";
import { clockDifference, microsOf, readReport, type ServerReport } from "./server-report.js";

/**
 * The reports of all servers, for those who look at them. Nothing is sent unless somebody does, and then at most every
 * `FRESH_MS`, however many look.
 */
export class ServerReports {
  readonly #latest = new Map<Primary, Report>();

  constructor(
    private readonly primaries: readonly Primary[],
    private readonly clock: Clock,
  ) {}

  /** In the order of the primaries, after `WAIT_MS_MAX` at the latest. Null: it does not answer, or not in time. */
  async all(): Promise<readonly (ServerReport | null)[]> {
    let cancel = () => {};
    const late = new Promise<null>((resolve) => {
      cancel = this.clock.after(WAIT_MS_MAX, () => resolve(null));
    });
    const reports = this.primaries.map((primary) => Promise.race([this.#of(primary), late]));
    return Promise.all(reports).finally(cancel);
  }

  #of(primary: Primary): Promise<ServerReport | null> {
    const { connectionEpoch } = primary;
    if (connectionEpoch === null) return Promise.resolve(null);
    const nowMs = this.clock.monotonicMs();
    const latest = this.#latest.get(primary);
    if (latest?.connectionEpoch === connectionEpoch && nowMs - latest.atMs < FRESH_MS) return latest.report;
    // Also where it cannot be had: otherwise everybody who looks would send commands.
    const report = this.#ask(primary, connectionEpoch).catch(() => null);
    this.#latest.set(primary, { connectionEpoch, atMs: nowMs, report });
    return report;
  }

  async #ask(primary: Primary, connectionEpoch: number): Promise<ServerReport> {
    const setting = (name: string) =>
      primary.command(connectionEpoch, "CONFIG", "GET", name).catch(() => null);
    // First of all, so that the others do not make its round trip longer.
    const time = this.#time(primary, connectionEpoch);
    const [clock, info, appendFsync, save] = await Promise.all([
      time,
      primary.command(connectionEpoch, "INFO"),
      setting("appendfsync"),
      setting("save"),
    ]);
    return readReport({ info: String(info), appendFsync, save }, clock);
  }

  async #time(primary: Primary, connectionEpoch: number) {
    const askedAt = this.clock.wallMicros();
    const theirs = microsOf(await primary.command(connectionEpoch, "TIME"));
    return clockDifference(theirs, askedAt, this.clock.wallMicros());
  }
}

interface Report {
  readonly connectionEpoch: number;
  readonly atMs: number;
  /** Null: it could not be had. */
  readonly report: Promise<ServerReport | null>;
}

/** A setting that was changed shows within this time, ms. */
const FRESH_MS = 2_000;
const WAIT_MS_MAX = 500;
