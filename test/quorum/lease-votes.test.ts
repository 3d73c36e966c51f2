import { createHash } from "node:crypto";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { systemIds } from "../../src/ids.js";
import { LeaseVotes } from "../../src/quorum/lease-votes.js";
import { Primaries } from "../../src/quorum/primaries.js";
import { type Answer, failed } from "../../src/redis/answer.js";
import { PrimaryFailure } from "../../src/redis/failures.js";
import type { Primary } from "../../src/redis/primary.js";
import { Keys } from "../../src/scripts/keys.js";
import type { Claim } from "../../src/scripts/lease-calls.js";
import type { Call } from "../../src/scripts/scripts.js";
import { settled } from "../helpers/fake-clock.js";

const keys = new Keys("q:");
const TTL_MAX_MS = 600_000;
const TOMBSTONE_MS = TTL_MAX_MS + 60_000;
const LEASE: Claim = {
  leaseId: "lease-0123456789-0123456789",
  mode: "exclusive",
  resources: ["lock/a"],
  queues: ["lock/a"],
  fingerprint: null,
  limit: null,
};
const READER: Claim = { ...LEASE, mode: "shared" };
const TERMS = { ttlMs: 10_000, owner: "worker-7", metadata: "", chosen: false, queueEntry: null };

const digestOf = (leaseId: string) => createHash("sha1").update(leaseId).digest("hex");

/** One message to one primary. */
interface Message {
  readonly place: number;
  readonly script: string;
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
}

/**
 * What a primary answers to a script. A number: granted, or raised, with this counter. A letter: held by the lease of
 * that letter. `-`: no answer, and nobody knows whether it ran. `x`: not sent. `?`: it stays open. `late`: some turns
 * after the others. `reply`: this very reply.
 */
type Vote = number | "A" | "B" | Refusal | "lost" | "done" | "nothing" | "-" | "x" | "?" | Reply | Late;
/** Of an acquire, or of a renewal. */
type Refusal = "gone" | "other" | "missing" | "forgotten" | "released" | "regranted";

interface Reply {
  readonly reply: readonly unknown[];
}

interface Late {
  readonly late: Vote;
}

const quarantined = (ms: number): Reply => ({ reply: [0, "quarantined", ms] });
const queued = (ahead: number): Reply => ({ reply: [0, "queued", ahead] });
const held = (letter: string, ahead: number): Reply => ({ reply: [0, "held", ahead, ...hold(letter)] });
const limit = (of: number): Reply => ({ reply: [0, "limit", of] });
const broken = (reason: string): Reply => ({ reply: [0, "ended", "broken", reason] });
const taken = (counter: number): Reply => ({ reply: [0, "taken", String(counter)] });
const extended = (revision: string, metadata = ""): Reply => ({
  reply: [1, "exclusive", "worker-7", metadata, "", revision],
});
const seen = (counter: number, holds: unknown[][], waiting = 0, line: string[][] = []): Reply => ({
  reply: [String(counter), holds, waiting, line],
});

/** As `describe` in leases.lua has it. */
const hold = (letter: string, { counter = 7, mode = "exclusive", revision = "" } = {}) => [
  digestOf(letter),
  5_000,
  mode,
  `owner-${letter}`,
  "",
  "7",
  40,
  String(counter),
  revision,
];

function replyTo(script: string, vote: Exclude<Vote, Late>): unknown {
  if (typeof vote === "object") return vote.reply;
  switch (script) {
    case "acquire-lease":
      if (typeof vote === "number") return [1, String(vote)];
      if (vote === "gone") return [0, "ended"];
      return vote === "other" ? [0, "mismatch"] : [0, "held", 0, ...hold(vote)];
    case "raise-counters":
      return typeof vote === "number" ? [1, String(vote)] : [0];
    case "renew-lease":
      if (vote === "released") return [0, "ended", "released"];
      if (vote === "other") return [0, "mismatch"];
      return vote === "done" ? [1, "exclusive", "worker-7", "", "", ""] : [0, vote];
    case "inspect-name":
      return typeof vote === "number"
        ? [String(vote), [hold("A", { counter: vote })], 0, []]
        : ["7", [], 0, []];
    default:
      return [vote === "done" ? 1 : 0];
  }
}

class Fake {
  readonly up = true;
  readonly refusal = null;
  readonly staleEpochs = 0;
  readonly connectionEpoch = 1;
  readonly configurationEpoch = "1:nonce:id";
  readonly owed = new Map<string, Call<unknown>>();

  constructor(
    readonly place: number,
    readonly script: Record<string, Vote[]>,
    readonly messages: Message[],
  ) {}

  ask<T>(call: Call<T>, answered: (answer: Answer<T>) => void): void {
    this.run(call).then(
      (value) => answered({ ok: true, value }),
      (error) => answered(failed(error)),
    );
  }

  async run<T>(call: Call<T>): Promise<T> {
    const { name } = call.script;
    this.messages.push({ place: this.place, script: name, keys: call.keys, args: call.args });
    const votes = this.script[name];
    const next = votes?.shift();
    const late = typeof next === "object" && "late" in next;
    const vote = late ? (next.late as Exclude<Vote, Late>) : next;
    if (vote === undefined) throw new Error(`the test has no further answer of ${this.place} to ${name}`);
    if (vote === "-") throw new PrimaryFailure("unknown", "no answer within 100 ms");
    if (vote === "x") throw new PrimaryFailure("not_sent", "down");
    if (vote === "?") return new Promise(() => {});
    // As over a network: never in the turn in which it was asked.
    for (let turns = late ? 10 : 1; turns > 0; turns--) await settled();
    return call.parse(replyTo(name, vote));
  }

