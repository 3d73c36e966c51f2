import type { Answer } from "../typed-examples.js";
import type { TransactionSchema, TransactionsSchema } from "./schemas.js";

const id = "019b7ada-7028-7c3a-9d41-5f2ac1a58b7e";
const payload = { order: 42 };
const participants = ["stock", "payment"];

export const begins = {
  begin: { value: { participants, deadlineMs: 30_000, payload } },
  own: { summary: "With an id of its own", value: { id, participants, deadlineMs: 30_000, payload } },
  leases: {
    summary: "Only while a lock is held",
    value: {
      participants,
      deadlineMs: 30_000,
      leases: [
        {
          kind: "locks" as const,
          names: ["orders-42"],
          leaseId: "q-mZ2c0m8nTzK1bq0gVwYk3A",
          fencingToken: 1_795_222_235_123_458,
        },
      ],
    },
  },
  called: {
    summary: "The service calls one of the participants",
    value: {
      participants,
      deadlineMs: 30_000,
      payload,
      callbacks: { stock: "https://stock.internal/2pc" },
      callbackSecret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    },
  },
};
export const votes = {
  yes: { value: { participant: "payment", vote: "yes" as const } },
  no: { value: { participant: "stock", vote: "no" as const, reason: "out of stock" } },
};
export const aborts = { abort: { value: { reason: "the customer has left" } } };
export const acknowledgements = { acknowledge: { value: { participant: "stock" } } };

type Transaction = Answer<typeof TransactionSchema>;
const participant = (name: string, vote: "yes" | "no" | null, acknowledged = false) => ({
  name,
  vote,
  acknowledged,
});

const active: Transaction = {
  id,
  state: "active",
  decision: null,
  reason: null,
  participants: [participant("stock", "yes"), participant("payment", null)],
  leases: [{ kind: "locks", names: ["orders-42"], fencingToken: 1_795_222_235_123_458 }],
  payload,
  deadlineInMs: 21_400,
};
const committed: Transaction = {
  ...active,
  state: "committed",
  decision: "committed",
  participants: [participant("stock", "yes"), participant("payment", "yes")],
  deadlineInMs: null,
};
const aborted: Transaction = {
  ...active,
  state: "aborted",
  decision: "aborted",
  reason: "out of stock",
  participants: [participant("stock", "no"), participant("payment", null)],
  deadlineInMs: null,
};

export const begun = {
  active: { value: { ...active, participants: participants.map((one) => participant(one, null)) } },
};
export const voted = { committed: { summary: "The last yes", value: committed }, active: { value: active } };
export const abortedByHand = { aborted: { value: { ...aborted, reason: "the customer has left" } } };
export const acknowledged = {
  committed: {
    value: { ...committed, participants: [participant("stock", "yes", true), participant("payment", "yes")] },
  },
};
export const transactions = {
  active: { value: active },
  committed: { value: committed },
  aborted: { value: aborted },
};

const page: Answer<typeof TransactionsSchema> = { transactions: [active], cursor: null };
export const pages = { page: { value: page } };

export const events = {
  snapshot: {
    summary: "The snapshot, and a decision",
    value: [
      `event: transaction\ndata: ${JSON.stringify(active)}\n\n`,
      'event: synced\ndata: {"transactions":1}\n\n',
      `event: changed\ndata: ${JSON.stringify(committed)}\n\n`,
    ].join(""),
  },
};
