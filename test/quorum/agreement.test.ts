import { randomBytes } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ballotAbove, type PromiseReply } from "../../src/algorithms/ballot.js";
import { type Clock, systemClock, systemRandom } from "../../src/clock.js";
import { type Acceptor, change } from "../../src/quorum/agreement.js";
import { PrimaryFailure } from "../../src/redis/failures.js";
import { accept, prepare } from "../../src/scripts/configuration-calls.js";
import type { Call } from "../../src/scripts/scripts.js";
import { randomOf } from "../helpers/chance.js";
import { command, storedField } from "../helpers/deployment.js";
import type { SharedPrimaries, TestPrimaries } from "../helpers/primaries.js";
import { type Instance, startInstance } from "../helpers/service.js";
import { sharedPrimaries } from "../helpers/shared-primaries.js";

type Dependencies = Parameters<typeof change>[4];

/** As the reconciler does: the first proposal that is accepted stays. */
function agree(
  register: string,
  proposal: string,
  acceptors: readonly Acceptor[],
  quorum: number,
  dependencies: Dependencies,
): Promise<string | null> {
  return change(register, (value) => value ?? proposal, acceptors, quorum, dependencies);
}

describe("on real servers", () => {
  let primaries: SharedPrimaries;
  let instances: readonly Instance[];
  let acceptors: readonly Acceptor[][];
  let lastRegister = 0;
  const world = {
    clock: systemClock,
    random: systemRandom,
    ids: { hexNonce: () => randomBytes(12).toString("hex") },
  };

  beforeAll(async () => {
    primaries = await sharedPrimaries();
    const first = await startInstance(primaries.urls);
    const others = [1, 2, 3].map(() => startInstance(primaries.urls, { prefix: first.prefix }));
    instances = [first, ...(await Promise.all(others))];
    const stamps = await Promise.all(
      primaries.all.map(async (one) => (await storedField(one, first.prefix, "stamp")) ?? ""),
    );
    acceptors = instances.map(({ service }) =>
      service.primaries.all.map((primary, place) => ({
        primary,
        connectionEpoch: primary.connectionEpoch as number,
        configurationEpoch: stamps[place] as string,
      })),
    );
  });
  afterAll(async () => {
    for (const instance of instances) await instance[Symbol.asyncDispose]();
  });

  const freshRegister = () => `${instances[0]?.prefix}agreement/${1_000_000 + ++lastRegister}`;
  const of = (proposer: number) => acceptors[proposer] as Acceptor[];

  async function ask<T>(call: Call<T>, place = 0): Promise<T> {
    const { primary, connectionEpoch: era, configurationEpoch: stamp } = of(0)[place] as Acceptor;
    return primary.runAs(era, stamp, call);
  }

  test("one who proposes alone gets its value", async () => {
    expect(await agree(freshRegister(), "blue", of(0), 2, world)).toBe("blue");
  });

  test("who comes later gets the value of before, not its own", async () => {
    const register = freshRegister();
    await agree(register, "blue", of(0), 2, world);
    expect(await agree(register, "red", of(1), 2, world)).toBe("blue");
    expect(await agree(register, "green", of(2), 3, world)).toBe("blue");
  });

  test("four who propose at once get one value, again and again", async () => {
    for (let round = 0; round < 25; round++) {
      const register = freshRegister();
      const got = await Promise.all(
        acceptors.map((own, i) => agree(register, `of proposer ${i}`, own, 2, world)),
      );
      const agreed = new Set(got.filter((value) => value !== null));
      expect([...agreed], `round ${round}: ${got}`).toHaveLength(1);
      // One who got nothing may ask again, and gets the same.
      expect([...agreed]).toEqual([await agree(register, "too late", of(0), 2, world)]);
    }
  });

  test("a value that one acceptor accepted and nobody was told of is kept by the next who meets it", async () => {
    const register = freshRegister();
    const ballot = ballotAbove(null, "0".repeat(24));
    await ask(prepare(register, ballot));
    await ask(accept(register, ballot, "half-way"));
    // A quorum of all has to meet the one that knows.
    expect(await agree(register, "mine", of(1), 3, world)).toBe("half-way");
  });

  test("without a quorum nothing is agreed on", async () => {
    const register = freshRegister();
    expect(await agree(register, "blue", of(0).slice(0, 1), 2, world)).toBeNull();
    expect(await agree(register, "red", of(1), 3, world)).toBe("red");
  });

  test("a ballot is promised once: its second prepare is refused, and says what is in the way", async () => {
    const register = freshRegister();
    const ballot = ballotAbove(null, "a".repeat(24));
    expect(await ask(prepare(register, ballot))).toEqual({ kind: "promised", accepted: null });
    expect(await ask(prepare(register, ballot))).toEqual({ kind: "refused", promised: ballot });
  });

  test("an acceptor accepts nothing below what it promised, and may accept what it promised twice", async () => {
    const register = freshRegister();
    const low = ballotAbove(null, "a".repeat(24));
    const high = ballotAbove(low, "0".repeat(24));
    await ask(prepare(register, high));
    expect(await ask(accept(register, low, "old"))).toBe(high);
    expect(await ask(prepare(register, low))).toEqual({ kind: "refused", promised: high });
    expect(await ask(accept(register, high, "new"))).toBeNull();
    expect(await ask(accept(register, high, "new"))).toBeNull();
    expect(await command(primaries.all[0] as TestPrimaries["all"][number], "HGET", register, "value")).toBe(
      "new",
    );
  });

  test("one that was never asked to promise accepts, and from then on nothing below", async () => {
    const register = freshRegister();
    const low = ballotAbove(null, "a".repeat(24));
    const high = ballotAbove(low, "0".repeat(24));
    expect(await ask(accept(register, high, "new"))).toBeNull();
    expect(await ask(prepare(register, low))).toEqual({ kind: "refused", promised: high });
  });

  test("each change starts from the value that the one before it left", async () => {
    const register = freshRegister();
    expect(await change(register, withName("a"), of(0), 2, world)).toBe("a");
    expect(await change(register, withName("b"), of(1), 2, world)).toBe("a b");
    expect(await change(register, withName("c"), of(2), 3, world)).toBe("a b c");
  });

  test("changes at once of four proposers all come into force, each once", async () => {
    const register = freshRegister();
    await Promise.all(
      acceptors.map(async (own, i) => {
        while ((await change(register, withName(`n${i}`), own, 2, world)) === null);
      }),
    );
    const names = await change(register, (value) => value ?? "", of(0), 2, world);
    expect(names?.split(" ").sort()).toEqual(["n0", "n1", "n2", "n3"]);
  });

  test("an acceptor that is not what it was seen to be has no voice", async () => {
    const register = freshRegister();
    const strangers = of(0).map((own) => ({ ...own, configurationEpoch: "of another configuration" }));
    expect(await agree(register, "blue", strangers, 2, world)).toBeNull();
    const earlier = of(0).map((own) => ({ ...own, connectionEpoch: own.connectionEpoch - 1 }));
    expect(await agree(register, "blue", earlier, 2, world)).toBeNull();
    for (const one of primaries.all) expect(await command(one, "EXISTS", register)).toBe(0);
  });
});