  runAs<T>(_era: number, _stamp: string, call: Call<T>): Promise<T> {
    return this.run(call);
  }

  compensateLater(key: string, call: Call<unknown>): void {
    this.owed.set(key, call);
  }
}

let messages: Message[];
let fakes: Fake[];
let version: number;
/** Since the last cold start no counter is below. */
let floor: number;

/** Rows are scripts in the order in which they are sent; each has what every primary answers. */
function votes(...rows: [script: string, ...answers: Vote[]][]): LeaseVotes {
  messages = [];
  const count = (rows[0]?.length ?? 1) - 1;
  fakes = Array.from({ length: count }, (_, place) => {
    const script: Record<string, Vote[]> = {};
    for (const [name, ...answers] of rows) {
      const mine = answers[place];
      if (mine !== undefined) script[name] = [...(script[name] ?? []), mine];
    }
    return new Fake(place, script, messages);
  });
  const primaries = new Primaries(fakes as unknown as Primary[], {
    get version() {
      return version;
    },
    get floor() {
      return floor;
    },
    deployment: "",
    outdated: null,
    catchUp: async () => true,
    fencedOut: () => 0,
    fenceOutAbsent: async () => {},
  });
  return new LeaseVotes(primaries, keys, systemIds, { ttlMaxMs: TTL_MAX_MS });
}

beforeEach(() => {
  version = 1;
  floor = 0;
});

const sent = (script: string) => messages.filter((message) => message.script === script);
const placesOf = (script: string) => sent(script).map(({ place }) => place);
const owedAt = () => fakes.flatMap((fake) => (fake.owed.size > 0 ? [fake.place] : []));
/** A script's own arguments: behind those that all scripts of leases have, one of them for each name. */
const own = ({ args }: { args: readonly (string | number)[] }) => args.slice(5 + Number(args[3]));
const nonceOf = (call: { args: readonly (string | number)[] }) => own(call)[0];
/** How long an abandoned attempt is refused from then on. */
const refusedForMs = (call: { args: readonly (string | number)[] }) => own(call)[2];
/** What a lost attempt is where nobody can be named. */
const SPLIT = { kind: "held", hold: null, certain: false, ahead: 0 };

