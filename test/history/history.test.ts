import { describe, expect, it } from "vitest";
import { check } from "./check.js";
import type { Outcome, Request, WorldEvent } from "./operation.js";
import { Recorder } from "./recorder.js";
import { tellHistory, tellViolation } from "./tell.js";

type Line = readonly [
  startMs: number,
  endMs: number | null,
  request: Request,
  outcome?: Outcome | undefined,
  more?: More,
];
interface More {
  readonly client?: string;
  readonly withinMs?: number;
  readonly mustSucceed?: boolean;
}

/** A history of these operations, up to `endMs`. */
function historyOf(lines: readonly Line[], events: readonly WorldEvent[] = [], endMs = 100_000) {
  let nowMs = 0;
  const recorder = new Recorder(() => nowMs);
  const steps: { readonly atMs: number; readonly step: () => void }[] = [];
  for (const [startMs, end, request, outcome, more = {}] of lines) {
    const asking = { client: more.client ?? "c1", instance: "i1", withinMs: more.withinMs ?? 1e9 };
    let answered: (outcome: Outcome) => void = () => {};
    steps.push({
      atMs: startMs,
      step: () => {
        answered = recorder.asks({ ...asking, mustSucceed: more.mustSucceed ?? false }, request);
      },
    });
    if (end !== null && outcome) steps.push({ atMs: end, step: () => answered(outcome) });
  }
  for (const { atMs, step } of steps.sort((a, b) => a.atMs - b.atMs)) {
    nowMs = atMs;
    step();
  }
  for (const event of events) recorder.happened(event);
  nowMs = endMs;
  return recorder.history();
}

const broken = (lines: readonly Line[], events: readonly WorldEvent[] = [], endMs = 100_000) =>
  check(historyOf(lines, events, endMs)).map((one) => `${one.promise}: ${one.what}`);

const acquire: Extract<Request, { kind: "acquire" }> = { kind: "acquire", name: "n", ttlMs: 1_000 };
const granted = (leaseId: string, token: number, validUntilMs = 0): Outcome => ({
  kind: "granted",
  leaseId,
  token,
  validUntilMs,
});
const renew = (leaseId: string, token: number): Extract<Request, { kind: "renew" }> => ({
  kind: "renew",
  name: "n",
  ttlMs: 1_000,
  leaseId,
  token,
});
const release = (leaseId: string): Request => ({ kind: "release", name: "n", leaseId });
const member = { service: "s", member: "m" };
const register: Request = { kind: "register", ...member, ttlMs: 1_000 };
const heartbeat: Request = { kind: "heartbeat", ...member, ttlMs: 1_000 };
const leave: Request = { kind: "leave", ...member };
const list: Request = { kind: "list", service: "s" };
const alive = (incarnation = 1): Outcome => ({ kind: "alive", incarnation });
const listed = (...incarnations: number[]): Outcome => ({
  kind: "listed",
  members: incarnations.map((incarnation) => ({ id: "m", incarnation })),
});
const left: Outcome = { kind: "left", was: true };
const noQuorum: Outcome = { kind: "failed", code: "no_quorum" };
/** The clock of the primary jumps by so much at that time. */
const clockJump = (atMs: number, byMs: number, primary = "primary 1") =>
  ({ kind: "clock_jump", atMs, doneMs: atMs, primary, byMs, membersUntilMs: 1e9 }) as const;
const lost = { kind: "majority_lost", atMs: 50, leases: false, text: "two are wiped" } as const;

describe("tokens", () => {
  it("that grow in real-time order are right, and so are those of grants side by side in any order", () => {
    expect(
      broken([
        [0, 10, acquire, granted("a", 1)],
        [20, 60, acquire, granted("b", 3)],
        [30, 50, acquire, granted("c", 2)],
        [40, 70, { ...acquire, name: "other" }, granted("d", 1)],
      ]),
    ).toEqual([]);
  });

  it("that two leases got are found", () => {
    expect(
      broken([
        [0, 10, acquire, granted("a", 1)],
        [5, 15, acquire, granted("b", 1)],
      ]),
    ).toEqual(["tokens: two leases of n got token 1"]);
  });

  it("that one lease got twice, when its acquire was repeated, are right", () => {
    expect(
      broken([
        [0, 10, acquire, granted("a", 1)],
        [15, 20, acquire, granted("a", 1)],
      ]),
    ).toEqual([]);
  });

  it("that fell are found, also across a clock jump and the loss of a majority", () => {
    expect(
      broken(
        [
          [0, 10, acquire, granted("a", 2)],
          [60, 70, acquire, granted("b", 1)],
        ],
        [clockJump(40, 1_000), { ...lost, leases: true }],
      ),
    ).toEqual(["tokens: n was granted with token 1 after token 2 had been returned"]);
  });

  it("that were renewed after a newer grant are found", () => {
    expect(
      broken([
        [0, 10, acquire, granted("a", 1)],
        [20, 30, acquire, granted("b", 2)],
        [40, 50, renew("a", 1), { kind: "renewed", validUntilMs: 0 }],
      ]),
    ).toEqual(["tokens: n was renewed with token 1 after token 2 had been returned"]);
  });
});

