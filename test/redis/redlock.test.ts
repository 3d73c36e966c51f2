import { createHash } from "node:crypto";
import { beforeEach, describe, expect, test } from "vitest";
import { systemIds } from "../../src/ids.js";
import { Keys } from "../../src/redis/keys.js";
import { Primaries } from "../../src/redis/primaries.js";
import { type Primary, PrimaryFailure } from "../../src/redis/primary.js";
import { LeaseVotes } from "../../src/redis/redlock.js";
import type { Call } from "../../src/redis/scripts.js";
import { settled } from "../helpers/fake-clock.js";

const keys = new Keys("q:");
const TTL_MAX_MS = 600_000;
const TOMBSTONE_MS = TTL_MAX_MS + 60_000;
const LEASE = { resource: "lock/a", leaseId: "lease-0123456789-0123456789" };
const TERMS = { ttlMs: 10_000, mode: "exclusive", owner: "worker-7", metadata: "", chosen: false };

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
 * after the others.
 */
type Vote = number | "A" | "B" | "gone" | "lost" | "done" | "nothing" | "-" | "x" | "?" | Quarantined | Late;

interface Quarantined {
  readonly quarantinedMs: number;
}

interface Late {
  readonly late: Vote;
}

const hold = (letter: string) => [digestOf(letter), 5_000, "exclusive", `owner-${letter}`, "", "7", 40];

function replyTo(script: string, vote: Exclude<Vote, Late>): unknown {
  if (typeof vote === "object") return [0, "quarantined", vote.quarantinedMs];
  switch (script) {
    case "acquire-lock":
      if (typeof vote === "number") return [1, String(vote)];
      return vote === "gone" ? [0, "gone"] : [0, "held", ...hold(vote)];
    case "raise-lock":
      return typeof vote === "number" ? [1, String(vote)] : [0];
    case "renew-lock":
      return vote === "lost" ? [0] : [1, "exclusive", "worker-7", ""];
    case "inspect-lock":
      return typeof vote === "number" ? [String(vote), ...hold("A")] : ["7"];
    default:
      return [vote === "done" ? 1 : 0];
  }
}

class Fake {
  readonly up = true;
  readonly fenced = 0;
  readonly owed = new Map<string, Call<unknown>>();

  constructor(
    readonly place: number,
    readonly script: Record<string, Vote[]>,
    readonly messages: Message[],
  ) {}

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

  owe(key: string, call: Call<unknown>): void {
    this.owed.set(key, call);
  }
}

let messages: Message[];
let fakes: Fake[];
let version: number;

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
    refresh: async () => {},
  });
  return new LeaseVotes(primaries, keys, systemIds, { ttlMaxMs: TTL_MAX_MS });
}

beforeEach(() => {
  version = 1;
});

const sent = (script: string) => messages.filter((message) => message.script === script);
const placesOf = (script: string) => sent(script).map(({ place }) => place);
const owedAt = () => fakes.flatMap((fake) => (fake.owed.size > 0 ? [fake.place] : []));
/** How long an abandoned attempt, or a released lease, is refused from then on. */
const refusedForMs = (call: { args: readonly (string | number)[] }) => call.args[1];