describe("an acquire", () => {
  test("that a majority grants with the very same counter takes one round trip", async () => {
    const leases = votes(["acquire-lease", 7, 7, 7]);
    expect(await leases.acquire(LEASE, TERMS)).toEqual({ kind: "granted", token: 7, acks: 2 });
    expect(messages.map(({ script }) => script)).toEqual(["acquire-lease", "acquire-lease", "acquire-lease"]);
  });

  test("sends each primary the same: one nonce an attempt, another for the next", async () => {
    const leases = votes(["acquire-lease", 7, 7, 7], ["acquire-lease", 7, 7, 7]);
    await leases.acquire(LEASE, TERMS);
    await settled();
    await leases.acquire(LEASE, TERMS);
    const nonces = sent("acquire-lease").map(nonceOf);
    expect(new Set(nonces.slice(0, 3)).size).toBe(1);
    expect(new Set(nonces.slice(3)).size).toBe(1);
    expect(nonces[0]).not.toBe(nonces[3]);
    expect(sent("acquire-lease")[0]?.args).toEqual([
      keys.waiting,
      LEASE.leaseId,
      "exclusive",
      1,
      "ah",
      "lock/a",
      nonces[0],
      1,
      10_000,
      "worker-7",
      "",
      "",
      "",
      "",
    ]);
  });

  test("waits for no more than a majority, be it for votes or for raises", async () => {
    const leases = votes(["acquire-lease", 7, 7, "?"]);
    expect(await leases.acquire(LEASE, TERMS)).toEqual({ kind: "granted", token: 7, acks: 2 });
    const raised = votes(["acquire-lease", 3, 5, "?"], ["raise-counters", 5, 5, "?"]);
    expect(await raised.acquire(LEASE, TERMS)).toEqual({ kind: "granted", token: 5, acks: 2 });
  });

  test("whose counters differ is raised to the highest, and gets that token", async () => {
    const leases = votes(["acquire-lease", 3, 5, "-"], ["raise-counters", 5, 5, "-"]);
    expect(await leases.acquire(LEASE, TERMS)).toEqual({ kind: "granted", token: 5, acks: 2 });
    expect(sent("raise-counters").map(({ args }) => args.at(-1))).toEqual(["5", "5", "5"]);
    const [nonce] = new Set(sent("acquire-lease").map(nonceOf));
    for (const each of sent("raise-counters")) expect(nonceOf(each)).toBe(nonce);
  });

  test("is raised again with what they reply, as often as it takes", async () => {
    const leases = votes(
      ["acquire-lease", 3, 5, "-"],
      ["raise-counters", 8, 5, "-"],
      ["raise-counters", 8, 9, "-"],
      ["raise-counters", 9, 9, "-"],
    );
    expect(await leases.acquire(LEASE, TERMS)).toEqual({ kind: "granted", token: 9, acks: 2 });
    const asked = sent("raise-counters").map(({ args }) => args.at(-1));
    expect(asked).toEqual(["5", "5", "5", "8", "8", "8", "9", "9", "9"]);
  });

  test("that never gets an exact counter gives up and cleans up", async () => {
    const rounds = Array.from({ length: 5 }, (_, i): [string, ...Vote[]] => [
      "raise-counters",
      10 + 2 * i,
      11 + 2 * i,
      "x",
    ]);
    const leases = votes(["acquire-lease", 3, 5, "x"], ...rounds, ["abandon-attempt", "done", "done"]);
    expect(await leases.acquire(LEASE, TERMS)).toEqual(SPLIT);
    expect(placesOf("abandon-attempt")).toEqual([0, 1]);
  });

  test("whose holds are lost before the raise gives up and cleans up", async () => {
    const leases = votes(
      ["acquire-lease", 3, 5, "x"],
      ["raise-counters", "lost", 5, "x"],
      ["abandon-attempt", "nothing", "done"],
    );
    expect(await leases.acquire(LEASE, TERMS)).toEqual(SPLIT);
    expect(placesOf("abandon-attempt")).toEqual([0, 1]);
  });

  test("does not mix votes of two configurations", async () => {
    const leases = votes(["acquire-lease", 3, 5, "x"], ["abandon-attempt", "done", "done"]);
    const outcome = leases.acquire(LEASE, TERMS);
    version = 2;
    expect(await outcome).toEqual(SPLIT);
    expect(sent("raise-counters")).toEqual([]);
  });

  test("that a majority refuses tells who has it, for certain", async () => {
    const leases = votes(["acquire-lease", "A", "A", "A"]);
    expect(await leases.acquire(LEASE, TERMS)).toMatchObject({
      kind: "held",
      certain: true,
      hold: { digest: digestOf("A"), owner: "owner-A", expiresInMs: 5_000 },
    });
  });

  test("that a majority refuses though one is down tells who has it: one answer is not enough", async () => {
    for (const away of ["x", "-"] as const) {
      const leases = votes(["acquire-lease", away, "A", { late: "A" }], ["abandon-attempt", "-"]);
      expect(await leases.acquire(LEASE, TERMS)).toMatchObject({
        kind: "held",
        certain: true,
        hold: { owner: "owner-A" },
      });
    }
  });

  test("at five primaries, two of which are down, needs the answers of all three others", async () => {
    const clean: Vote[] = ["-", "-", "nothing", "nothing", "nothing"];
    const held = votes(
      ["acquire-lease", "x", "x", "A", { late: "A" }, { late: "A" }],
      ["abandon-attempt", ...clean],
    );
    expect(await held.acquire(LEASE, TERMS)).toMatchObject({ kind: "held", certain: true });
    const granted = votes(["acquire-lease", "x", 7, "x", 7, { late: 7 }]);
    expect(await granted.acquire(LEASE, TERMS)).toEqual({ kind: "granted", token: 7, acks: 3 });
    const fewer = votes(
      ["acquire-lease", "x", "x", "x", 7, 7],
      ["abandon-attempt", "-", "-", "-", "done", "done"],
    );
    await expect(fewer.acquire(LEASE, TERMS)).rejects.toMatchObject({ code: "no_quorum" });
  });

  test("of one that waits is refused from then on where nobody knows whether it arrived, though it was granted", async () => {
    const request = { begin: () => ({ nonce: "request", attemptNumber: 3 }), decided: vi.fn() };
    const leases = votes(["acquire-lease", 7, 7, { late: "-" }], ["abandon-attempt", "?", "?", "?"]);
    expect(await leases.acquire(LEASE, TERMS, request)).toMatchObject({ kind: "granted", token: 7 });
    await settled();
    await settled();
    expect(owedAt()).toEqual([2]);
    const [call] = [...(fakes[2]?.owed.values() ?? [])] as [Call<unknown>];
    expect(own(call)).toEqual(["request", 3, TOMBSTONE_MS]);
    expect(request.decided).toHaveBeenCalledOnce();
    const alone = votes(["acquire-lease", 7, 7, "-"]);
    await alone.acquire(LEASE, TERMS);
    await settled();
    expect(owedAt(), "the release of one that does not wait does it").toEqual([]);
  });

  test("whose votes split is uncertain, and takes its own back", async () => {
    const leases = votes(["acquire-lease", 7, "A", "B"], ["abandon-attempt", "done"]);
    expect(await leases.acquire(LEASE, TERMS)).toMatchObject({ kind: "held", certain: false });
    expect(placesOf("abandon-attempt"), "who refused has nothing of it").toEqual([0]);
    const [nonce] = new Set(sent("acquire-lease").map(nonceOf));
    for (const message of sent("abandon-attempt")) {
      expect(nonceOf(message)).toBe(nonce);
      // Its vote has been heard, so nothing of it can come later.
      expect(refusedForMs(message)).toBe(0);
    }
  });

  test("of a leaseId that was used up is gone, even when only one primary remembers", async () => {
    const leases = votes(["acquire-lease", "gone", "A", "x"]);
    expect(await leases.acquire(LEASE, TERMS)).toEqual({ kind: "gone" });
  });

  test("that no majority answers is no_quorum, and what was granted is taken back", async () => {
    const leases = votes(["acquire-lease", 7, "-", "x"], ["abandon-attempt", "done", "-"]);
    await expect(leases.acquire(LEASE, TERMS)).rejects.toMatchObject({ code: "no_quorum" });
    expect(placesOf("abandon-attempt").sort()).toEqual([0, 1]);
  });

  test("at primaries in quarantine says when to try again", async () => {
    const leases = votes(
      ["acquire-lease", quarantined(3_000), quarantined(2_000), 7],
      ["abandon-attempt", "-", "-", "done"],
    );
    expect(await leases.acquire(LEASE, TERMS)).toEqual({ kind: "quarantined", primaries: 2, forMs: 2_000 });
    await settled();
    await settled();
    expect(placesOf("abandon-attempt")).toEqual([2]);
  });

  test("that is refused by others, beside one in quarantine, is held", async () => {
    const leases = votes(["acquire-lease", { late: quarantined(3_000) }, "A", "A"]);
    expect(await leases.acquire(LEASE, TERMS)).toMatchObject({ kind: "held", certain: true });
  });
});