describe("holds", () => {
  it("one after the other are right: the first expired, was released, or was renewed in time", () => {
    expect(
      broken([
        [0, 10, acquire, granted("a", 1, 100)],
        [95, 100, acquire, granted("b", 2, 1_000)],
        [190, 220, release("b"), { kind: "released", was: true }],
        [195, 200, acquire, granted("c", 3, 300)],
        [250, 260, renew("c", 3), { kind: "renewed", validUntilMs: 400 }],
        [395, 410, acquire, granted("d", 4, 500)],
      ]),
    ).toEqual([]);
  });

  it("that overlap are found", () => {
    expect(
      broken([
        [0, 10, acquire, granted("a", 1, 100)],
        [50, 60, acquire, granted("b", 2, 200)],
      ]),
    ).toEqual(["holds: n had two holders for 40.0 ms from 60.0 on"]);
  });

  it("that overlap by a renewal are found", () => {
    expect(
      broken([
        [0, 10, acquire, granted("a", 1, 100)],
        [50, 60, renew("a", 1), { kind: "renewed", validUntilMs: 300 }],
        [110, 120, acquire, granted("b", 2, 200)],
      ]),
    ).toEqual(["holds: n had two holders for 80.0 ms from 120.0 on"]);
  });

  it("are not compared across the loss of a majority's leases", () => {
    const lines: Line[] = [
      [0, 10, acquire, granted("a", 1, 100)],
      [60, 70, acquire, granted("b", 2, 200)],
    ];
    expect(broken(lines, [{ ...lost, leases: true }])).toEqual([]);
    expect(broken(lines, [lost])).toHaveLength(1);
    expect(broken(lines, [{ ...lost, leases: true, atMs: 90 }])).toHaveLength(1);
  });
});

describe("two holders at one time and a clock that jumps", () => {
  /** Trusted from 10 until 1000, and beside it another from 700 on, asked for at 690. */
  const older: Line = [0, 10, acquire, granted("a", 1, 1_000)];
  const newer: Line = [690, 700, acquire, granted("b", 2, 1_500)];
  const found = ["holds: n had two holders for 300.0 ms from 700.0 on"];

  it("are right where the jump ended the first early enough", () => {
    expect(broken([older, newer], [clockJump(500, 400)])).toEqual([]);
    expect(broken([older, newer], [clockJump(400, 200), clockJump(500, 200)]), "by two jumps").toEqual([]);
  });

  it("are right where the older one was answered last", () => {
    const answeredLast: Line = [0, 750, acquire, granted("a", 1, 1_000)];
    expect(broken([answeredLast, newer], [clockJump(500, 400)])).toEqual([]);
    expect(broken([answeredLast, newer], [clockJump(500, 200)])).toHaveLength(1);
  });

  it("are found where the jump is too small for that", () => {
    expect(broken([older, newer], [clockJump(500, 200)])).toEqual(found);
    const onTwo = [clockJump(400, 200), clockJump(500, 200, "primary 2")];
    expect(broken([older, newer], onTwo), "nor do those of two primaries add up").toEqual(found);
    const released: Line = [710, 720, release("a"), { kind: "released", was: true }];
    const shortly = ["holds: n had two holders for 10.0 ms from 700.0 on"];
    expect(broken([older, newer, released], [clockJump(500, 200)]), "though it is released").toEqual(shortly);
  });

  it("are found where the clock was set back", () => {
    expect(broken([older, newer], [clockJump(500, -3_000)])).toEqual(found);
  });

  it("are found where the jump came at another time", () => {
    const later: Line = [300, 310, acquire, granted("a", 1, 1_000)];
    expect(broken([later, newer], [clockJump(200, 3_000)]), "before the first was stored").toHaveLength(1);
    expect(broken([older, newer], [clockJump(800, 3_000)]), "after the second was granted").toEqual(found);
  });

  it("are found where the first was renewed behind the jump", () => {
    const renewed: Line = [600, 610, renew("a", 1), { kind: "renewed", validUntilMs: 1_600 }];
    expect(broken([older, renewed, newer], [clockJump(500, 3_000)])).toEqual([
      "holds: n had two holders for 800.0 ms from 700.0 on",
    ]);
  });

  it("are right where the clock jumped shortly before one that waited was asked for: its instance has read it before", () => {
    const waits = { ...acquire, waitMs: 500 };
    const handedOn: Line = [200, 400, waits, granted("a", 1, 1_000)];
    expect(broken([handedOn, newer], [clockJump(100, 400)])).toEqual([]);
    expect(broken([[200, 400, acquire, granted("a", 1, 1_000)], newer], [clockJump(100, 400)])).toEqual(
      found,
    );
  });

  it("are found of other names, and of later leases of this one", () => {
    const others: Line[] = [
      [2_000, 2_010, acquire, granted("c", 4, 3_000)],
      [2_690, 2_700, acquire, granted("d", 5, 3_500)],
      [2_000, 2_010, { ...acquire, name: "m" }, granted("e", 4, 3_000)],
      [2_690, 2_700, { ...acquire, name: "m" }, granted("f", 5, 3_500)],
    ];
    expect(broken([older, newer, ...others], [clockJump(500, 400)])).toEqual([
      "holds: n had two holders for 300.0 ms from 2700.0 on",
      "holds: m had two holders for 300.0 ms from 2700.0 on",
    ]);
  });
});