describe("an acquire", () => {
  test("that a majority grants with the very same counter takes one round trip", async () => {
    const leases = votes(["acquire-lock", 7, 7, 7]);
    expect(await leases.acquire(LEASE, TERMS)).toEqual({ kind: "granted", token: 7, acks: 2 });
    expect(messages.map(({ script }) => script)).toEqual(["acquire-lock", "acquire-lock", "acquire-lock"]);
  });

  test("sends each primary the same: one nonce an attempt, another for the next", async () => {
    const leases = votes(["acquire-lock", 7, 7, 7], ["acquire-lock", 7, 7, 7]);
    await leases.acquire(LEASE, TERMS);
    await settled();
    await leases.acquire(LEASE, TERMS);
    const nonces = sent("acquire-lock").map(({ args }) => args[2]);
    expect(new Set(nonces.slice(0, 3)).size).toBe(1);
    expect(new Set(nonces.slice(3)).size).toBe(1);
    expect(nonces[0]).not.toBe(nonces[3]);
    expect(sent("acquire-lock")[0]?.args).toEqual([
      "lock/a",
      LEASE.leaseId,
      nonces[0],
      10_000,
      "exclusive",
      "worker-7",
      "",
      "",
    ]);
  });

  test("waits for no more than a majority, be it for votes or for raises", async () => {
    const leases = votes(["acquire-lock", 7, 7, "?"]);
    expect(await leases.acquire(LEASE, TERMS)).toEqual({ kind: "granted", token: 7, acks: 2 });
    const raised = votes(["acquire-lock", 3, 5, "?"], ["raise-lock", 5, 5, "?"]);
    expect(await raised.acquire(LEASE, TERMS)).toEqual({ kind: "granted", token: 5, acks: 2 });
  });

  test("whose counters differ is raised to the highest, and gets that token", async () => {
    const leases = votes(["acquire-lock", 3, 5, "-"], ["raise-lock", 5, 5, "-"]);
    expect(await leases.acquire(LEASE, TERMS)).toEqual({ kind: "granted", token: 5, acks: 2 });
    expect(sent("raise-lock").map(({ args }) => args.at(-1))).toEqual(["5", "5", "5"]);
    const [nonce] = new Set(sent("acquire-lock").map(({ args }) => args[2]));
    for (const { args } of sent("raise-lock")) expect(args[1]).toBe(nonce);
  });

  test("is raised again with what they reply, as often as it takes", async () => {
    const leases = votes(
      ["acquire-lock", 3, 5, "-"],
      ["raise-lock", 8, 5, "-"],
      ["raise-lock", 8, 9, "-"],
      ["raise-lock", 9, 9, "-"],
    );
    expect(await leases.acquire(LEASE, TERMS)).toEqual({ kind: "granted", token: 9, acks: 2 });
    const asked = sent("raise-lock").map(({ args }) => args.at(-1));
    expect(asked).toEqual(["5", "5", "5", "8", "8", "8", "9", "9", "9"]);
  });

  test("that never gets an exact counter gives up and cleans up", async () => {
    const rounds = Array.from({ length: 5 }, (_, i): [string, ...Vote[]] => [
      "raise-lock",
      10 + 2 * i,
      11 + 2 * i,
      "x",
    ]);
    const leases = votes(["acquire-lock", 3, 5, "x"], ...rounds, ["abandon-lock", "done", "done"]);
    expect(await leases.acquire(LEASE, TERMS)).toEqual({ kind: "held", hold: null, certain: false });
    expect(placesOf("abandon-lock")).toEqual([0, 1]);
  });

  test("whose holds are lost before the raise gives up and cleans up", async () => {
    const leases = votes(
      ["acquire-lock", 3, 5, "x"],
      ["raise-lock", "lost", 5, "x"],
      ["abandon-lock", "nothing", "done"],
    );
    expect(await leases.acquire(LEASE, TERMS)).toEqual({ kind: "held", hold: null, certain: false });
    expect(placesOf("abandon-lock")).toEqual([0, 1]);
  });

  test("does not mix votes of two configurations", async () => {
    const leases = votes(["acquire-lock", 3, 5, "x"], ["abandon-lock", "done", "done"]);
    const outcome = leases.acquire(LEASE, TERMS);
    version = 2;
    expect(await outcome).toEqual({ kind: "held", hold: null, certain: false });
    expect(sent("raise-lock")).toEqual([]);
  });

  test("that a majority refuses tells who has it, for certain", async () => {
    const leases = votes(["acquire-lock", "A", "A", "A"], ["abandon-lock", "nothing", "nothing", "nothing"]);
    expect(await leases.acquire(LEASE, TERMS)).toMatchObject({
      kind: "held",
      certain: true,
      hold: { digest: digestOf("A"), owner: "owner-A", expiresInMs: 5_000 },
    });
  });

  test("that a majority refuses though one is down tells who has it: one answer is not enough", async () => {
    for (const away of ["x", "-"] as const) {
      const leases = votes(
        ["acquire-lock", away, "A", { late: "A" }],
        ["abandon-lock", "-", "nothing", "nothing"],
      );
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
      ["acquire-lock", "x", "x", "A", { late: "A" }, { late: "A" }],
      ["abandon-lock", ...clean],
    );
    expect(await held.acquire(LEASE, TERMS)).toMatchObject({ kind: "held", certain: true });
    const granted = votes(["acquire-lock", "x", 7, "x", 7, { late: 7 }]);
    expect(await granted.acquire(LEASE, TERMS)).toEqual({ kind: "granted", token: 7, acks: 3 });
    const fewer = votes(
      ["acquire-lock", "x", "x", "x", 7, 7],
      ["abandon-lock", "-", "-", "-", "done", "done"],
    );
    await expect(fewer.acquire(LEASE, TERMS)).rejects.toMatchObject({ code: "no_quorum" });
  });

  test("whose votes split is uncertain, and takes its own back", async () => {
    const leases = votes(["acquire-lock", 7, "A", "B"], ["abandon-lock", "done", "nothing", "nothing"]);
    expect(await leases.acquire(LEASE, TERMS)).toMatchObject({ kind: "held", certain: false });
    expect(placesOf("abandon-lock")).toEqual([0, 1, 2]);
    const [nonce] = new Set(sent("acquire-lock").map(({ args }) => args[2]));
    for (const message of sent("abandon-lock")) {
      expect(message.args[0]).toBe(nonce);
      // Its vote has been heard, so nothing of it can come later.
      expect(refusedForMs(message)).toBe(0);
    }
  });

  test("of a leaseId that was used up is gone, even when only one primary remembers", async () => {
    const leases = votes(["acquire-lock", "gone", "A", "x"], ["abandon-lock", "nothing", "nothing"]);
    expect(await leases.acquire(LEASE, TERMS)).toEqual({ kind: "gone" });
  });

  test("that no majority answers is no_quorum, and what was granted is taken back", async () => {
    const leases = votes(["acquire-lock", 7, "-", "x"], ["abandon-lock", "done", "-"]);
    await expect(leases.acquire(LEASE, TERMS)).rejects.toMatchObject({ code: "no_quorum" });
    expect(placesOf("abandon-lock").sort()).toEqual([0, 1]);
  });

  test("at primaries in quarantine says when to try again", async () => {
    const leases = votes(
      ["acquire-lock", { quarantinedMs: 3_000 }, { quarantinedMs: 2_000 }, 7],
      ["abandon-lock", "nothing", "nothing", "done"],
    );
    await expect(leases.acquire(LEASE, TERMS)).rejects.toMatchObject({
      code: "no_quorum",
      help: { retryAfterMs: 2_000 },
    });
  });
});