describe("the clean-up of an acquire", () => {
  test("is owed to a primary that did not answer it, by the attempt", async () => {
    const leases = votes(["acquire-lease", 7, "A", "B"], ["abandon-attempt", "-"]);
    await leases.acquire(LEASE, TERMS);
    await settled();
    expect(owedAt()).toEqual([0]);
    const [[name, call]] = [...(fakes[0]?.owed ?? [])] as [[string, Call<unknown>]];
    const [nonce] = new Set(sent("acquire-lease").map(nonceOf));
    expect(name).toContain(nonce);
    expect(call.script.name).toBe("abandon-attempt");
    expect(nonceOf(call)).toBe(nonce);
  });

  test("refuses the attempt from then on where its vote may still come", async () => {
    const leases = votes(["acquire-lease", 7, "-", "A"], ["abandon-attempt", "done", "-"]);
    await leases.acquire(LEASE, TERMS);
    await settled();
    const tombstones = Object.fromEntries(
      sent("abandon-attempt").map((each) => [each.place, refusedForMs(each)]),
    );
    expect(tombstones).toEqual({ 0: 0, 1: TOMBSTONE_MS });
    expect(owedAt()).toEqual([1]);
    for (const call of fakes[1]?.owed.values() ?? []) expect(refusedForMs(call)).toBe(TOMBSTONE_MS);
  });

  test("is not for a primary that the attempt was never sent to, nor for one that refused it", async () => {
    const leases = votes(["acquire-lease", 7, "x", "A"], ["abandon-attempt", "done"]);
    await leases.acquire(LEASE, TERMS);
    await settled();
    expect(placesOf("abandon-attempt")).toEqual([0]);
    expect(owedAt()).toEqual([]);
  });

  test("is for the names, the lines and the tombstone that the attempt was for", async () => {
    const leases = votes(["acquire-lease", 7, "A", "B"], ["abandon-attempt", "done"]);
    await leases.acquire({ ...LEASE, resources: ["lock/a", "lock/b"], queues: ["lock/a", "lock/b"] }, TERMS);
    const [acquire] = sent("acquire-lease");
    const nonce = acquire && nonceOf(acquire);
    expect(sent("abandon-attempt").map(({ keys: named }) => named)).toEqual([acquire?.keys]);
    expect(acquire?.keys).toContain(keys.attemptTombstone(LEASE.leaseId, String(nonce), 1));
    expect(acquire?.keys).toContain(keys.hold("lock/b"));
  });
});

describe("what an acquire is refused for", () => {
  const refusal = async (...answers: Vote[]) => {
    const granting = answers.map((vote): Vote => (typeof vote === "number" ? "done" : "-"));
    return votes(["acquire-lease", ...answers], ["abandon-attempt", ...granting]).acquire(LEASE, TERMS);
  };

  test.each<[what: string, answers: Vote[], expected: object]>([
    ["a leaseId for something else", ["other", "A", "A"], { kind: "other" }],
    ["a leaseId for something else, as only one remembers", [7, "A", "other"], { kind: "other" }],
    ["a leaseId that is gone", ["A", "gone", "A"], { kind: "gone" }],
    ["another limit, by a majority", [limit(5), limit(5), 7], { kind: "limit", limit: 5 }],
    ["another limit, by all", [limit(5), limit(5), limit(5)], { kind: "limit", limit: 5 }],
    ["another limit by one only: it is held", ["A", "A", limit(5)], { kind: "held", certain: true }],
    ["the line, by a majority", [queued(2), queued(3), 7], { hold: null, certain: true, ahead: 3 }],
    [
      "the line and a holder",
      [queued(2), held("A", 4), 7],
      { certain: true, ahead: 4, hold: { owner: "owner-A" } },
    ],
    ["the line by one only", [queued(2), 7, "x"], { kind: "held", hold: null, certain: false, ahead: 2 }],
    ["different holders", ["A", "B", 7], { kind: "held", certain: false }],
    [
      "different holders, one on a majority",
      [{ late: "B" }, "A", "A"],
      { certain: true, hold: { owner: "owner-A" } },
    ],
    [
      "quarantine everywhere",
      [quarantined(9), quarantined(5), quarantined(7)],
      { kind: "quarantined", forMs: 5 },
    ],
    ["quarantine and the line", [quarantined(9), queued(1), quarantined(7)], { kind: "held", ahead: 1 }],
  ])("%s", async (_, answers, expected) => {
    // The third one may come after the outcome is clear: all are looked at that are there.
    expect(await refusal(...answers)).toMatchObject(expected);
  });
});

