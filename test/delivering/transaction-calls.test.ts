import { describe, expect, test } from "vitest";
import { Places } from "../../src/algorithms/places.js";
import type { Transaction } from "../../src/algorithms/two-phase.js";
import { type CallDependencies, TransactionCalls } from "../../src/delivering/transaction-calls.js";
import { AllowList } from "../../src/outbound/allow-list.js";
import type { Outgoing, Posted } from "../../src/outbound/post.js";
import { FakeClock } from "../helpers/fake-clock.js";

const decided: Transaction = {
  state: "committed",
  decision: "committed",
  reason: null,
  participants: [{ name: "stock", vote: "yes", acknowledged: false }],
  payload: null,
  begunBy: "digest",
};

/** Calls of one participant of a transaction, with what is known of it and how the participant answers. */
function calls(first: Transaction | null, { host = "10.0.0.7", random = (): number => 0.5 } = {}) {
  const clock = new FakeClock();
  const posts: number[] = [];
  const outgoing: Outgoing[] = [];
  const votes: string[] = [];
  const state = {
    transaction: first,
    forgotten: false,
    answer: { kind: "answered", status: 503, text: null } as Posted,
  };
  const acknowledged: string[] = [];
  const told = () => ({
    version: "1",
    told: state.transaction && { transaction: state.transaction, deadlineInMs: null },
  });
  const dependencies: CallDependencies = {
    transactions: {
      get: async () => told(),
      decided: async () => (state.transaction?.decision === null ? new Promise(() => {}) : told()),
      vote: async (_, participant, vote) => {
        votes.push(`${participant}: ${vote}`);
        return { kind: "forgotten" };
      },
      acknowledge: async (_, participant) => {
        acknowledged.push(participant);
        return { kind: "forgotten" };
      },
    },
    callbacks: {
      forget: async () => {
        state.forgotten = true;
      },
    },
    allow: new AllowList(["10.0.0.0/8"]),
    post: async (_to, sent) => {
      posts.push(clock.monotonicMs());
      outgoing.push(sent);
      return state.answer;
    },
    places: new Places(1),
    clock,
    random,
  };
  const name = { namespace: "default", id: "019b7ada-7028-7c3a-9d41-5f2ac1a58b7e" };
  const urls = { stock: `http://${host}/` };
  const one = new TransactionCalls(name, { urls, secret: "whsec_AAAA", caller: "me" }, dependencies);
  return { one, clock, posts, outgoing, votes, state, acknowledged };
}

describe("a decision", () => {
  test("is told later and later, by full jitter and within a minute, until it is acknowledged", async () => {
    const { one, clock, posts, state, acknowledged } = calls(decided, { random: () => 0.999 });
    const run = one.run();
    await clock.advance(600_000);
    const pauses = posts.slice(1).map((atMs, i) => Math.round((atMs - (posts[i] ?? 0)) / 500) / 2);
    expect(pauses.slice(0, 9)).toEqual([0.5, 1, 2, 4, 8, 16, 32, 60, 60]);
    expect([acknowledged, state.forgotten]).toEqual([[], false]);
    state.answer = { kind: "answered", status: 200, text: "" };
    await clock.advance(61_000);
    await run;
    expect([acknowledged, state.forgotten]).toEqual([["stock"], true]);
  });

  test("is told no more once nobody remembers it", async () => {
    const { one, clock, posts, state } = calls(decided);
    const run = one.run();
    await clock.advance(60_000);
    state.transaction = null;
    await clock.advance(3_600_000);
    await run;
    const before = posts.length;
    await clock.advance(600_000);
    expect([state.forgotten, posts.length]).toEqual([true, before]);
  });

  test("is not told towards a host that is not allowed here", async () => {
    const { one, clock, posts, state } = calls(decided, { host: "192.168.0.1" });
    void one.run();
    await clock.advance(60_000);
    expect([posts, state.forgotten]).toEqual([[], false]);
    one.stop();
  });

  test("is told no more once it is to stop, and another goes on", async () => {
    const { one, clock, posts, state } = calls(decided);
    const run = one.run();
    await clock.advance(10_000);
    one.stop();
    await run;
    const before = posts.length;
    await clock.advance(600_000);
    expect([state.forgotten, posts.length]).toEqual([false, before]);
  });
});

describe("an answer to prepare", () => {
  const active: Transaction = {
    ...decided,
    state: "active",
    decision: null,
    participants: [{ name: "stock", vote: null, acknowledged: false }],
  };
  const yes = JSON.stringify({ vote: "yes" });
  const voted = async (answer: Posted) => {
    const { one, clock, outgoing, votes, state } = calls(active);
    state.answer = answer;
    void one.run();
    await clock.advance(100);
    one.stop();
    return { outgoing, votes };
  };

  test("is a vote where its status is one of success", async () => {
    const { outgoing, votes } = await voted({ kind: "answered", status: 200, text: yes });
    expect(votes[0]).toBe("stock: yes");
    // More of it is not read, and it is not waited for longer.
    expect(outgoing[0]).toMatchObject({ answerBytesMax: 4_096, timeoutMs: 5_000 });
  });

  test.each<[string, Posted]>([
    ["redirects", { kind: "answered", status: 307, text: yes }],
    ["is a failure", { kind: "answered", status: 500, text: yes }],
    ["was too long", { kind: "answered", status: 200, text: null }],
    ["names another vote", { kind: "answered", status: 200, text: JSON.stringify({ vote: "maybe" }) }],
    ["is no JSON", { kind: "answered", status: 200, text: "yes" }],
    ["is null", { kind: "answered", status: 200, text: "null" }],
    ["never came", { kind: "timeout", detail: "" }],
  ])("is none where it %s", async (_what, answer) => {
    const { outgoing, votes } = await voted(answer);
    expect(outgoing.length).toBeGreaterThan(0);
    expect(votes).toEqual([]);
  });
});