describe("the clean-up of an acquire", () => {
  test("is owed to a primary that did not answer it, by the attempt", async () => {
    const leases = votes(["acquire-lock", 7, "A", "B"], ["abandon-lock", "-", "nothing", "nothing"]);
    await leases.acquire(LEASE, TERMS);
    await settled();
    expect(owedAt()).toEqual([0]);
    const [[name, call]] = [...(fakes[0]?.owed ?? [])] as [[string, Call<unknown>]];
    const [nonce] = new Set(sent("acquire-lock").map(({ args }) => args[2]));
    expect(name).toContain(nonce);
    expect(call.script.name).toBe("abandon-lock");
    expect(call.args[0]).toBe(nonce);
  });

  test("refuses the attempt from then on where its vote may still come", async () => {
    const leases = votes(["acquire-lock", 7, "-", "A"], ["abandon-lock", "done", "-", "nothing"]);
    await leases.acquire(LEASE, TERMS);
    await settled();
    const tombstones = Object.fromEntries(
      sent("abandon-lock").map((each) => [each.place, refusedForMs(each)]),
    );
    expect(tombstones).toEqual({ 0: 0, 1: TOMBSTONE_MS, 2: 0 });
    expect(owedAt()).toEqual([1]);
    for (const call of fakes[1]?.owed.values() ?? []) expect(refusedForMs(call)).toBe(TOMBSTONE_MS);
  });

  test("is not for a primary that the attempt was never sent to", async () => {
    const leases = votes(["acquire-lock", 7, "x", "A"], ["abandon-lock", "done", "-", "nothing"]);
    await leases.acquire(LEASE, TERMS);
    await settled();
    expect(placesOf("abandon-lock")).toEqual([0, 2]);
    expect(owedAt()).toEqual([]);
  });

  test("names the tombstone of the attempt, not that of the lease", async () => {
    const leases = votes(["acquire-lock", 7, "A", "B"], ["abandon-lock", "done", "nothing", "nothing"]);
    await leases.acquire(LEASE, TERMS);
    const [acquire] = sent("acquire-lock");
    for (const { keys: named } of sent("abandon-lock")) {
      expect(named).toEqual([acquire?.keys[0], acquire?.keys.at(-1)]);
    }
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
    expect(await release(votes(["release-lock", ...answers]))).toBe(released);
    expect(placesOf("release-lock")).toEqual([0, 1, 2]);
  });

  test("is owed to those that did not answer, with a tombstone: an acquire may still come behind it", async () => {
    const leases = votes(["release-lock", "-", "done", "x"]);
    await release(leases).catch(() => {});
    await settled();
    expect(owedAt()).toEqual([0, 2]);
    for (const fake of [fakes[0], fakes[2]]) {
      const [call] = [...(fake?.owed.values() ?? [])];
      expect(call?.script.name).toBe("release-lock");
      expect(call?.args).toEqual([LEASE.leaseId, TOMBSTONE_MS, "1"]);
    }
  });

  test("of an id that the caller chose leaves a tombstone everywhere, of one made here none", async () => {
    await release(votes(["release-lock", "done", "done", "done"]), true);
    expect(sent("release-lock").map(({ args }) => args[2])).toEqual(["1", "1", "1"]);
    await release(votes(["release-lock", "done", "done", "done"]), false);
    expect(sent("release-lock").map(({ args }) => args[2])).toEqual(["", "", ""]);
  });

  test("that no majority answers is no_quorum, and is still owed", async () => {
    const leases = votes(["release-lock", "done", "-", "x"]);
    await expect(release(leases)).rejects.toMatchObject({ code: "no_quorum" });
    await settled();
    expect(owedAt()).toEqual([1, 2]);
  });
});