describe("an acquire by readers", () => {
  test("that a majority grants with the highest counter takes one round trip", async () => {
    const leases = votes(["acquire-lease", 7, 7, "?"]);
    expect(await leases.acquire(READER, TERMS)).toEqual({ kind: "granted", token: 7, acks: 2 });
    expect(sent("raise-counters")).toEqual([]);
    expect(sent("acquire-lease")[0]?.args[2]).toBe("shared");
  });

  test("whose counters differ is raised once, and a majority at or above it make the token", async () => {
    const leases = votes(["acquire-lease", 3, 5, "-"], ["raise-counters", 5, 9, "-"]);
    expect(await leases.acquire(READER, TERMS)).toEqual({ kind: "granted", token: 5, acks: 2 });
    expect(sent("raise-counters").map((each) => own(each).at(-1))).toEqual(["5", "5", "5"]);
  });

  test("takes no lower counter, though a majority replied it: the highest may be after a writer's", async () => {
    const leases = votes(["acquire-lease", 5, 7, "-"], ["raise-counters", 7, 7, "-"]);
    expect(await leases.acquire(READER, TERMS)).toMatchObject({ token: 7 });
    const five = votes(["acquire-lease", 9, 5, 5, "x", "x"], ["raise-counters", 9, 9, 9, "-", "-"]);
    expect(await five.acquire(READER, TERMS)).toMatchObject({ token: 9 });
  });

  test("whose holds are lost before the raise gives up and cleans up", async () => {
    const leases = votes(
      ["acquire-lease", 3, 5, "x"],
      ["raise-counters", "lost", 5, "x"],
      ["abandon-attempt", "nothing", "done"],
    );
    expect(await leases.acquire(READER, TERMS)).toEqual(SPLIT);
    expect(placesOf("abandon-attempt")).toEqual([0, 1]);
  });

  test("does not mix votes of two configurations", async () => {
    const leases = votes(["acquire-lease", 3, 5, "x"], ["abandon-attempt", "done", "done"]);
    const outcome = leases.acquire(READER, TERMS);
    version = 2;
    expect(await outcome).toEqual(SPLIT);
  });
});

describe("a release", () => {
  const release = (leases: LeaseVotes, chosen = false) => leases.release(LEASE, chosen);

  test.each([
    [["done", "done", "done"], true],
    [["done", "nothing", "nothing"], true],
    [["nothing", "nothing", "nothing"], false],
    [["-", "done", "done"], true],
    [["x", "nothing", "nothing"], false],
  ] as [Vote[], boolean][])("that the primaries answer by %j: %s", async (answers, released) => {
    expect(await release(votes(["release-lease", ...answers]))).toBe(released);
    expect(placesOf("release-lease")).toEqual([0, 1, 2]);
  });

  test("is owed to those that did not answer, with a tombstone: an acquire may still come behind it", async () => {
    const leases = votes(["release-lease", "-", "done", "x"]);
    await release(leases).catch(() => {});
    await settled();
    expect(owedAt()).toEqual([0, 2]);
    for (const fake of [fakes[0], fakes[2]]) {
      const [call] = [...(fake?.owed.values() ?? [])];
      expect(call?.script.name).toBe("release-lease");
      expect(call?.args[1]).toBe(LEASE.leaseId);
      expect(own(call as Call<unknown>)).toEqual([TOMBSTONE_MS, "1", "released", ""]);
    }
  });

  test("of an id that the caller chose leaves a tombstone everywhere, of one made here none", async () => {
    await release(votes(["release-lease", "done", "done", "done"]), true);
    expect(sent("release-lease").map((each) => own(each)[1])).toEqual(["1", "1", "1"]);
    await release(votes(["release-lease", "done", "done", "done"]), false);
    expect(sent("release-lease").map((each) => own(each)[1])).toEqual(["", "", ""]);
  });

  describe("of what one primary had got by another attempt than the others", () => {
    const by = (attempt: string): Reply => ({ reply: [1, attempt] });

    test.each([
      ["an earlier one", [by("n/1"), by("n/3"), by("n/3")], true],
      ["one before it", [by("n/3"), "-", by("m/1")], true],
      ["the same", [by("n/3"), by("n/3"), by("n/3")], false],
      ["the same, and one has none", [by("n/3"), "nothing", by("n/3")], false],
    ] as [string, Vote[], boolean][])(
      "%s: whether all are told once more, with a tombstone for the one that is still under way",
      async (_which, answers, told) => {
        await release(votes(["release-lease", ...answers]));
        await settled();
        const owed = fakes.flatMap((fake) => [...fake.owed.values()]);
        expect(owed.map((call) => own(call))).toEqual(
          told ? [0, 1, 2].map(() => [TOMBSTONE_MS, "1", "released", ""]) : [],
        );
      },
    );

    test("is told no more than once where it left a tombstone at once", async () => {
      await release(votes(["release-lease", by("n/1"), by("n/3"), by("n/3")]), true);
      await settled();
      expect(owedAt()).toEqual([]);
    });
  });

  test("that no majority answers is no_quorum, and is still owed", async () => {
    const leases = votes(["release-lease", "done", "-", "x"]);
    await expect(release(leases)).rejects.toMatchObject({ code: "no_quorum" });
    await settled();
    expect(owedAt()).toEqual([1, 2]);
  });
});

