import type { Context } from "hono";
import type { InFlight } from "../../primitives/leases/lease-terms.js";
import { permittedOf } from "../access/authorization.js";
import type { Dependencies, Env } from "../context.js";
import { inFlightOf } from "../server/admission.js";

/** Something that a request waits for, for as long as its caller is there and may, and this instance does not stop. */
export function waitingFor(
  c: Context<Env>,
  { clock, stopping, revocations }: Pick<Dependencies, "clock" | "stopping" | "revocations">,
  waitMs: number,
) {
  return {
    deadlineMs: clock.monotonicMs() + waitMs,
    /** Where the instance stops before `isOver`, the caller is sent to another. */
    async during<T>(
      wait: (signal: AbortSignal, inFlight: InFlight | undefined) => Promise<T>,
      isOver: (state: T) => boolean,
    ): Promise<T> {
      const state = await revocations.during(permittedOf(c), c.req.raw.signal, (allowed) =>
        stopping.during(allowed, (signal) => wait(signal, inFlightOf(c))),
      );
      if (!isOver(state)) stopping.assertNot();
      return state;
    },
  };
}