describe("a renewal", () => {
  const renew = (leases: LeaseVotes) => leases.renew({ ...LEASE, token: 7, ttlMs: 10_000 });

  test.each([
    [["done", "done", "done"]],
    [["done", "done", "lost"]],
    [["done", "done", "-"]],
    [["x", "done", "done"]],
    [["done", "lost", "done"]],
  ] as [Vote[]][])("that a majority extends is renewed: %j", async (answers) => {
    const outcome = await renew(votes(["renew-lock", ...answers]));
    expect(outcome).toMatchObject({ kind: "renewed", token: 7, owner: "worker-7" });
    expect((outcome as { acks: number }).acks).toBeGreaterThanOrEqual(2);
    expect(sent("renew-lock")[0]?.args).toEqual([LEASE.leaseId, "7", 10_000]);
  });

  test.each([
    [["lost", "lost", "lost"]],
    [["lost", "done", "lost"]],
    [["lost", "lost", "-"]],
    [["x", "lost", "lost"]],
    [["x", "lost", { late: "lost" }]],
  ] as [Vote[]][])("that a majority refuses is lost: %j", async (answers) => {
    expect(await renew(votes(["renew-lock", ...answers]))).toEqual({ kind: "lost" });
  });

  test.each([[["done", "lost", "-"]], [["x", "lost", "done"]], [["done", "-", "-"]], [["x", "x", "x"]]] as [
    Vote[],
  ][])("that is neither is no_quorum, and never a guess: %j", async (answers) => {
    await expect(renew(votes(["renew-lock", ...answers]))).rejects.toMatchObject({ code: "no_quorum" });
  });

  test("takes nothing back", async () => {
    const leases = votes(["renew-lock", "done", "-", "-"]);
    await renew(leases).catch(() => {});
    await settled();
    expect(messages.every(({ script }) => script === "renew-lock")).toBe(true);
    expect(owedAt()).toEqual([]);
  });
});

describe("looking at a lock", () => {
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
      const seen = await votes(["inspect-lock", ...answers]).inspect(LEASE.resource);
      expect(seen.hold?.owner ?? null).toBe(holder && `owner-${holder}`);
      expect(seen.token).toBe(token);
    },
  );

  test("without a majority is no_quorum", async () => {
    const leases = votes(["inspect-lock", 7, "-", "x"]);
    await expect(leases.inspect(LEASE.resource)).rejects.toMatchObject({ code: "no_quorum" });
  });
});

test("many operations at once do not get in each other's way", async () => {
  const rows = Array.from({ length: 50 }, (_, i): [string, ...Vote[]] => ["acquire-lock", i, i, i]);
  const leases = votes(...rows);
  const outcomes = await Promise.all(rows.map(() => leases.acquire(LEASE, TERMS)));
  expect(outcomes.map((outcome) => (outcome.kind === "granted" ? outcome.token : outcome.kind))).toEqual(
    rows.map((_, i) => i),
  );
});