/** A list of names in one register; who is in it already does not come in twice. */
const withName = (name: string) => (list: string | null) => {
  const names = list === null ? [] : list.split(" ");
  return (names.includes(name) ? names : [...names, name]).join(" ");
};

/** An acceptor in memory, by the contract of prepare.lua and accept.lua. */
class Memory {
  #promised = "";
  #accepted: { ballot: string; value: string } | null = null;

  constructor(private readonly forgetful = false) {}

  answer(script: string, [ballot = "", value = ""]: readonly string[]): PromiseReply | string | null {
    if (script === "prepare") {
      if (this.#promised >= ballot) return { kind: "refused", promised: this.#promised };
      this.#promised = ballot;
      return { kind: "promised", accepted: this.forgetful ? null : this.#accepted };
    }
    if (this.#promised > ballot) return this.#promised;
    this.#promised = ballot;
    this.#accepted = { ballot, value };
    return null;
  }
}

interface History {
  readonly got: readonly (string | null)[];
  readonly ballots: readonly string[];
}

/** Proposers at once, over a network that loses requests and replies, delivers late, and delivers twice. */
async function race(seed: number, proposers: number, count: number, forgetful = false): Promise<History> {
  const chance = randomOf(seed);
  const memories = Array.from({ length: count }, () => new Memory(forgetful));
  const ballots: string[] = [];
  const late: (() => void)[] = [];
  const someTurns = async () => {
    for (let turns = Math.floor(chance() * 4); turns > 0; turns--) await turn();
    if (late.length > 0 && chance() < 0.5) late.splice(Math.floor(chance() * late.length), 1)[0]?.();
  };
  const acceptors = memories.map((memory): Acceptor => {
    const runAs = async (_era: number, _stamp: string, { script, args }: Call<unknown>) => {
      const deliver = () => memory.answer(script.name, args.map(String));
      if (script.name === "prepare") ballots.push(String(args[0]));
      await someTurns();
      const fate = chance();
      if (fate < 0.1) late.push(deliver);
      if (fate < 0.2) throw new PrimaryFailure("unknown", "the request was lost, or comes late");
      if (fate < 0.3) late.push(deliver);
      const answer = deliver();
      await someTurns();
      if (fate > 0.9) throw new PrimaryFailure("unknown", "the reply was lost");
      return answer;
    };
    return {
      primary: { runAs } as unknown as Acceptor["primary"],
      connectionEpoch: 1,
      configurationEpoch: "",
    };
  });
  let nonces = 0;
  const world = {
    clock: { sleep: someTurns } as unknown as Clock,
    random: chance,
    // In any order, but never twice.
    ids: {
      hexNonce: () =>
        Math.floor(chance() * 2 ** 32)
          .toString(16)
          .padStart(12, "0") + (++nonces).toString(16).padStart(12, "0"),
    },
  };
  const propose = (value: string) => agree("register", value, acceptors, Math.floor(count / 2) + 1, world);
  const first = await Promise.all(Array.from({ length: proposers }, (_, i) => propose(`value ${i}`)));
  for (const deliver of late.splice(0)) deliver();
  return { got: [...first, await propose("late")], ballots };
}

describe("over a network that loses, delays and repeats messages", () => {
  const SEEDS = 400;
  const splits = async (forgetful: boolean): Promise<number[]> => {
    const seeds: number[] = [];
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { got } = await race(seed, 2 + (seed % 3), seed % 2 === 0 ? 3 : 5, forgetful);
      if (new Set(got.filter((value) => value !== null)).size > 1) seeds.push(seed);
    }
    return seeds;
  };

  test("nobody ever gets another value than somebody else", async () => {
    expect(await splits(false), "seeds that split").toEqual([]);
  });

  test("acceptors that do not tell what they accepted would be found out", async () => {
    expect((await splits(true)).length).toBeGreaterThan(10);
  });

  test("agreement is reached nearly always: proposers get out of each other's way", async () => {
    let none = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { got } = await race(seed, 2, 3);
      if (got.every((value) => value === null)) none += 1;
    }
    expect(none).toBeLessThan(SEEDS / 50);
  });

  test("no ballot is sent twice to the same acceptor, whatever is refused or lost", async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { ballots } = await race(seed, 3, 3);
      // Each goes to all three at once, and is never used again.
      const uses = new Map<string, number>();
      for (const ballot of ballots) uses.set(ballot, (uses.get(ballot) ?? 0) + 1);
      expect([...new Set(uses.values())], `seed ${seed}`).toEqual([3]);
    }
  });
});