describe("the lease family", () => {
  const read: Request = { ...acquire, mode: "shared" };
  const both: Request = { ...acquire, others: ["m"] };
  const permits = (count: number): Request => ({ ...acquire, name: "pool", permits: count, limit: 3 });

  it("readers may share a token and a time, and one with a lower token may be renewed beside another", () => {
    expect(
      broken([
        [0, 10, acquire, granted("w", 2, 15)],
        [20, 30, read, granted("a", 3, 900)],
        [25, 35, read, granted("b", 3, 900)],
        [40, 50, read, granted("c", 5, 900)],
        [60, 70, { ...renew("a", 3), mode: "shared" }, { kind: "renewed", validUntilMs: 950 }],
        [960, 970, acquire, granted("x", 6, 980)],
      ]),
    ).toEqual([]);
  });

  it("a writer beside a reader is found, also with the reader's token", () => {
    expect(
      broken([
        [0, 10, read, granted("a", 3, 900)],
        [5, 30, acquire, granted("w", 3, 900)],
      ]),
    ).toEqual(["tokens: two leases of n got token 3", "holds: n had two holders for 870.0 ms from 30.0 on"]);
  });

  it("a reader with a token below an earlier writer's is found, also one that is asked for again", () => {
    const found = ["tokens: n was granted with token 3 after token 4 had been returned"];
    const writer: Line = [0, 10, acquire, granted("w", 4, 15)];
    expect(broken([writer, [20, 30, read, granted("a", 3, 900)]])).toEqual(found);
    const mine = { ...read, leaseId: "a" };
    const inVain: Line = [0, 5, mine, { kind: "failed", code: "no_quorum" }];
    expect(broken([inVain, writer, [20, 30, mine, granted("a", 3, 900)]])).toEqual(found);
  });

  it("a reader that is asked for again may be below another, and one that is not is found", () => {
    const mine = { ...read, leaseId: "a" };
    const another: Line = [20, 30, { ...read, others: ["m"] }, granted("b", 5, 900)];
    const again: Line = [40, 50, mine, granted("a", 3, 900)];
    expect(broken([[0, 10, mine, { kind: "failed", code: "no_quorum" }], another, again])).toEqual([]);
    expect(broken([[0, 10, mine, granted("a", 3, 900)], another, again])).toEqual([]);
    const found = ["tokens: n was granted with token 3 after token 5 had been returned"];
    expect(broken([another, again])).toEqual(found);
    expect(broken([[35, 60, mine, { kind: "failed", code: "no_quorum" }], another, again])).toEqual(found);
  });

  it("every name of a lease is held, and its token above all earlier ones of each", () => {
    expect(
      broken([
        [0, 10, { ...acquire, name: "m" }, granted("a", 8, 900)],
        [20, 30, both, granted("b", 6, 900)],
      ]),
    ).toEqual([
      "tokens: m was granted with token 6 after token 8 had been returned",
      "holds: m had two holders for 870.0 ms from 30.0 on",
    ]);
  });

  it("as many permits as there are may be held, and one more is found", () => {
    const lines: Line[] = [
      [0, 10, permits(2), granted("a", 2, 900)],
      [0, 10, permits(1), granted("b", 2, 900)],
      [
        20,
        30,
        { ...renew("a", 2), ...{ name: "pool", permits: 2, limit: 3 } },
        { kind: "renewed", validUntilMs: 950 },
      ],
    ];
    expect(broken(lines)).toEqual([]);
    expect(broken([...lines, [40, 50, permits(1), granted("c", 2, 900)]])).toEqual([
      "holds: 4 of the 3 permits of pool were held from 50.0 on",
    ]);
    expect(broken([...lines, [910, 920, permits(1), granted("c", 2, 990)]])).toEqual([]);
  });
});