describe("a renewal", () => {
  const renew = (leases: LeaseVotes) => leases.renew({ ...LEASE, token: 7, ttlMs: 10_000 });

  test.each<[answers: Vote[]]>([
    [["done", "done", "done"]],
    [["done", "done", "missing"]],
    [["done", "done", "-"]],
    [["x", "done", "done"]],
    [["done", "released", "done"]],
    [["done", taken(9), "done"]],
  ])("that a majority extends is renewed: %j", async (answers) => {
    const outcome = await renew(votes(["renew-lease", ...answers], ["repair-lease", "-", "-", "-"]));
    expect(outcome).toMatchObject({ kind: "extended", latest: { owner: "worker-7", mode: "exclusive" } });
    expect((outcome as { acks: number }).acks).toBeGreaterThanOrEqual(2);
    expect(own(sent("renew-lease")[0] as Message)).toEqual(["7", 10_000, "", ""]);
  });

  test.each<[answers: Vote[], why: object]>([
    [["missing", "missing", "missing"], { kind: "expired" }],
    [["missing", "done", "missing"], { kind: "expired" }],
    [["regranted", "regranted", "-"], { kind: "expired" }],
    [["x", "missing", { late: "missing" }], { kind: "expired" }],
    [["released", "missing", "missing"], { kind: "released" }],
    [["missing", "released", "-"], { kind: "released" }],
    [[taken(8), taken(12), "done"], { kind: "taken", counter: 12 }],
    [["missing", taken(12), "-"], { kind: "taken", counter: 12 }],
    [["released", taken(12), "-"], { kind: "released" }],
    [[broken("it hung"), "missing", "-"], { kind: "broken", reason: "it hung" }],
    [["released", broken("it hung"), taken(12)], { kind: "broken", reason: "it hung" }],
    [[broken("two\nlines"), "-", taken(12)], { kind: "broken", reason: "two\nlines" }],
  ])("that a majority refuses is lost: %j, because %j", async (answers, why) => {
    expect(await renew(votes(["renew-lease", ...answers]))).toEqual({ kind: "lost", why });
    expect(sent("repair-lease")).toEqual([]);
  });

  test.each<[answers: Vote[], floor: number, token: number, why: object]>([
    [["forgotten", "forgotten", "forgotten"], 8, 7, { kind: "restarted" }],
    [["forgotten", "missing", "-"], 8, 7, { kind: "restarted" }],
    [["missing", "missing", "missing"], 8, 7, { kind: "expired" }],
    // Granted since: the counters were forgotten with age.
    [["forgotten", "forgotten", "forgotten"], 7, 7, { kind: "expired" }],
    [["forgotten", "forgotten", "forgotten"], 0, 7, { kind: "expired" }],
    [["forgotten", taken(12), "x"], 8, 7, { kind: "taken", counter: 12 }],
    [["forgotten", "x", "released"], 8, 7, { kind: "released" }],
    [["forgotten", broken("it hung"), "-"], 8, 7, { kind: "broken", reason: "it hung" }],
  ])(
    "refused as %j, with a cold start at %d, of token %d is lost, because %j",
    async (answers, at, token, why) => {
      floor = at;
      const leases = votes(["renew-lease", ...answers]);
      expect(await leases.renew({ ...LEASE, token, ttlMs: 10_000 })).toMatchObject({ kind: "lost", why });
    },
  );

  test("of other names than the lease has is told so, whatever the rest say", async () => {
    expect(await renew(votes(["renew-lease", "other", "other", "other"]))).toEqual({ kind: "other" });
    expect(await renew(votes(["renew-lease", "missing", "other", "-"]))).toEqual({ kind: "other" });
  });

  test.each<[answers: Vote[]]>([
    [["done", "missing", "-"]],
    [["x", "released", "done"]],
    [["done", "-", "-"]],
    [["x", "x", "x"]],
  ])("that is neither is no_quorum, and never a guess: %j", async (answers) => {
    await expect(renew(votes(["renew-lease", ...answers]))).rejects.toMatchObject({ code: "no_quorum" });
    await settled();
    expect(sent("repair-lease")).toEqual([]);
  });

  test("takes nothing back", async () => {
    const leases = votes(["renew-lease", "done", "-", "-"]);
    await renew(leases).catch(() => {});
    await settled();
    expect(messages.every(({ script }) => script === "renew-lease")).toBe(true);
    expect(owedAt()).toEqual([]);
  });
});

