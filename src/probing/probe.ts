import { request } from "node:http";
import { connect, type Socket } from "node:net";
import type { Clock } from "../clock.js";
import type { AllowList } from "../outbound/allow-list.js";
import {
  allowedAddress,
  authority,
  HEADER_BYTES_MAX,
  NEVER_RESOLVED,
  type Resolve,
  resolveByDns,
} from "../outbound/destination.js";
import type { ProbeTarget } from "./probe-target.js";

/**
 * How a probe ended. `forbidden`: the name resolves to an address that is not allowed, so nothing was connected to. `late`:
 * this process was paused meanwhile, so nothing is known.
 */
export type ProbeOutcome = "ok" | "failed" | "timeout" | "forbidden" | "late";

export interface ProbeResult {
  readonly outcome: ProbeOutcome;
  /** What happened, in words; nothing of what the target has answered. */
  readonly detail: string;
}

/**
 * Connects to a target once and says how that ended. A name is resolved once, the address that was found is judged, and
 * that same address is connected to. HTTP: any status from 200 to 299 is success; redirects are not followed, and no
 * more than the headers of the answer is read.
 */
export async function probe(
  target: ProbeTarget,
  timeoutMs: number,
  allow: Pick<AllowList, "hasAddress">,
  clock: Pick<Clock, "monotonicMs" | "after">,
  resolve: Resolve = resolveByDns,
): Promise<ProbeResult> {
  const startedMs = clock.monotonicMs();
  const abort = new AbortController();
  let cancel = () => {};
  const timeout = new Promise<ProbeResult>((settle) => {
    cancel = clock.after(timeoutMs, () =>
      settle({ outcome: "timeout", detail: `no answer within ${timeoutMs} ms` }),
    );
  });
  try {
    const attempt = attemptAt(target, allow, resolve, abort.signal);
    const result = await Promise.race([attempt, timeout]);
    const tookMs = clock.monotonicMs() - startedMs;
    // A timer that comes this late was kept from running, and so were the answers.
    if (result.outcome === "timeout" && tookMs > timeoutMs * 1.5 + LATE_MS)
      return { outcome: "late", detail: "this instance was paused" };
    return result;
  } finally {
    cancel();
    abort.abort();
  }
}

async function attemptAt(
  target: ProbeTarget,
  allow: Pick<AllowList, "hasAddress">,
  resolve: Resolve,
  signal: AbortSignal,
): Promise<ProbeResult> {
  try {
    const address = await allowedAddress(target.host, allow, resolve);
    if (address === null) return { outcome: "forbidden", detail: "its address is not allowed" };
    if (signal.aborted) return { outcome: "timeout", detail: "resolving took too long" };
    return target.kind === "tcp" ? await tcp(target, address, signal) : await http(target, address, signal);
  } catch (error) {
    return { outcome: "failed", detail: (error as NodeJS.ErrnoException).code ?? "it failed" };
  }
}

function tcp({ port }: ProbeTarget, address: string, signal: AbortSignal): Promise<ProbeResult> {
  return new Promise((settle, fail) => {
    const socket: Socket = connect({ host: address, port });
    const end = () => void socket.destroy();
    signal.addEventListener("abort", end, { once: true });
    socket.on("error", fail);
    socket.on("connect", () => settle({ outcome: "ok", detail: "connected" }));
  });
}

function http({ host, port, path }: ProbeTarget, address: string, signal: AbortSignal): Promise<ProbeResult> {
  return new Promise((settle, fail) => {
    const asked = request({
      host: address,
      port,
      path,
      method: "GET",
      headers: {
        host: authority({ secure: false, host, port }),
        "user-agent": "quorate-probe",
        connection: "close",
      },
      agent: false,
      maxHeaderSize: HEADER_BYTES_MAX,
      lookup: NEVER_RESOLVED,
    });
    const end = () => void asked.destroy();
    signal.addEventListener("abort", end, { once: true });
    asked.on("error", fail);
    asked.on("response", (response) => {
      const { statusCode = 0 } = response;
      asked.destroy();
      const outcome = statusCode >= 200 && statusCode <= 299 ? "ok" : "failed";
      settle({ outcome, detail: `status ${statusCode}` });
    });
    asked.end();
  });
}

const LATE_MS = 100;
