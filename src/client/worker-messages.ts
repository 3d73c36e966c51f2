import type { MessagePort } from "node:worker_threads";
import type { QuorateError } from "./errors.js";
import type { LeaseRequest } from "./renewal.js";
import type { Deployment } from "./transport.js";

/** What the worker is told of a lease. The port is closed when the lease is to be renewed no longer. */
export interface Task {
  readonly deployment: Deployment;
  readonly request: LeaseRequest;
  /** Of the deadline: see shared-deadline.ts. */
  readonly memory: SharedArrayBuffer;
  readonly maxHoldMs: number;
  readonly port: MessagePort;
}

/** What the worker tells of a lease that is lost: the parts of a `QuorateError`. */
export type LostMessage = Pick<QuorateError, "code" | "message">;