describe("the repair behind a renewal", () => {
  const RENEWAL = { ...LEASE, token: 7, ttlMs: 10_000 };
  /** Renews, and waits until nothing happens any more. */
  async function renewed(leases: LeaseVotes, lease = RENEWAL) {
    const outcome = await leases.renew(lease);
    for (let turn = 0; turn < 20; turn++) await settled();
    return outcome;
  }

  test.each<[answers: Vote[], repaired: number[]]>([
    [["done", "done", "missing"], [2]],
    [["missing", "done", "done"], [0]],
    [["done", { late: "missing" }, "done"], [1]],
    // What is in the way of a writer may not be in that of a reader, as which it was renewed.
    [["done", "done", taken(9)], [2]],
    [["done", "done", "forgotten"], []],
    [["done", "done", "released"], []],
    [["done", "done", broken("it hung")], []],
    [["done", "done", "regranted"], []],
    [["done", "done", "done"], []],
    [["done", "done", "-"], []],
    [["x", "done", "done"], []],
    [
      ["done", "done", "missing", "missing", "done"],
      [2, 3],
    ],
  ])("goes to those that lack the lease: %j -> %j", async (answers, repaired) => {
    const outcome = await renewed(
      votes(["renew-lease", ...answers], ["repair-lease", ...answers.map((): Vote => "done")]),
    );
    expect(outcome.kind).toBe("extended");
    expect(placesOf("repair-lease")).toEqual(repaired);
  });

  test("comes after a majority extended, and is no vote: it does not turn a lost lease into one that is held", async () => {
    const lost = votes(
      ["renew-lease", "done", "missing", "missing"],
      ["repair-lease", "done", "done", "done"],
    );
    expect(await renewed(lost)).toEqual({ kind: "lost", why: { kind: "expired" } });
    expect(sent("repair-lease")).toEqual([]);
    const held = votes(
      ["renew-lease", "done", "done", { late: "missing" }],
      ["repair-lease", "-", "-", "done"],
    );
    expect(await renewed(held)).toMatchObject({ kind: "extended", acks: 2 });
    const order = messages.map(({ script }) => script);
    expect(order).toEqual(["renew-lease", "renew-lease", "renew-lease", "repair-lease"]);
  });

  test("brings the token, the time to live and what the lease was acquired with", async () => {
    const claim = {
      ...RENEWAL,
      mode: null,
      fingerprint: "semaphore/pool 1",
      limit: { semaphore: "pool", permits: 3 },
    };
    const leases = votes(
      ["renew-lease", extended("000000000002-a", '"v"'), extended("000000000002-a", '"v"'), "missing"],
      ["repair-lease", "-", "-", "done"],
    );
    await renewed(leases, claim);
    const [repair] = sent("repair-lease");
    expect(repair?.args[2], "the mode that it is held in").toBe("exclusive");
    expect(own(repair as Message)).toEqual([
      "7",
      10_000,
      "worker-7",
      '"v"',
      "",
      "000000000002-a",
      "semaphore/pool 1",
      3,
    ]);
  });

  test("brings the latest revision of what the lease carries, whichever primary has it", async () => {
    const [older, newer] = [extended("000000000001-a", '"old"'), extended("000000000002-a", '"new"')];
    for (const [first, second] of [
      [older, newer],
      [newer, older],
    ] as const) {
      const leases = votes(["renew-lease", first, second, "missing"], ["repair-lease", "-", "-", "done"]);
      expect(await renewed(leases), "and so is it told").toMatchObject({ latest: { metadata: '"new"' } });
      expect(own(sent("repair-lease")[0] as Message)[5]).toBe("000000000002-a");
    }
  });

  test("is not owed where it is not answered: the next renewal will see", async () => {
    const leases = votes(["renew-lease", "done", "done", "missing"], ["repair-lease", "-", "-", "-"]);
    expect((await renewed(leases)).kind).toBe("extended");
    expect(owedAt()).toEqual([]);
  });
});

describe("a proclamation", () => {
  const proclaim = (...answers: Vote[]) =>
    votes(["proclaim", ...answers]).proclaim({ ...LEASE, token: 7 }, "000000000001-a", '"v"');

  test.each<[answers: Vote[], held: boolean]>([
    [["done", "done", "-"], true],
    [["done", "nothing", "done"], true],
    [["done", "nothing", { late: "done" }], true],
    [["nothing", "x", "nothing"], false],
    [["nothing", "done", { late: "nothing" }], false],
  ])("that the primaries answer by %j: %s", async (answers, held) => {
    expect(await proclaim(...answers)).toBe(held);
  });

  test("that is neither is no_quorum", async () => {
    await expect(proclaim("done", "nothing", "-")).rejects.toMatchObject({ code: "no_quorum" });
  });
});