describe("an acceptor that never answers", () => {
  const world = {
    clock: { sleep: () => turn() } as unknown as Clock,
    random: () => 0,
    ids: { hexNonce: () => "0".repeat(24) },
  };

  /** Acceptors in memory, and the last of them keeps silent until it is told to fail. */
  function withSilent() {
    const memories = [new Memory(), new Memory()];
    const failures: ((error: Error) => void)[] = [];
    const acceptors = [0, 1, 2].map((place): Acceptor => {
      const runAs = async (_era: number, _stamp: string, { script, args }: Call<unknown>) =>
        memories[place]?.answer(script.name, args.map(String)) ??
        (place === 2 ? new Promise((_, fail) => failures.push(fail)) : null);
      return {
        primary: { runAs } as unknown as Acceptor["primary"],
        connectionEpoch: 1,
        configurationEpoch: "",
      };
    });
    return { acceptors, failures };
  }

  test("is not waited for where the others are a quorum, and fails later without harm", async () => {
    const { acceptors, failures } = withSilent();
    expect(await agree("register", "mine", acceptors, 2, world)).toBe("mine");
    expect(failures, "prepare and accept are under way").toHaveLength(2);
    // An unhandled rejection would fail the run.
    for (const fail of failures) fail(new PrimaryFailure("unknown", "no answer within 100 ms"));
    await turn();
  });

  test("is waited for where the quorum needs it", async () => {
    const { acceptors, failures } = withSilent();
    let agreed: string | null | undefined;
    void agree("register", "mine", acceptors, 3, world).then((value) => {
      agreed = value;
    });
    for (let turns = 0; turns < 20; turns++) await turn();
    expect(agreed).toBeUndefined();
    while (agreed === undefined) {
      for (const fail of failures.splice(0)) fail(new PrimaryFailure("unknown", "no answer within 100 ms"));
      await turn();
    }
    expect(agreed).toBeNull();
  });
});

