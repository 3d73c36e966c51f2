import { z } from "@hono/zod-openapi";
import {
  answer,
  cursorOfNames,
  json,
  label,
  limitInQuery,
  name,
  nextName,
  request,
  waitMsInQuery,
} from "../fields.js";
import { fencingToken, leaseId, leaseKind } from "../leases/schemas.js";
import { callableUrl, signingSecret } from "../signing-fields.js";

export const PARTICIPANTS_MAX = 64;
export const PAYLOAD_BYTES_MAX = 16 * 1024;
const DEADLINE_MS_MAX = 86_400_000;

const id = () =>
  name(
    "A UUID of version 7, which begins with the time when it was made.",
    "019b7ada-7028-7c3a-9d41-5f2ac1a58b7e",
  );

export const TransactionParams = z.object({ id: id() });

const participant = name("A participant.", "stock");

const LEASES_MAX = 8;
const LEASE_NAMES_MAX = 16;

const LeaseBody = request(
  "TransactionLease",
  "A lease that must be held when the transaction commits. Of an election, its term is the fencingToken.",
  {
    kind: leaseKind,
    names: z
      .array(name("A name.", "orders-42"))
      .min(1)
      .max(LEASE_NAMES_MAX)
      .openapi({
        description: "All names that it holds: of a semaphore or an election, its one name.",
        example: ["orders-42"],
      }),
    leaseId,
    fencingToken,
  },
).refine(({ kind, names }) => kind === "locks" || names.length === 1, {
  error: "one name, unless it is a lease of locks",
  path: ["names"],
});

export const BeginBody = request("BeginTransactionRequest", "To begin a transaction.", {
  id: id().optional().openapi({
    description:
      "An id of your own, a UUID of version 7: then the request can be sent again. Without it, one is made.",
  }),
  participants: z
    .array(participant)
    .min(1)
    .max(PARTICIPANTS_MAX)
    .refine((names) => new Set(names).size === names.length, "no name twice")
    .openapi({ description: "All of them must vote yes for it to commit.", example: ["stock", "payment"] }),
  deadlineMs: z.int().min(100).max(DEADLINE_MS_MAX).openapi({
    description: "Time from now after which it is aborted, unless it was committed before, ms.",
    example: 30_000,
  }),
  payload: json(PAYLOAD_BYTES_MAX, "What the participants have to know", { order: 42 }).optional(),
  leases: z
    .array(LeaseBody)
    .max(LEASES_MAX)
    .refine((all) => new Set(all.map((one) => one.leaseId)).size === all.length, "no lease twice")
    .optional()
    .openapi({
      description:
        "Leases without which it must not commit. The last yes commits only once a majority of the primaries have renewed each of them with a second left, and aborts it for the reason lease_lost where one has ended. The decision tells their fencing tokens, never their leaseIds.",
    }),
  callbacks: z
    .record(participant, callableUrl("Where the participant is called.", "https://stock.internal/2pc"))
    .refine((urls) => Object.keys(urls).length > 0, "at least one")
    .optional()
    .openapi({
      description:
        "URLs of participants, by name, that do not ask by themselves: the service calls them for their votes, and then with the decision until they have acknowledged it.",
      example: { stock: "https://stock.internal/2pc" },
    }),
  callbackSecret: signingSecret(
    "By which the calls are signed, whsec_ and 24 to 64 bytes in base64: with callbacks only, and always with them.",
  ).optional(),
});

export const VoteBody = request("VoteRequest", "The vote of a participant.", {
  participant,
  vote: z.enum(["yes", "no"]).openapi({
    description:
      "yes: whatever happens, it can commit, and will do what is decided. It cannot be taken back. no: the transaction is aborted.",
  }),
  reason: label(256, "Why not", "out of stock").optional(),
});

export const AbortBody = request("AbortRequest", "To abort a transaction.", {
  reason: label(256, "Why.", "the customer has left"),
});

export const AcknowledgeBody = request("AcknowledgeRequest", "A participant has done what was decided.", {
  participant,
});

export const TransactionQuery = z.strictObject({
  waitMs: waitMsInQuery("How long to wait for the decision"),
});

const UNDECIDED_PAGE_MAX = 1_000;

export const UndecidedQuery = z.strictObject({
  state: z.literal("active").openapi({ description: "Only those that are not decided yet can be listed." }),
  cursor: cursorOfNames("019b7ada-7028-7c3a-9d41-5f2ac1a58b7e").optional(),
  limit: limitInQuery("How many transactions this page looks at, at most.", UNDECIDED_PAGE_MAX, 100),
});

export const TransactionSchema = answer("Transaction", "A transaction.", {
  id: z.string().openapi({ description: "Its id.", example: "019b7ada-7028-7c3a-9d41-5f2ac1a58b7e" }),
  state: z.enum(["active", "committed", "aborted", "ended"]).openapi({
    description: "ended: it is decided, and every participant has acknowledged that.",
  }),
  decision: z
    .enum(["committed", "aborted"])
    .nullable()
    .openapi({ description: "Once there is one, it never changes. null: not yet." }),
  reason: z.string().nullable().openapi({
    description: "Why it was aborted; lease_lost: a lease that it names had ended when the last vote came.",
    example: null,
  }),
  participants: z
    .array(
      answer("Participant", "A participant of a transaction.", {
        name: z.string().openapi({ description: "Its name.", example: "stock" }),
        vote: z.enum(["yes", "no"]).nullable().openapi({ description: "null: it has not voted." }),
        acknowledged: z.boolean().openapi({ description: "Whether it has done what was decided." }),
      }),
    )
    .openapi({ description: "None where a vote or an abort came for an id that nobody had begun." }),
  leases: z
    .array(
      answer("LeaseOfTransaction", "A lease that the transaction names.", {
        kind: leaseKind,
        names: z.array(z.string()).openapi({ description: "What it holds.", example: ["orders-42"] }),
        fencingToken,
      }),
    )
    .openapi({
      description:
        "The leases that it names. They were held when the commit was proposed, and may have ended since: what they guard compares the tokens.",
    }),
  payload: z
    .unknown()
    .openapi({ description: "As it was given; null: there is none.", example: { order: 42 } }),
  deadlineInMs: z.int().min(0).nullable().openapi({
    description: "Time left to decide it, ms. null: it is decided.",
    example: 21_400,
  }),
});

export const TransactionsSchema = answer("Transactions", "Transactions that are not decided.", {
  transactions: z
    .array(TransactionSchema)
    .openapi({ description: "In the order in which their ids were made." }),
  cursor: nextName,
});