describe("a break", () => {
  /** What a primary says of the holders of a name: their ids, or that nobody has it. */
  const holders = (...ids: string[]): Reply => ({
    reply: ["0", ...ids.map((id) => [id, "lock/a\nlock/b"])],
  });
  const breaking = (...answers: Vote[]) =>
    votes(
      ["list-holders", ...answers],
      ...["A", "B"].map((): [string, ...Vote[]] => ["release-lease", ...answers.map((): Vote => "done")]),
    );
  const ended = () => [...new Set(sent("release-lease").map(({ args }) => args[1]))].sort();

  test.each<[answers: Vote[], ended: string[]]>([
    [[holders("A"), holders("A"), holders("A")], ["A"]],
    [[holders("A"), holders("A"), "x"], ["A"]],
    [[holders(), holders("A"), { late: holders("A") }], ["A"]],
    [
      [holders("A", "B"), holders("B", "A"), holders()],
      ["A", "B"],
    ],
    [[holders(), holders(), holders("A")], []],
    [[holders(), holders(), "x"], []],
    // With the third it may have a majority.
    [[holders("A"), holders(), "x"], ["A"]],
    // Nobody knows yet who will have it.
    [[holders("A"), holders("B"), { late: holders() }], []],
  ])("of what the primaries tell by %j ends %j", async (answers, leases) => {
    expect(await breaking(...answers).break("lock/a", "it hung")).toBe(leases.length);
    await settled();
    expect(ended()).toEqual(leases);
  });

  test("ends the lease on all primaries, with all its names, and leaves the reason as a tombstone", async () => {
    await breaking(holders("A"), holders("A"), holders()).break("lock/a", "it hung");
    expect(placesOf("release-lease")).toEqual([0, 1, 2]);
    for (const each of sent("release-lease")) {
      expect(each.args.slice(2, 7)).toEqual(["", 2, "h", "lock/a", "lock/b"]);
      expect(own(each)).toEqual([TOMBSTONE_MS, "1", "broken", "it hung"]);
    }
  });

  test("is owed to those that did not answer it", async () => {
    const leases = votes(
      ["list-holders", holders("A"), holders("A"), "x"],
      ["release-lease", "done", "done", "-"],
    );
    expect(await leases.break("lock/a", "it hung")).toBe(1);
    await settled();
    expect(owedAt()).toEqual([2]);
  });

  test("without a majority is no_quorum", async () => {
    await expect(breaking(holders("A"), "x", "-").break("lock/a", "")).rejects.toMatchObject({
      code: "no_quorum",
    });
    expect(sent("release-lease")).toEqual([]);
  });
});

describe("looking at a lock", () => {
  const look = (...answers: Vote[]) => votes(["inspect-name", ...answers]).inspect("lock/a");

  // A number: held by A, with this counter.
  test.each([
    [[7, 7, 7], "A", 7],
    [[7, 7, "-"], "A", 7],
    [[7, 7, "nothing"], "A", 7],
    [[7, 9, "x"], "A", null],
    [[7, 9, "nothing"], "A", null],
    [["nothing", "nothing", 7], null, null],
    [["nothing", "nothing", "x"], null, null],
  ] as [Vote[], string | null, number | null][])(
    "%j shows %s with the token %s",
    async (answers, holder, token) => {
      const { holds } = await look(...answers);
      expect(holds.map(({ owner }) => owner)).toEqual(holder === null ? [] : [`owner-${holder}`]);
      expect(holds[0]?.token ?? null).toBe(token);
    },
  );

  test.each<[answers: Vote[], free: boolean]>([
    [["nothing", "nothing", 7], true],
    [["nothing", "nothing", "x"], true],
    [["nothing", 7, 7], false],
    [["nothing", 7, "x"], false],
    [[7, 7, 7], false],
  ])("%j shows that it is free: %s", async (answers, free) => {
    expect((await look(...answers)).free).toBe(free);
  });

  test("waits for a third where the first two disagree", async () => {
    expect((await look("nothing", 7, { late: 7 })).holds).toHaveLength(1);
    expect((await look("nothing", 7, { late: "nothing" })).holds).toHaveLength(0);
  });

  test("shows all readers that a majority name, each with the token where it is exact", async () => {
    const read = (letter: string, counter: number) => hold(letter, { mode: "shared", counter });
    const { holds } = await look(
      seen(9, [read("A", 9), read("B", 9)]),
      seen(9, [read("B", 7), read("A", 9)]),
      { late: seen(9, [read("B", 5), read("C", 9)]) },
    );
    expect(holds.map(({ owner, mode, token }) => [owner, mode, token])).toEqual([
      ["owner-A", "shared", 9],
      ["owner-B", "shared", null],
    ]);
  });

  test("shows the latest of what a holder carries", async () => {
    const { holds } = await look(
      seen(7, [hold("A", { revision: "000000000001-a" })]),
      seen(7, [hold("A", { revision: "000000000002-a" })]),
      "x",
    );
    expect(holds).toMatchObject([{ revision: "000000000002-a", token: 7 }]);
  });

  test("tells a counter that nobody has been given a token above", async () => {
    expect((await look(seen(7, []), seen(12, []), "x")).highest).toBe(12);
    expect((await look(seen(7, [hold("A", { counter: 20 })]), seen(12, []), "x")).highest).toBe(20);
  });

  test("tells how many wait, and names as many as the primary that knows the most of them", async () => {
    const line = ["A", "B"].map((letter) => [`w${digestOf(letter)}`, `owner-${letter}`]);
    const inspection = await look(seen(7, [], 1, line.slice(0, 1)), seen(7, [], 2, line), "x");
    expect(inspection.waiting).toBe(2);
    expect(inspection.queue.map(({ owner }) => owner)).toEqual(["owner-A", "owner-B"]);
  });

  test("without a majority is no_quorum", async () => {
    await expect(look(7, "-", "x")).rejects.toMatchObject({ code: "no_quorum" });
  });
});

test("many operations at once do not get in each other's way", async () => {
  const rows = Array.from({ length: 50 }, (_, i): [string, ...Vote[]] => ["acquire-lease", i, i, i]);
  const leases = votes(...rows);
  const outcomes = await Promise.all(rows.map(() => leases.acquire(LEASE, TERMS)));
  expect(outcomes.map((outcome) => (outcome.kind === "granted" ? outcome.token : outcome.kind))).toEqual(
    rows.map((_, i) => i),
  );
});