describe("elections", () => {
  const of = (client: string) => ({ client });
  const campaign = (value: string): Request => ({ ...acquire, name: "e", election: true, value });
  const renewTerm = (leaseId: string, token: number): Request => ({
    ...{ ...renew(leaseId, token), name: "e" },
    election: true,
  });
  const proclaim = (leaseId: string, token: number, value: string): Request => ({
    kind: "proclaim",
    name: "e",
    leaseId,
    token,
    value,
  });
  const proclaimed: Outcome = { kind: "proclaimed" };
  const resign: Request = { ...{ kind: "release", name: "e", leaseId: "a" }, election: true };
  const look: Request = { kind: "leader", name: "e" };
  const led = (candidate: string, term: number, value: string): Outcome => ({
    kind: "led",
    leader: { candidate, term, value },
  });
  const nobody: Outcome = { kind: "led", leader: null };
  /** c1 leads in term 2 from 10 on, with value v1, and may trust that until 900. */
  const first: Line = [0, 10, campaign("v1"), granted("a", 2, 900), of("c1")];

  it("whose terms and values grow, and whose leader is the one that is seen, are right", () => {
    expect(
      broken([
        [0, 5, look, nobody],
        first,
        [20, 30, look, led("c1", 2, "v1")],
        [40, 60, proclaim("a", 2, "v2"), proclaimed, of("c1")],
        [45, 50, look, led("c1", 2, "v2")],
        [51, 55, look, led("c1", 2, "v1")],
        [70, 80, renewTerm("a", 2), { kind: "renewed", validUntilMs: 950, value: "v2" }, of("c1")],
        [100, 110, resign, { kind: "released", was: true }, of("c1")],
        [105, 120, look, nobody],
        [130, 140, campaign("v3"), granted("b", 4, 1_000), of("c2")],
        [135, 160, look, led("c2", 4, "v3")],
      ]),
    ).toEqual([]);
  });

  it("of which a term has two leaders are found", () => {
    const another: Line = [0, 500, campaign("v2"), noQuorum, of("c2")];
    expect(
      broken([
        another,
        [0, 10, campaign("v1"), granted("a", 2, 15), of("c1")],
        [20, 30, look, led("c2", 2, "v2")],
      ]),
    ).toEqual(["elections: term 2 of e had two leaders, c1 and c2"]);
  });

  it("whose leader or value is nobody's, or of another term, are found", () => {
    expect(broken([first, [20, 30, look, led("c1", 2, "v9")]])).toEqual([
      "elections: e was seen with value v9, which c1 had not written in term 2",
    ]);
    const early: Line = [40, 50, proclaim("a", 2, "v2"), proclaimed, of("c1")];
    expect(broken([first, [20, 30, look, led("c1", 2, "v2")], early])).toHaveLength(1);
    const before: Line = [-20, -10, proclaim("z", 0, "v0"), proclaimed, of("c1")];
    expect(broken([before, first, [20, 30, look, led("c1", 2, "v0")]])).toHaveLength(1);
  });

  it("by consensus may be seen to be led by whose campaign was under way when a majority lost their data", () => {
    const office = <R extends object>(request: R) => ({ ...request, name: "office" });
    const campaigns: Line = [0, 60, office(campaign("v1")), noQuorum, of("c1")];
    expect(broken([campaigns, [20, 30, office(look), led("c1", 2, "v1")]], [lost])).toEqual([]);
    expect(broken([campaigns, [20, 30, office(look), led("c1", 2, "v2")]], [lost])).toHaveLength(1);
  });

  it("that are seen in an earlier term than before, or proclaimed in one, are found", () => {
    const short: Line = [0, 10, campaign("v1"), granted("a", 2, 15), of("c1")];
    const second: Line = [20, 30, campaign("v2"), granted("b", 4, 35), of("c2")];
    const earlier = "elections: e was seen in term 2 after term 4 had been seen";
    expect(broken([short, second, [40, 50, look, led("c1", 2, "v1")]])).toEqual([earlier]);
    const unanswered: Line = [20, null, campaign("v2"), undefined, of("c2")];
    const seen: Line = [30, 35, look, led("c2", 4, "v2")];
    expect(broken([short, unanswered, seen, [40, 50, look, led("c1", 2, "v1")]])).toEqual([earlier]);
    expect(broken([short, unanswered, seen, [34, 50, look, led("c1", 2, "v1")]]), "at one time").toEqual([]);
    expect(broken([short, second, [40, 50, proclaim("a", 2, "v3"), proclaimed, of("c1")]])).toEqual([
      "elections: e was proclaimed in term 2 after term 4 had been seen",
    ]);
  });

  it("whose value goes back behind one that was acknowledged are found", () => {
    const second: Line = [20, 30, proclaim("a", 2, "v2"), proclaimed, of("c1")];
    const third: Line = [40, 50, proclaim("a", 2, "v3"), proclaimed, of("c1")];
    expect(broken([first, second, [40, 50, look, led("c1", 2, "v1")]])).toEqual([
      "elections: e was seen with value v1 after v2 had been proclaimed",
    ]);
    const renewed: Line = [
      60,
      70,
      renewTerm("a", 2),
      { kind: "renewed", validUntilMs: 950, value: "v2" },
      of("c1"),
    ];
    expect(broken([first, second, third, renewed]), "also by a renewal").toEqual([
      "elections: e was seen with value v2 after v3 had been proclaimed",
    ]);
    // What failed may take effect later, and what is under way at the same time may be the newer one.
    const failed: Line = [20, 30, proclaim("a", 2, "v2"), noQuorum, of("c1")];
    const late: Line = [60, 70, look, led("c1", 2, "v2")];
    expect(broken([first, failed, third, late])).toEqual([]);
    expect(broken([first, [20, 45, proclaim("a", 2, "v2"), proclaimed, of("c1")], third, late])).toEqual([]);
    expect(broken([first, second, [40, 65, proclaim("a", 2, "v3"), proclaimed, of("c1")], late])).toEqual([]);
  });

  it("of which a read contradicts a leader who may trust its term are found", () => {
    const unanswered: Line = [5, null, campaign("v2"), undefined, of("c2")];
    expect(broken([first, [20, 30, look, nobody]])).toEqual([
      "elections: e was seen to be led by nobody while c1 led in term 2",
    ]);
    expect(broken([first, unanswered, [20, 30, look, led("c2", 4, "v2")]])).toEqual([
      "elections: e was seen to be led by c2 in term 4 while c1 led in term 2",
    ]);
    expect(broken([first, [20, 30, look, { kind: "unknown" }]])).toEqual([]);
    const again: Line = [2, 14, campaign("v1"), granted("a", 4, 900), of("c1")];
    const another: Line = [2, 14, campaign("v1"), granted("b", 4, 900), of("c1")];
    const seen: Line = [20, 30, look, led("c1", 4, "v1")];
    expect(broken([first, again, seen]), "both terms are of its lease").toEqual([]);
    expect(broken([first, another, seen]), "it is of another lease").not.toEqual([]);
    const repeat = { ...campaign("v1"), leaseId: "a" } as Request;
    const stranger = { ...campaign("v1"), leaseId: "b" } as Request;
    expect(broken([first, [2, 40, repeat, noQuorum, of("c1")], seen]), "asked for again").toEqual([]);
    expect(broken([first, [2, 40, stranger, noQuorum, of("c1")], seen]), "not for that lease").not.toEqual(
      [],
    );
    expect(broken([first, [35, 40, repeat, noQuorum, of("c1")], seen]), "too late").not.toEqual([]);
    expect(broken([first, [5, 30, look, nobody]]), "it was not yet granted").toEqual([]);
    expect(broken([first, [880, 910, look, nobody]]), "its time ended meanwhile").toEqual([]);
    const resigned: Line = [25, 40, resign, { kind: "released", was: true }, of("c1")];
    expect(broken([first, resigned, [20, 30, look, nobody]]), "it resigned meanwhile").toEqual([]);
  });

  it("that nobody is said to lead after a primary forgot, or whose leader a jump or a loss explains, are right", () => {
    const unanswered: Line = [5, null, campaign("v2"), undefined, of("c2")];
    const forgot = (atMs: number) => ({ kind: "forgot", atMs, text: "primary 1 is emptied" }) as const;
    const none: Line = [820, 830, look, nobody];
    const other: Line = [820, 830, look, led("c2", 4, "v2")];
    expect(broken([first, none], [forgot(500)])).toEqual([]);
    expect(broken([first, none], [forgot(840)])).toHaveLength(1);
    expect(broken([first, unanswered, other], [forgot(500)])).toHaveLength(1);
    for (const seen of [none, other]) {
      expect(broken([first, unanswered, seen], [clockJump(500, 100)])).toEqual([]);
      expect(broken([first, unanswered, seen], [clockJump(500, 50)])).toHaveLength(1);
      expect(broken([first, unanswered, seen], [{ ...lost, leases: true }])).toEqual([]);
      expect(broken([first, unanswered, seen], [lost])).toHaveLength(1);
    }
  });
});

