import type { Told } from "../../primitives/transactions/transactions.js";

/** A transaction as answers have it. */
export function toJson(id: string, { transaction, deadlineInMs }: Told) {
  const { begunBy: _digest, payload, participants, leases = [], ...told } = transaction;
  return {
    id,
    ...told,
    participants: participants.map((one) => ({ ...one })),
    leases: leases.map(({ kind, names, fencingToken }) => ({ kind, names: [...names], fencingToken })),
    payload: payload === null ? null : (JSON.parse(payload) as unknown),
    deadlineInMs: deadlineInMs === null ? null : Math.ceil(deadlineInMs),
  };
}
