import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import {
  abort,
  acknowledge,
  ageOf,
  begin,
  expire,
  LEASE_LOST,
  type NamedLease,
  REMEMBERED_MS,
  type Seen,
  type Step,
  type Transaction,
  UUID_V7,
  uuidV7,
  type Vote,
  vote,
} from "../../src/algorithms/two-phase.js";

const NAMES = ["a", "b", "c"];

type Message =
  | { readonly kind: "begin"; readonly begunBy: string }
  | { readonly kind: "vote"; readonly name: string; readonly its: Vote }
  /** The lease that the transaction names is renewed, ends, or nobody has looked any more. */
  | { readonly kind: "lease"; readonly leases: Seen["leases"] }
  | { readonly kind: "abort" | "deadline" | "sweep" }
  | { readonly kind: "acknowledge"; readonly name: string };

interface Rules {
  readonly vote: typeof vote;
}

function stepOf(seen: Seen, message: Message, rules: Rules, leases: readonly NamedLease[]): Step {
  switch (message.kind) {
    case "begin":
      return begin(seen, { participants: NAMES, payload: null, begunBy: message.begunBy, leases });
    case "vote":
      return rules.vote(seen, message.name, message.its, null);
    case "abort":
      return abort(seen, "asked to");
    case "acknowledge":
      return acknowledge(seen, message.name);
    case "deadline":
    case "sweep":
      return expire(seen);
    case "lease":
      return { kind: "same" };
  }
}

interface Happened {
  readonly before: Transaction | null;
  readonly message: Message;
  readonly leases: Seen["leases"];
  readonly step: Step;
}

/** All that a transaction went through. The deadline passes once, and is over from then on. */
function historyOf(messages: readonly Message[], rules: Rules = { vote }, named: readonly NamedLease[] = []) {
  const history: Happened[] = [];
  let transaction: Transaction | null = null;
  let isOver = false;
  let leases: Seen["leases"] = "unknown";
  for (const message of messages) {
    if (message.kind === "deadline") isOver = true;
    if (message.kind === "lease") leases = message.leases;
    const seen = { transaction, isOver: isOver && transaction?.state === "active", leases };
    const step = stepOf(seen, message, rules, named);
    history.push({ before: transaction, message, leases, step });
    transaction = nextOf(step) ?? transaction;
  }
  return { history, transaction };
}

const nextOf = (step: Step) => ("next" in step ? (step.next ?? null) : null);

/** `begin`, `a+`, `a-` (votes), `a!` (acknowledgements), `abort`, `deadline`, `sweep`; `held`, `lost`, `unknown`: the lease. */
function messagesOf(text: string): Message[] {
  return text.split(" ").map((word): Message => {
    if (word === "begin") return { kind: "begin", begunBy: "one" };
    if (word === "begin2") return { kind: "begin", begunBy: "another" };
    if (word === "abort" || word === "deadline" || word === "sweep") return { kind: word };
    if (word === "held" || word === "lost" || word === "unknown") return { kind: "lease", leases: word };
    const name = word[0] as string;
    if (word[1] === "!") return { kind: "acknowledge", name };
    return { kind: "vote", name, its: word[1] === "+" ? "yes" : "no" };
  });
}

const LEASES: readonly NamedLease[] = [
  { kind: "locks", names: ["orders-42"], leaseId: "a-secret-of-22-characters", fencingToken: 7 },
];

