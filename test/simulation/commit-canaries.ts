import type { Held, NamedLeases } from "../../src/primitives/transactions/named-leases.js";
import type { Core } from "../../src/service.js";
import type { Canary } from "./canaries.js";
import { onlyCommits } from "./plan.js";

const breaks = ["transactions"];

/** Transactions across services without one of their rules. */
export const COMMIT_CANARIES: readonly Canary[] = [
  {
    name: "a transaction commits without renewing the leases that it names",
    breaks,
    from: 3,
    replan: onlyCommits,
    change: (core) => {
      leasesOf(core).renew = async () => HELD;
    },
  },
];

const HELD: Held = { kind: "held", untilMs: Number.POSITIVE_INFINITY };

const leasesOf = ({ transactions }: Core): NamedLeases =>
  (transactions as unknown as { leases: NamedLeases }).leases;