describe("the order of those who wait", () => {
  const calm = { kind: "undisturbed", atMs: 0, untilMs: 5_000, joinsWithinMs: 20 } as const;
  const waits = { ...acquire, waitMs: 1_000 };
  const of = (client: string) => ({ client });
  /** `earlier` asks at 100, somebody later from `startMs` on and is granted at 500; the first ends at `endMs`. */
  const overtaking = (earlier: Request, later: Request, startMs = 200, endMs = 600, more: Line[] = []) =>
    broken(
      [
        [100, endMs, earlier, granted("a", 4, endMs), of("c1")],
        [startMs, 500, later, granted("b", 2, 550), of("c2")],
        ...more,
      ],
      [calm],
    );

  it("is broken by who comes later and is granted sooner, whether it waits, shares, or wants several names", () => {
    const found = ["order: c2 overtook c1, which waited"];
    expect(overtaking(waits, waits)).toEqual(found);
    expect(overtaking(waits, acquire)).toEqual(found);
    expect(overtaking(waits, { ...acquire, mode: "shared" })).toEqual(found);
    expect(overtaking(waits, { ...acquire, name: "m", others: ["n"] })).toEqual(found);
    expect(overtaking({ ...waits, name: "m", others: ["n"] }, acquire)).toEqual(found);
  });

  it("is not broken by who came in the same moment, wants another name, or a permit, or comes after", () => {
    expect(overtaking(waits, waits, 115)).toEqual([]);
    expect(overtaking(waits, { ...waits, name: "m" })).toEqual([]);
    expect(overtaking(waits, { ...waits, permits: 1, limit: 3 })).toEqual([]);
    expect(overtaking(waits, waits, 200, 510)).toEqual([]);
  });

  it("is not broken where the first does not wait, shares, waits no more, or asks for the same lease", () => {
    expect(overtaking(acquire, waits)).toEqual([]);
    expect(overtaking({ ...waits, mode: "shared" }, waits)).toEqual([]);
    expect(overtaking({ ...waits, waitMs: 300 }, waits)).toEqual([]);
    expect(overtaking({ ...waits, leaseId: "x" }, { ...waits, leaseId: "x" })).toEqual([]);
    const samePlace = { ...waits, leaseId: "y" };
    const before: Line = [110, 700, samePlace, { kind: "held" }];
    expect(overtaking(waits, samePlace, 200, 600, [before]), "whose lease was asked for before").toEqual([]);
    const twice = { ...waits, leaseId: "x" };
    const inVain: Line = [100, 600, twice, { kind: "held" }];
    const again: Line = [100, 700, twice, granted("x", 5, 800)];
    const later: Line = [200, 500, waits, granted("b", 2, 550)];
    const instead: Line = [110, 120, twice, granted("x", 1, 150)];
    const tooLate: Line = [110, 600, twice, granted("x", 5, 800)];
    for (const first of [inVain, again]) {
      expect(broken([first, instead, later], [calm]), "which another request got before").toEqual([]);
      expect(broken([first, later], [calm])).toHaveLength(1);
    }
    expect(broken([again, tooLate, later], [calm]), "which another request got after").toHaveLength(2);
  });

  it("is not looked at where anything may be wrong", () => {
    const lines: Line[] = [
      [100, 600, waits, granted("a", 4, 600)],
      [200, 500, waits, granted("b", 2, 550)],
    ];
    expect(broken(lines)).toEqual([]);
    expect(broken(lines, [{ ...calm, atMs: 150 }])).toEqual([]);
    expect(broken(lines, [{ ...calm, untilMs: 450 }])).toEqual([]);
  });
});

