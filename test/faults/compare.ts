import { checkHolds } from "../history/holds.js";
import { grantMs, hung, ms, quantile, refusals } from "./report.js";
import { type Run, type RunOptions, runFaults } from "./run.js";

/** The same faults at the same times: against the service, then against plain redlock. */
export async function compare(options: Omit<RunOptions, "subject">): Promise<readonly [Run, Run]> {
  const service = await runFaults({ ...options, subject: "service" });
  const timetable = service.happened.map(({ beganMs }) => beganMs - service.startMs);
  const redlock = await runFaults({ ...options, subject: "redlock", timetable });
  return [service, redlock];
}

/** Both runs beside each other, in lines. */
export function comparison(runs: readonly [Run, Run]): string {
  const row = (what: string, of: (run: Run) => string | number) =>
    `${what.padEnd(44)}${runs.map((run) => String(of(run)).padStart(14)).join("")}`;
  return [
    row("", ({ options }) => options.subject),
    row("faults", ({ happened }) => happened.length),
    row("locks granted without waiting", (run) => grantMs(run).length),
    row("times two clients held one name at once", ({ history }) => checkHolds(history).length),
    row("acquires refused: another has it", (run) => refusals(run).held),
    row("acquires that failed otherwise", (run) => refusals(run).other),
    row("requests that hung for 8 s", hung),
    row("promises rejected and handled by nobody", ({ unhandled }) => unhandled),
    row("acquire, p50", (run) => ms(quantile(grantMs(run), 0.5))),
    row("acquire, p99", (run) => ms(quantile(grantMs(run), 0.99))),
  ].join("\n");
}