describe("a proposer that is refused", () => {
  test("tries again above the highest ballot that was in its way", async () => {
    const inTheWay = [
      "0000000000a7:".padEnd(37, "5"),
      "0000000000a9:".padEnd(37, "1"),
      "000000000003:".padEnd(37, "f"),
    ];
    const asked: string[][] = [[], [], []];
    const acceptors = inTheWay.map((promised, place): Acceptor => {
      const runAs = async (_era: number, _stamp: string, { script, args }: Call<unknown>) => {
        const ballot = String(args[0]);
        if (script.name !== "prepare") return null;
        asked[place]?.push(ballot);
        return ballot > promised ? { kind: "promised", accepted: null } : { kind: "refused", promised };
      };
      return {
        primary: { runAs } as unknown as Acceptor["primary"],
        connectionEpoch: 1,
        configurationEpoch: "",
      };
    });
    const world = {
      clock: { sleep: () => turn() } as unknown as Clock,
      random: () => 0,
      ids: { hexNonce: () => "0".repeat(24) },
    };
    expect(await agree("register", "mine", acceptors, 3, world)).toBe("mine");
    for (const ballots of asked)
      expect(ballots.map((one) => one.slice(0, 12))).toEqual(["000000000001", "0000000000aa"]);
  });

  test("gives up after a few attempts, and says so", async () => {
    let prepares = 0;
    const runAs = async (_era: number, _stamp: string, { args }: Call<unknown>) => {
      prepares += 1;
      return { kind: "refused", promised: `f${String(args[0]).slice(1)}` };
    };
    const acceptor = {
      primary: { runAs } as unknown as Acceptor["primary"],
      connectionEpoch: 1,
      configurationEpoch: "",
    };
    const world = {
      clock: { sleep: () => turn() } as unknown as Clock,
      random: () => 0,
      ids: { hexNonce: () => "0".repeat(24) },
    };
    expect(await agree("register", "mine", [acceptor], 1, world)).toBeNull();
    expect(prepares).toBeLessThan(10);
  });
});