describe("members", () => {
  it("that are listed while they are alive, gone when dead, and either way in between, are right", () => {
    expect(
      broken([
        [0, 10, register, alive()],
        [20, 30, list, listed(1)],
        [400, 410, heartbeat, alive()],
        [1_300, 1_310, list, listed(1)],
        [1_500, 1_510, list, listed(1)],
        [1_600, 1_610, list, listed()],
        [2_500, 2_510, list, listed()],
      ]),
    ).toEqual([]);
  });

  it("that are alive and missing are found", () => {
    expect(
      broken([
        [0, 10, register, alive()],
        [400, 410, heartbeat, alive()],
        [1_300, 1_310, list, listed()],
      ]),
    ).toEqual(["members: m of s is alive and was not seen"]);
  });

  it("that are seen in an incarnation that is over are found", () => {
    expect(
      broken([
        [0, 10, register, alive(1)],
        [20, 30, register, alive(2)],
        [40, 50, list, listed(1)],
      ]),
    ).toEqual(["members: m of s was seen as incarnation 1, after 2 was acknowledged"]);
  });

  it("that are seen as a registration which had failed before another was acknowledged are found", () => {
    const then: Line[] = [
      [0, 10, register, noQuorum],
      [20, 30, register, alive(2)],
    ];
    const found = ["members: m of s was seen as incarnation 3, after 2 was acknowledged"];
    expect(broken([...then, [40, 50, list, listed(3)]])).toEqual(found);
    expect(broken([...then, [31, 32, heartbeat, alive(2)], [40, 50, list, listed(3)]])).toEqual(found);
    // One beside it may have come after it, and so may one of which nobody knows what becomes of it.
    const beside: Line = [5, 25, register, noQuorum, { client: "c2" }];
    expect(broken([...then, beside, [40, 50, list, listed(3)]])).toEqual([]);
    const unknown: Line = [0, 10, register, { kind: "no_answer", why: "broken" }];
    expect(broken([unknown, ...then, [40, 50, list, listed(3)]])).toEqual([]);
    expect(broken([...then, [40, 50, list, listed(3)]], [lost])).toEqual([]);
  });

  it("that are listed more than a second after their time to live are found", () => {
    expect(
      broken([
        [0, 10, register, alive()],
        [2_100, 2_110, list, listed(1)],
      ]),
    ).toEqual(["members: m of s was still seen 1080.0 ms after its time to live was over"]);
  });

  it("that a heartbeat may have kept which nobody acknowledged are right for as long as it could", () => {
    const lines: Line[] = [
      [0, 10, register, alive()],
      [900, 950, heartbeat, noQuorum],
    ];
    expect(broken([...lines, [2_100, 2_110, list, listed(1)]])).toEqual([]);
    expect(broken([...lines, [3_100, 3_110, list, listed(1)]])).toHaveLength(1);
  });

  it("that a primary may keep longer are right for as much longer, and no more", () => {
    const longer = { kind: "late_message", atMs: 5, untilMs: 705, text: "primary 1 reads late" } as const;
    const seen = (atMs: number): Line[] => [
      [0, 10, register, alive()],
      [atMs, atMs + 10, list, listed(1)],
    ];
    expect(broken(seen(2_600), [longer])).toEqual([]);
    expect(broken(seen(2_800), [longer])).toHaveLength(1);
    expect(broken(seen(2_600), [{ ...longer, atMs: -900, untilMs: -200 }])).toHaveLength(1);
    expect(broken(seen(2_600), [{ ...longer, atMs: 2_000, untilMs: 2_700 }])).toHaveLength(1);
  });

  it("that left and are seen are found, and so is their owning something", () => {
    const lines: Line[] = [
      [0, 10, register, alive()],
      [20, 30, leave, left],
    ];
    expect(broken([...lines, [40, 50, list, listed(1)]])).toEqual([
      "members: m of s was seen after it had left",
    ]);
    const owner: Request = { kind: "owner", service: "s", key: "k", viewAgeMsMax: 15 };
    const owned: Outcome = { kind: "owned", owner: "m", ringId: "r" };
    expect(broken([...lines, [46, 50, owner, owned]])).toEqual([
      "members: m of s was seen after it had left",
    ]);
    expect(broken([...lines, [44, 50, owner, owned]])).toEqual([]);
  });

  it("that came back after they had left are right", () => {
    const lines: Line[] = [
      [0, 10, register, alive()],
      [20, 30, leave, left],
      [40, 50, register, alive(2)],
    ];
    expect(broken([...lines, [60, 70, list, listed(2)]])).toEqual([]);
    expect(broken([...lines, [60, 70, list, listed()]])).toHaveLength(1);
    // A registration that nobody acknowledged may count, but never revives an older incarnation.
    const unknown: Line[] = [...lines.slice(0, 2), [40, 50, register, noQuorum]];
    expect(broken([...unknown, [60, 70, list, listed(2)]])).toEqual([]);
    expect(broken([...unknown, [60, 70, list, listed(1)]])).toHaveLength(1);
  });

  it("that came back and died may be seen as before they left, where a primary reads late, and for as long as it keeps that", () => {
    const late = { kind: "late_message", atMs: 5, untilMs: 1_205, text: "primary 1 reads late" } as const;
    const lines: Line[] = [
      [0, 10, register, alive()],
      [20, 30, leave, left],
      [40, 50, register, alive(2)],
    ];
    const seen: Line = [1_300, 1_310, list, listed(1)];
    const found = ["members: m of s was seen after it had left"];
    expect(broken([...lines, seen], [late])).toEqual([]);
    expect(broken([...lines, seen])).toEqual(found);
    expect(broken([...lines.slice(0, 2), seen], [late]), "it did not come back").toEqual(found);
    expect(broken([...lines, seen], [{ ...late, atMs: 35 }]), "sent after it had left").toEqual(found);
    expect(broken([...lines, seen], [{ ...late, untilMs: 39 }]), "read before it came back").toEqual(found);
    expect(broken([...lines, [3_400, 3_410, list, listed(1)]], [late])).toContain(found[0]);
  });

  it("are not judged across a clock jump, nor across the loss of a majority", () => {
    const lines: Line[] = [
      [0, 10, register, alive()],
      [100, 110, list, listed()],
    ];
    expect(broken(lines)).toHaveLength(1);
    expect(broken(lines, [clockJump(50, -1_000)])).toEqual([]);
    expect(broken(lines, [clockJump(115, -1_000)]), "after they were looked at").toHaveLength(1);
    expect(broken(lines, [lost])).toEqual([]);
  });

  it("that never registered are found", () => {
    expect(broken([[0, 10, list, listed(1)]])).toEqual(["members: m of s was seen, and never registered"]);
  });
});

