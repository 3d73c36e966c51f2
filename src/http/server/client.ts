import type { ServerResponse } from "node:http";
import type { Context } from "hono";
import type { InFlight } from "../../primitives/leases/lease-terms.js";
import type { Departure } from "../../primitives/queue/waiter.js";
import { inFlightOf } from "./admission.js";
import { outgoingOf } from "./arrivals.js";

/** What an operation that may wait has to know about its client. */
export function ofClient(c: Context): {
  readonly signal: Departure;
  readonly inFlight: InFlight | undefined;
} {
  const outgoing = outgoingOf(c);
  return { signal: outgoing ? new Disconnection(outgoing) : c.req.raw.signal, inFlight: inFlightOf(c) };
}

/** That the client disconnected before it had its answer. The framework's own signal costs as much as a look-up. */
class Disconnection implements Departure {
  constructor(private readonly outgoing: ServerResponse) {}

  get aborted(): boolean {
    return this.outgoing.destroyed && !this.outgoing.writableFinished;
  }

  /** Called while there is no answer yet: so any close comes before it. */
  addEventListener(_: "abort", listener: () => void): void {
    this.outgoing.on("close", listener);
  }

  removeEventListener(_: "abort", listener: () => void): void {
    this.outgoing.off("close", listener);
  }
}