describe("a transaction", () => {
  it.each([
    ["begin", "changed", "active"],
    ["begin begin", "same", "active"],
    ["begin begin2", "begun_by_another", "active"],
    ["begin a+ b+", "changed", "active"],
    ["begin a+ b+ c+", "changed", "committed"],
    ["begin a+ a+", "same", "active"],
    ["begin a+ a-", "contrary_vote", "active"],
    ["begin x+", "unknown_participant", "active"],
    ["begin a+ b-", "changed", "aborted"],
    ["begin a+ b- b-", "same", "aborted"],
    ["begin a+ b- c+", "already_decided", "aborted"],
    ["begin a+ b+ c+ c+", "same", "committed"],
    ["begin a+ b+ c+ a-", "already_decided", "committed"],
    ["begin a+ b+ c+ abort", "already_decided", "committed"],
    ["begin a+ b+ c+ deadline", "same", "committed"],
    ["begin abort", "changed", "aborted"],
    ["begin abort abort", "same", "aborted"],
    ["begin a+ deadline", "changed", "aborted"],
    ["begin a+ b+ deadline c+", "already_decided", "aborted"],
    ["begin a!", "not_decided", "active"],
    ["begin abort x!", "unknown_participant", "aborted"],
    ["begin a+ b+ c+ a! b!", "changed", "committed"],
    ["begin a+ b+ c+ a! a!", "same", "committed"],
    ["begin a+ b+ c+ a! b! c!", "changed", "ended"],
    ["begin a+ b+ c+ a! b! c! a-", "already_decided", "ended"],
    ["begin a- a! b! c!", "changed", "ended"],
    ["a+", "already_decided", "aborted"],
    ["a+ a+", "already_decided", "aborted"],
    ["a+ begin", "already_decided", "aborted"],
    ["abort", "changed", "aborted"],
    ["abort begin", "already_decided", "aborted"],
    ["a!", "unknown_transaction", null],
    ["sweep", "same", null],
  ] as const)("%s: %s, %s", (text, told, state) => {
    const { history, transaction } = historyOf(messagesOf(text));
    const step = history.at(-1)?.step;
    expect(step?.kind === "refused" ? step.why : step?.kind).toBe(told);
    expect(transaction?.state ?? null).toBe(state);
  });

  it.each([
    ["begin", "unheld", null],
    ["lost begin", "unheld", null],
    ["held begin", "changed", "active"],
    ["held begin unknown begin", "same", "active"],
    ["held begin unknown a+ b+", "changed", "active"],
    ["held begin unknown a+ b+ c+", "unheld", "active"],
    ["held begin a+ b+ c+", "changed", "committed"],
    ["held begin a+ b+ lost c+", "changed", "aborted"],
    ["held begin a+ b+ lost c+ c+", "same", "aborted"],
    ["held begin a+ b+ lost c+ held c+", "same", "aborted"],
    ["held begin a+ b+ unknown c+ held c+", "changed", "committed"],
    ["held begin a+ b+ c+ lost c+", "same", "committed"],
    ["held begin a+ b+ unknown c-", "changed", "aborted"],
    ["held begin a+ b+ unknown abort", "changed", "aborted"],
    ["held begin a+ b+ unknown deadline c+", "already_decided", "aborted"],
    ["held begin unknown x+", "unknown_participant", "active"],
  ] as const)("with a lease, %s: %s, %s", (text, told, state) => {
    const { history, transaction } = historyOf(messagesOf(text), { vote }, LEASES);
    const step = history.at(-1)?.step;
    expect(step?.kind === "refused" ? step.why : step?.kind).toBe(told);
    expect(transaction?.state ?? null).toBe(state);
  });

  it("keeps the secrets of its leases until it is decided, and their tokens", () => {
    const { transaction: active } = historyOf(messagesOf("held begin"), { vote }, LEASES);
    expect(active?.leases).toEqual(LEASES);
    for (const text of ["held begin a+ b+ c+", "held begin a-", "held begin abort", "held begin deadline"]) {
      const { transaction } = historyOf(messagesOf(text), { vote }, LEASES);
      expect(transaction?.leases).toEqual([{ kind: "locks", names: ["orders-42"], fencingToken: 7 }]);
    }
    expect(historyOf(messagesOf("held begin a+ b+ lost c+"), { vote }, LEASES).transaction?.reason).toBe(
      LEASE_LOST,
    );
  });

  it("whose last vote comes after the deadline is aborted by that vote", () => {
    const begun = historyOf(messagesOf("begin a+ b+")).transaction;
    const step = vote({ transaction: begun, isOver: true, leases: "unknown" }, "c", "yes", null);
    expect(step).toMatchObject({ kind: "refused", why: "already_decided", next: { state: "aborted" } });
  });
});

const message: fc.Arbitrary<Message> = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.constantFrom<Message>({ kind: "begin", begunBy: "one" }, { kind: "begin", begunBy: "two" }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("vote" as const),
      name: fc.constantFrom(...NAMES),
      its: fc.constantFrom<Vote>("yes", "yes", "yes", "no"),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Message>({ kind: "abort" }, { kind: "deadline" }, { kind: "sweep" }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("lease" as const),
      leases: fc.constantFrom<Seen["leases"]>("held", "lost", "unknown"),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("acknowledge" as const), name: fc.constantFrom(...NAMES) }),
  },
);
/** Most begin with their beginning, while the lease is held. */
const messages = fc
  .tuple(fc.nat(4), fc.array(message, { maxLength: 14 }))
  .map(([first, all]): Message[] => (first > 0 ? [...messagesOf("held begin"), ...all] : all));