describe("owners", () => {
  const owner = (key: string): Request => ({ kind: "owner", service: "s", key, viewAgeMsMax: 0 });
  const owned = (name: string, ringId: string): Outcome => ({ kind: "owned", owner: name, ringId });
  const members: Line[] = ["a", "b"].map((name) => [0, 1, { ...register, member: name }, alive()]);

  it("differ from ring to ring and from key to key", () => {
    expect(
      broken([
        ...members,
        [10, 11, owner("k"), owned("a", "r")],
        [12, 13, owner("l"), owned("b", "r")],
        [14, 15, owner("k"), owned("b", "q")],
        [16, 17, owner("k"), owned("a", "r")],
      ]),
    ).toEqual([]);
  });

  it("of one key in one ring that differ are found", () => {
    expect(
      broken([...members, [10, 11, owner("k"), owned("a", "r")], [12, 13, owner("k"), owned("b", "r")]]),
    ).toEqual(["owners: key k belongs to a and to b in ring r"]);
  });
});

describe("deadlines", () => {
  it("that are kept are right, and one that is not yet over is kept", () => {
    expect(
      broken(
        [
          [0, 10, acquire, noQuorum, { withinMs: 10 }],
          [95, null, acquire, undefined, { withinMs: 10 }],
        ],
        [],
        100,
      ),
    ).toEqual([]);
  });

  it("that are missed are found, with or without an answer", () => {
    const lines: Line[] = [
      [0, 30, acquire, noQuorum, { withinMs: 10 }],
      [40, null, acquire, undefined, { withinMs: 10 }],
    ];
    expect(broken(lines, [], 100)).toEqual([
      "deadlines: a request was answered 20.0 ms after its deadline",
      "deadlines: a request was not answered 50.0 ms after its deadline",
    ]);
  });

  it("leave out the time in which the instance was paused", () => {
    const paused = { kind: "paused", instance: "i1", atMs: 5, untilMs: 25 } as const;
    const lines: Line[] = [[0, 30, acquire, noQuorum, { withinMs: 10 }]];
    expect(broken(lines, [paused])).toEqual([]);
    expect(broken(lines, [{ ...paused, instance: "i2" }])).toHaveLength(1);
    expect(broken(lines, [{ ...paused, untilMs: 24 }])).toHaveLength(1);
  });
});

describe("recovery", () => {
  it("is found missing where something fails, is held or hangs that must succeed by now", () => {
    const must = { mustSucceed: true };
    expect(
      broken([
        [0, 1, acquire, granted("a", 1), must],
        [2, 3, acquire, { kind: "held" }, must],
        [4, 5, list, noQuorum, must],
        [6, 7, heartbeat, { kind: "no_answer", why: "connection refused" }, must],
        [8, null, release("a"), undefined, must],
      ]),
    ).toEqual([
      "recovery: a acquire did not succeed after the faults had stopped",
      "recovery: a list did not succeed after the faults had stopped",
      "recovery: a heartbeat did not succeed after the faults had stopped",
      "recovery: a release did not succeed after the faults had stopped",
    ]);
  });
});

describe("telling", () => {
  const history = historyOf(
    [
      [0, 10, acquire, granted("a", 1, 100), { client: "c1" }],
      [50, 60, acquire, granted("b", 2, 200), { client: "c2" }],
    ],
    [{ kind: "note", atMs: 30, text: "primary 2 restarts empty" }],
  );

  it("a violation is told with the operations concerned, in the order of time", () => {
    const [violation] = check(history);
    expect(violation && tellViolation(violation)).toMatchInlineSnapshot(`
      "holds: n had two holders for 40.0 ms from 60.0 on
             0.000  c1 at i1 #1 acquire n for 1000 ms
            10.000  c1 at i1 #1 acquire: granted as a, token 1, valid until 100.0
            50.000  c2 at i1 #2 acquire n for 1000 ms
            60.000  c2 at i1 #2 acquire: granted as b, token 2, valid until 200.0"
    `);
  });

  it("a history is told with what was done to the service", () => {
    expect(tellHistory(history)).toContain("    30.000  -- primary 2 restarts empty\n");
  });

  it("an operation is answered once", () => {
    const answered = new Recorder(() => 0).asks({ client: "c", instance: "i", withinMs: 1 }, acquire);
    answered({ kind: "held" });
    expect(() => answered({ kind: "held" })).toThrow("operation 1 was answered before");
  });
});

