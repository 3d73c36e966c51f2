import { parentPort } from "node:worker_threads";
import type { QuorateError } from "./errors.js";
import { renewInLoop } from "./renewal.js";
import { sharedDeadline } from "./shared-deadline.js";
import { Transport } from "./transport.js";
import { Validity } from "./validity.js";
import type { LostMessage, Task } from "./worker-messages.js";
import { systemWorld } from "./world.js";

// The thread of worker.ts: renews leases of other threads, each until its port is closed.

parentPort?.on("message", ({ deployment, request, memory, maxHoldMs, port }: Task) => {
  const { clock } = systemWorld;
  const deadline = sharedDeadline(memory, clock);
  const validity = new Validity(clock, deadline);
  const stop = renewInLoop({ transport: new Transport(deployment, systemWorld), validity, request });
  const cancel = clock.after(maxHoldMs, stop);
  validity.whenLost(() => {
    const { code, message, ...fields } = validity.reason as QuorateError;
    // In this order: see worker.ts.
    port.postMessage({ code, message, ...fields } satisfies LostMessage);
    deadline.set(0);
  });
  port.on("close", () => {
    cancel();
    stop();
    validity.end();
  });
});