/** What is wrong with what a transaction went through, or null. */
function wrongIn({ history }: ReturnType<typeof historyOf>): string | null {
  let decision: string | null = null;
  const yes = new Set<string>();
  for (const { before, message, leases, step } of history) {
    const next = nextOf(step) ?? before;
    if (message.kind === "vote" && message.its === "yes" && step.kind === "changed") yes.add(message.name);
    const decided = next?.decision ?? null;
    if (decision !== null && decided !== decision) return `${decision}, then ${decided}`;
    if (decision === null && decided === "committed" && next?.leases && leases !== "held")
      return "committed while nobody knew that its lease was held";
    decision = decided;
    if (decided === "committed" && NAMES.some((name) => !yes.has(name))) return "committed without every yes";
    if (next?.state === "ended" && next.participants.some(({ acknowledged }) => !acknowledged))
      return "ended before all had acknowledged";
  }
  return null;
}

/** A seed of its own, so that a failure is one that everybody sees. */
const settings = { seed: 19, numRuns: 5_000 };
const found = (rules?: Rules) =>
  fc.check(
    fc.property(messages, fc.constantFrom([], LEASES), (all, leases) => {
      return wrongIn(historyOf(all, rules, leases)) === null;
    }),
    settings,
  );

test("there is one decision ever, no commit without every yes and the leases it names, and no end before all have acknowledged it", () => {
  expect(found().failed).toBe(false);
});

const WRONG: Record<string, Rules> = {
  "a late no aborts what was committed": {
    vote: (seen, name, its, reason) => {
      const { transaction } = seen;
      if (its === "yes" || transaction?.decision !== "committed") return vote(seen, name, its, reason);
      return { kind: "changed", next: { ...transaction, state: "aborted", decision: "aborted" } };
    },
  },
  "a vote on what was aborted begins it anew": {
    vote: (seen, name, its, reason) => {
      const { transaction } = seen;
      if (transaction?.decision !== "aborted") return vote(seen, name, its, reason);
      return vote(
        { ...seen, transaction: { ...transaction, state: "active", decision: null } },
        name,
        its,
        reason,
      );
    },
  },
  "a commit does not ask for leases": {
    vote: (seen, name, its, reason) => vote({ ...seen, leases: "held" }, name, its, reason),
  },
  "a lease that nobody has looked at is taken for held": {
    vote: (seen, name, its, reason) =>
      vote({ ...seen, leases: seen.leases === "unknown" ? "held" : seen.leases }, name, its, reason),
  },
  "a majority of yes commits": {
    vote: (seen, name, its, reason) => {
      const step = vote(seen, name, its, reason);
      if (step.kind !== "changed" || step.next.participants.filter((one) => one.vote === "yes").length < 2)
        return step;
      return { kind: "changed", next: { ...step.next, state: "committed", decision: "committed" } };
    },
  },
};

test.each(Object.entries(WRONG))("rules that are wrong are found out: %s", (_, rules) => {
  expect(found(rules).failed).toBe(true);
});

describe("the id of a transaction", () => {
  const nowMs = 1_790_000_000_000;

  it("is a UUID of version 7 with the time in it", () => {
    const id = uuidV7(nowMs, "0123456789abcdef0123");
    expect(id).toMatch(UUID_V7);
    expect(ageOf(id, nowMs)).toBe("new");
    expect(id < uuidV7(nowMs + 1, "00000000000000000000")).toBe(true);
    for (const digit of "0123456789abcdef") expect(uuidV7(nowMs, `000${digit.repeat(17)}`)).toMatch(UUID_V7);
  });

  it("is forgotten at half the time for which decisions are remembered", () => {
    const id = uuidV7(nowMs, "0".repeat(20));
    expect(ageOf(id, nowMs + REMEMBERED_MS / 2)).toBe("new");
    expect(ageOf(id, nowMs + REMEMBERED_MS / 2 + 1)).toBe("forgotten");
  });

  it("is refused where it is an hour ahead", () => {
    const id = uuidV7(nowMs, "0".repeat(20));
    expect(ageOf(id, nowMs - 3_600_000)).toBe("new");
    expect(ageOf(id, nowMs - 3_600_001)).toBe("ahead");
  });
});