describe("changes and expiry of members", () => {
  const change = (weight: number): Request => ({ kind: "change", ...member, weight });
  const changed = (revision: number): Outcome => ({ kind: "updated", incarnation: 1, revision });
  const seen = (revision: number, weight: number, draining = false): Outcome => ({
    kind: "listed",
    members: [{ id: "m", incarnation: 1, version: { revision, weight, draining } }],
  });
  const registered: Line = [0, 1, register, { ...alive(), revision: 1 } as Outcome];
  const expired = (atMs: number, revision = 1): WorldEvent => ({
    kind: "expired",
    atMs,
    instance: "i1",
    service: "s",
    member: "m",
    incarnation: 1,
    revision,
  });

  it("finds two changes of one revision, and one that goes back", () => {
    expect(broken([registered, [10, 20, change(2), changed(2)], [15, 25, change(3), changed(2)]])).toEqual([
      "members: two changes were acknowledged as revision 2",
    ]);
    expect(broken([registered, [10, 20, change(2), changed(3)], [25, 30, change(3), changed(2)]])).toEqual([
      "members: a change got revision 2 after one that had got 3",
    ]);
  });

  it("finds a change that a later list lacks, unless another change made it so", () => {
    const first: Line = [10, 20, change(2), changed(2)];
    expect(broken([registered, first, [30, 31, list, seen(1, 1)]])).toEqual([
      "members: m was seen in revision 1 after 2 was acknowledged",
    ]);
    expect(broken([registered, first, [30, 31, list, seen(3, 1)]])).toEqual([
      "members: the weight 2 of m was acknowledged and is gone",
    ]);
    expect(broken([registered, first, [25, 40, change(3), noQuorum], [30, 31, list, seen(3, 3)]])).toEqual(
      [],
    );
    expect(broken([registered, first, [15, 31, list, seen(1, 1)]])).toEqual([]);
  });

  it("finds a drain that is undone", () => {
    const drain: Line = [10, 20, { kind: "change", ...member, status: "draining" }, changed(2)];
    expect(broken([registered, drain, [30, 31, list, seen(2, 1, true)]])).toEqual([]);
    expect(broken([registered, drain, [30, 31, list, seen(3, 1)]])).toEqual([
      "members: the status draining of m was acknowledged and is gone",
    ]);
  });

  it("finds a member that is said to have expired while it is alive, or is alive after that", () => {
    const found = (atMs: number) => [
      `members: m of s was said to have expired at ${atMs.toFixed(1)}, and is alive`,
    ];
    expect(broken([registered], [expired(500)])).toEqual(found(500));
    expect(broken([registered], [expired(1_000)])).toEqual([]);
    const later = (revision: number): Line => [1_500, 1_501, heartbeat, { ...alive(), revision } as Outcome];
    expect(broken([registered, later(1)], [expired(1_000)])).toEqual(found(1_000));
    expect(broken([registered, later(2)], [expired(1_000)])).toEqual([]);
  });

  it("keeps the place of one that restarts for its grace, and no longer than that", () => {
    const restart: Line = [10, 20, { ...leave, restartGraceMs: 3_000 } as Request, left];
    expect(broken([registered, restart, [2_500, 2_501, list, listed(1)]])).toEqual([]);
    expect(broken([registered, restart, [4_500, 4_501, list, listed(1)]])).toHaveLength(1);
  });
});

describe("what watchers of members are told", () => {
  const told = (
    event: string,
    version: string,
    {
      atMs = 10,
      watcher = "w",
      stream = 1,
      id,
    }: { atMs?: number; watcher?: string; stream?: number; id?: string } = {},
  ): WorldEvent => {
    const [incarnation, revision] = version.split(".");
    return {
      kind: "told",
      atMs,
      watcher,
      stream,
      instance: "i1",
      event: event as "joined",
      id: id ?? `s/m/${incarnation}/${revision}/${event}`,
      service: "s",
      member: "m",
      incarnation: Number(incarnation),
      revision: Number(revision),
    };
  };
  const anew: WorldEvent = { kind: "told_anew", atMs: 15, watcher: "w", stream: 2 };
  const found = (...events: readonly WorldEvent[]) => broken([], [...events]);

  it("is right in order, twice after a return, and from the beginning after a reset", () => {
    const life = ["joined 1.1", "updated 1.2", "expired 1.2", "joined 2.1", "draining 2.2", "left 2.2"];
    const events = life.map((one) => told(...(one.split(" ") as [string, string])));
    expect(found(...events)).toEqual([]);
    const again = life.slice(1).map((one) => told(...(one.split(" ") as [string, string]), { stream: 2 }));
    expect(found(...events, ...again)).toEqual([]);
    expect(found(told("joined", "3.1"), anew, told("updated", "2.4"))).toEqual([]);
    const suspect = told("suspect", "1.1", { id: "s/m/1/1/suspect/x" });
    expect(found(told("joined", "1.1"), suspect, suspect)).toEqual([]);
  });

  it("finds what comes twice in one stream", () => {
    expect(found(told("joined", "1.1"), told("joined", "1.1"))).toEqual([
      "watchers: w was told s/m/1/1/joined twice in stream 1",
    ]);
  });

  it("finds what goes back, and what follows the end of an incarnation", () => {
    expect(found(told("joined", "2.1"), told("updated", "1.7"))).toHaveLength(1);
    expect(found(told("updated", "1.3"), told("updated", "1.2"))).toHaveLength(1);
    expect(found(told("left", "1.3"), told("updated", "1.4"))).toEqual([
      "watchers: w was told updated of m (1, revision 4) after left of m (1, revision 3)",
    ]);
    expect(found(told("expired", "1.3"), told("left", "1.3"))).toHaveLength(1);
  });

  it("finds an incarnation that has expired as two events, also at two watchers", () => {
    const other = { watcher: "v" };
    expect(found(told("expired", "1.3"), told("expired", "1.3", other))).toEqual([]);
    expect(found(told("expired", "1.3"), told("expired", "1.4", other))).toEqual([
      "watchers: s/m/1 was told to have expired as s/m/1/3/expired and s/m/1/4/expired",
    ]);
  });

  it("lets a guard keep members for longer, and no longer than that", () => {
    const guarded: WorldEvent = { kind: "guarded", atMs: 0, keptMs: 5_000 };
    const lived: Line = [0, 1, register, alive()];
    expect(broken([lived, [6_500, 6_501, list, listed(1)]], [guarded])).toEqual([]);
    expect(broken([lived, [6_500, 6_501, list, listed(1)]])).toHaveLength(1);
    expect(broken([lived, [7_500, 7_501, list, listed(1)]], [guarded])).toHaveLength(1);
  });
});
