import type { Define } from "./invocation.js";

export interface Listed {
  readonly name: string;
  readonly summary: string;
  /** Whether it asks the service, and so has the options that say where. */
  readonly asks: boolean;
  /** Whether it runs a command that is given after `--`. */
  readonly runs: boolean;
  /** Loaded only when it is used: the time to start counts. */
  readonly load: () => Promise<{ readonly define: Define }>;
}

/** In the order of the help. */
export const COMMANDS: readonly Listed[] = [
  {
    name: "run",
    summary: "run a command while a lock or permits are held",
    asks: true,
    runs: true,
    load: () => import("./commands/run.js"),
  },
  {
    name: "elect",
    summary: "run a command whenever this process is the leader",
    asks: true,
    runs: true,
    load: () => import("./commands/elect.js"),
  },
  {
    name: "member",
    summary: "run a command while it is registered as a member of a service",
    asks: true,
    runs: true,
    load: () => import("./commands/member.js"),
  },
  {
    name: "get",
    summary: "see locks, semaphores, elections, registers, members or owners by name",
    asks: true,
    runs: false,
    load: () => import("./commands/get.js"),
  },
  {
    name: "list",
    summary: "list the locks that are held, registers, or the members of services",
    asks: true,
    runs: false,
    load: () => import("./commands/list.js"),
  },
  {
    name: "watch",
    summary: "follow who leads, registers, or the members of services",
    asks: true,
    runs: false,
    load: () => import("./commands/watch.js"),
  },
  {
    name: "set",
    summary: "set a register",
    asks: true,
    runs: false,
    load: () => import("./commands/set.js"),
  },
  {
    name: "transactions",
    summary: "see and abort transactions across services",
    asks: true,
    runs: false,
    load: () => import("./commands/transactions.js"),
  },
  {
    name: "pick",
    summary: "pick members of a service to send work to",
    asks: true,
    runs: false,
    load: () => import("./commands/pick.js"),
  },
  {
    name: "drain",
    summary: "give a member of a service no more work",
    asks: true,
    runs: false,
    load: () => import("./commands/drain.js"),
  },
  {
    name: "break",
    summary: "end the leases on a lock, as an operator",
    asks: true,
    runs: false,
    load: () => import("./commands/break.js"),
  },
  {
    name: "primaries",
    summary: "see the primaries",
    asks: true,
    runs: false,
    load: () => import("./commands/primaries.js"),
  },
  {
    name: "doctor",
    summary: "find what is wrong with instances and primaries, and how to cure it",
    asks: true,
    runs: false,
    load: () => import("./commands/doctor.js"),
  },
  {
    name: "serve",
    summary: "start an instance of the service",
    asks: false,
    runs: false,
    load: () => import("./commands/serve.js"),
  },
];
