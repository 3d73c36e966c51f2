/**
 * What each script of the hot paths takes of a primary, at its bound: by INFO commandstats, one call at a time, so that the
 * least and the median of the runs can be told. Then what is stored takes of its memory.
 *   npx tsx bench/studies/scripts.ts [--runs 30] [--line 5000] [--only text]
 */
import { parseArgs } from "node:util";
import { Redis } from "ioredis";
import { all } from "../../src/redis/script-batches.js";
import { rotateCounters } from "../../src/scripts/configuration-calls.js";
import { expireMembers } from "../../src/scripts/expiry-calls.js";
import { inspectName } from "../../src/scripts/holder-calls.js";
import { Keys } from "../../src/scripts/keys.js";
import {
  type AcquireTerms,
  type AcquireVote,
  type Attempt,
  abandonAttempt,
  acquireLease,
  type Claim,
  type Mode,
  proclaim,
  type RenewVote,
  raiseCounters,
  releaseLease,
  renewLease,
  repairLease,
} from "../../src/scripts/lease-calls.js";
import {
  announceIncarnation,
  claimChange,
  claimIncarnation,
  heartbeat,
  putMember,
} from "../../src/scripts/member-calls.js";
import { keepWaiting, leaveQueue, takeTicket } from "../../src/scripts/queue-calls.js";
import { type Call, SCRIPTS } from "../../src/scripts/scripts.js";
import { takeTurn } from "../../src/scripts/turn-calls.js";
import { startPrimaries } from "../../test/helpers/primaries.js";
import { median } from "../comparison/statistics.js";
import { serverVersion } from "../machine/servers.js";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "30" },
    line: { type: "string", default: "5000" },
    only: { type: "string", default: "" },
  },
});
process.env.TEST_REDIS = "process";
const RUNS = Number(values.runs);
const LINE = Number(values.line);
const NAMES_MAX = 16;
/** What one batch has of acquires of one name (src/redis/script-batches.ts). */
const TOGETHER_MAX = 13;
const STAMP = "1:nonce:id";
const INSTANCE = "instance-of-the-bench";
const keys = new Keys("q:");
const text = (bytes: number) => JSON.stringify("m".repeat(bytes - 2));

await using primaries = await startPrimaries(1, { args: ["--appendonly", "no"] });
const redis = new Redis(primaries.urls[0] as string, { protocol: 2 });
const listener = new Redis(primaries.urls[0] as string, { protocol: 2 });

/** One row of the table: what is there before, and what is called. */
interface Case {
  readonly script: string;
  readonly bound: string;
  readonly prepare?: () => Promise<unknown>;
  readonly each?: (run: number) => Promise<unknown>;
  readonly call: (run: number) => Call<unknown>;
  /** Whether the answer is what the row is about. */
  readonly is?: (answer: never) => boolean;
  readonly runs?: number;
}

const granted = ({ kind }: AcquireVote) => kind === "granted";
const refused = ({ kind }: AcquireVote) => kind === "held";
const wasHeld = (attemptOfLease: string | null) => attemptOfLease !== null;
const yes = (answer: boolean) => answer;

let leases = 0;
const leaseId = () => {
  leases += 1;
  return `lease-${String(leases).padStart(16, "0")}`;
};

function claim(resources: readonly string[], mode: Mode = "exclusive", id = leaseId()): Claim {
  return { leaseId: id, mode, resources, queues: resources, fingerprint: null, limit: null };
}
const attempt = (of: Claim): Attempt => ({ ...of, nonce: `nonce-of-${of.leaseId}`, attemptNumber: 1 });
const lock = (name: string | number) => [`lock/bench-${name}`];
const several = (run: number) => Array.from({ length: NAMES_MAX }, (_, i) => `lock/bench-${run}-${i}`);

const TERMS: AcquireTerms = {
  ttlMs: 600_000,
  owner: "o".repeat(256),
  metadata: text(2_048),
  chosen: false,
  queueEntry: null,
};
const waiting = (ticket: number): AcquireTerms => ({
  ...TERMS,
  queueEntry: { ticket, instance: INSTANCE, keptMs: 600_000, acceptsHandoff: true },
});
const RELEASED = { forMs: 660_000, always: false, brokenFor: null };

async function run<T>({ script, keys: own, args, parse }: Call<T>): Promise<T> {
  const given = [keys.configuration, ...own];
  return parse(await redis.eval(script.text, given.length, ...given, STAMP, ...args));
}
const grant = (of: Claim, terms = TERMS) => run(acquireLease(keys, attempt(of), terms));
const release = (of: Claim) => releaseLease(keys, of, RELEASED);

/** A lock that is held, and a line of so many before it; the first of it comes first. */
async function standInLine(
  name: string,
  mode: Mode,
  count = LINE,
): Promise<{ holder: Claim; line: Claim[] }> {
  const holder = claim(lock(name));
  await grant(holder);
  const line = Array.from({ length: count }, () => claim(lock(name), mode));
  for (let at = 0; at < count; at += 500) {
    await Promise.all(line.slice(at, at + 500).map((one, i) => grant(one, waiting(1_000 + at + i))));
  }
  return { holder, line };
}

const queues = new Map<string, { holder: Claim; line: Claim[] }>();
const prepared = (name: string, mode: Mode) => async () => {
  queues.set(name, await standInLine(name, mode));
};
function inLine(name: string, index: number): Claim {
  const one = queues.get(name)?.line[index];
  if (!one) throw new Error(`nobody stands at ${index} in ${name}`);
  return one;
}
const LEFT = { back: "all", keepMs: 0, notify: false } as const;
const queue = `${LINE} in the queue`;
const many = <T>(one: (i: number) => T) => Array.from({ length: TOGETHER_MAX }, (_, i) => one(i));
const held = new Map<number, Claim>();
const take = (of: (run: number) => Claim) => async (at: number) => {
  const one = of(at);
  held.set(at, one);
  await grant(one);
};
const taken = (at: number) => held.get(at) as Claim;

const member = (id: string) => ({
  id,
  incarnation: 1_700_000_000_000,
  revision: 1,
  left: false,
  expired: null,
  nonce: "nonce",
  ttlMs: 600_000,
  expiresInMs: 600_000,
  heartbeatAgeMs: 0,
  event: { kind: "joined", why: "registered" } as const,
  registered: text(2_048),
  load: "",
  status: "up" as const,
  change: "",
  endsInMs: null,
});

/** Readers of the line that are granted at once, beginning with the one at `from`. */
function lettingIn(
  what: string,
  from: number,
  { owner, metadata }: Pick<AcquireTerms, "owner" | "metadata">,
): Case {
  return {
    script: "acquire-lease batch",
    bound: `${TOGETHER_MAX} readers ${what}, ${queue}, granted`,
    runs: Math.min(RUNS, Math.floor(LINE / 2 / TOGETHER_MAX)),
    call: (at) =>
      all(
        many((i) => {
          const place = from + at * TOGETHER_MAX + i;
          const again = { ...attempt(inLine("readers", place)), attemptNumber: 3 };
          return acquireLease(keys, again, { ...waiting(1_000 + place), owner, metadata });
        }),
      ),
    is: (votes: AcquireVote[]) => votes.every(granted),
  };
}

const CASES: readonly Case[] = [
  {
    script: "announce-incarnation",
    bound: "the prelude and little more",
    call: () => announceIncarnation(keys, 7),
  },
  {
    script: "take-turn",
    bound: "kept",
    call: () => takeTurn(keys, "work", "nonce", 60_000),
  },
  {
    script: "acquire-lease",
    bound: "free",
    call: (at) => acquireLease(keys, attempt(claim(lock(at))), TERMS),
    is: granted,
  },
  {
    script: "acquire-lease",
    bound: `${NAMES_MAX} names, free`,
    call: (at) => acquireLease(keys, attempt(claim(several(at))), TERMS),
    is: granted,
  },
  {
    script: "acquire-lease",
    bound: `held, ${queue}, does not wait`,
    prepare: prepared("queue", "exclusive"),
    call: () => acquireLease(keys, attempt(claim(lock("queue"))), TERMS),
    is: refused,
  },
  {
    script: "acquire-lease",
    bound: `held, ${queue}, joins it`,
    call: (at) => acquireLease(keys, attempt(claim(lock("queue"))), waiting(100_000 + at)),
    is: refused,
  },
  { script: "inspect-name", bound: `held, ${queue}`, call: () => inspectName(keys, "lock/bench-queue") },
  { script: "take-ticket", bound: queue, call: () => takeTicket(keys, claim(lock("queue"))) },
  {
    script: "take-ticket together",
    bound: `${TOGETHER_MAX}, ${queue}`,
    call: () => all(many(() => takeTicket(keys, claim(lock("queue"))))),
  },
  {
    script: "leave-queue",
    bound: `one of ${queue}`,
    call: (at) => {
      const one = inLine("queue", 1 + at);
      return leaveQueue(keys, one, attempt(one).nonce, LEFT);
    },
  },
  {
    script: "leave-queue together",
    bound: `${TOGETHER_MAX} of ${queue}`,
    runs: Math.min(RUNS, Math.floor((LINE - RUNS) / TOGETHER_MAX) - 1),
    call: (at) =>
      all(
        many((i) => {
          const one = inLine("queue", RUNS + 1 + at * TOGETHER_MAX + i);
          return leaveQueue(keys, one, attempt(one).nonce, LEFT);
        }),
      ),
  },
  {
    script: "release-lease",
    bound: `${queue}, the first is granted`,
    prepare: prepared("handed", "exclusive"),
    each: async (at) => {
      if (at === 0) return;
      const one = inLine("handed", at - 1);
      await run(leaveQueue(keys, one, attempt(one).nonce, { back: "none", keepMs: 0, notify: false }));
    },
    call: (at) => release(at === 0 ? (queues.get("handed")?.holder as Claim) : inLine("handed", at - 1)),
    is: wasHeld,
  },
  {
    script: "release-lease",
    bound: `${LINE} readers in the queue, all of one instance notified`,
    prepare: prepared("readers", "shared"),
    each: async (at) => {
      if (at === 0) return;
      // It does not overtake, so its hold is put there by hand.
      const { holder } = queues.get("readers") as { holder: Claim };
      await redis.hset(keys.hold("lock/bench-readers"), {
        lease: holder.leaseId,
        counter: "2",
        g: "2",
        since: "0",
      });
    },
    call: () => release(queues.get("readers")?.holder as Claim),
    is: wasHeld,
  },
  lettingIn("of 2 KB each", 0, TERMS),
  lettingIn("with short texts", Math.floor(LINE / 2), { owner: "worker-7", metadata: "" }),
  {
    script: "release-lease",
    bound: "nobody waits",
    each: take((at) => claim(lock(`r${at}`))),
    call: (at) => release(taken(at)),
    is: wasHeld,
  },
  {
    script: "release-lease",
    bound: `${NAMES_MAX} names`,
    each: take((at) => claim(several(10_000 + at))),
    call: (at) => release(taken(at)),
    is: wasHeld,
  },
  {
    script: "renew-lease",
    bound: "held",
    each: take((at) => claim(lock(`n${at}`))),
    call: (at) => renewLease(keys, { ...taken(at), token: 2, ttlMs: 600_000 }),
    is: ({ kind }: RenewVote) => kind === "extended",
  },
  {
    script: "renew-lease",
    bound: `${NAMES_MAX} names`,
    each: take((at) => claim(several(20_000 + at))),
    call: (at) => renewLease(keys, { ...taken(at), token: 2, ttlMs: 600_000 }),
    is: ({ kind }: RenewVote) => kind === "extended",
  },
  {
    script: "repair-lease",
    bound: `${NAMES_MAX} names`,
    call: (at) =>
      repairLease(
        keys,
        { ...claim(several(30_000 + at)), token: 2, ttlMs: 600_000 },
        { mode: "exclusive", owner: TERMS.owner, metadata: TERMS.metadata, chosen: false, revision: "" },
      ),
  },
  {
    script: "raise-counters",
    bound: `${NAMES_MAX} names`,
    each: take((at) => claim(several(40_000 + at))),
    call: (at) => raiseCounters(keys, attempt(taken(at)), 1_000),
    is: (counter: number | null) => counter !== null,
  },
  {
    script: "abandon-attempt",
    bound: `${NAMES_MAX} names`,
    each: take((at) => claim(several(50_000 + at))),
    call: (at) => abandonAttempt(keys, attempt(taken(at)), 660_000),
    is: yes,
  },
  {
    script: "proclaim",
    bound: "a value of 4 KB",
    each: take((at) => claim([`election/bench-${at}`])),
    call: (at) => proclaim(keys, { ...taken(at), token: 2 }, `000000000001-${at}`, text(4_096)),
    is: yes,
  },
  {
    script: "keep-waiting",
    bound: "100 first in their lines",
    call: () =>
      keepWaiting(
        keys,
        INSTANCE,
        600_000,
        Array.from({ length: 100 }, (_, i) => ({ leaseId: "other", resource: `lock/bench-${i}` })),
      ),
  },
  { script: "put-member", bound: "2 KB", call: (at) => putMember(keys, "search", member(`m-${at}`)) },
  { script: "expire-members", bound: "nothing is due", call: () => expireMembers(keys, 50) },
  {
    script: "claim-incarnation",
    bound: "of one member",
    call: (at) => claimIncarnation(keys, "search", member(`m-${at}`)),
  },
  {
    script: "claim-change",
    bound: "of one member",
    call: () => claimChange(keys, "search", member("m-0"), { ...member("m-0"), revision: 2, change: "x" }),
  },
  {
    script: "heartbeat",
    bound: "one member",
    call: () => heartbeat(keys, [{ service: "search", id: "m-0" }]),
  },
  ...(["1", "100"] as const).map((services) => ({
    script: "heartbeat",
    bound: `100 members of ${services} services, with loads of 1 KB`,
    prepare: async () => {
      for (let i = 0; i < 100; i++)
        await run(putMember(keys, `search-${i % Number(services)}`, member(`m-${i}`)));
    },
    call: () =>
      heartbeat(
        keys,
        Array.from({ length: 100 }, (_, i) => ({
          service: `search-${i % Number(services)}`,
          id: `m-${i}`,
          load: text(1_024),
        })),
      ),
  })),
  { script: "rotate-counters", bound: "not due", call: () => rotateCounters(keys, 600_000) },
  {
    script: "rotate-counters",
    bound: "two generations of 1,000,000 names, due",
    runs: 3,
    each: async () => {
      await fillCounters(keys.counters);
      await fillCounters(keys.countersOlder);
    },
    call: () => rotateCounters(keys, 600_000),
  },
];

async function fillCounters(key: string): Promise<void> {
  const fill = `for i = 0, 999 do
    local names = {}
    for j = 1, 1000 do names[2 * j - 1], names[2 * j] = 'lock/' .. (i * 1000 + j), '1800000000000001' end
    redis.call('HSET', KEYS[1], unpack(names))
  end`;
  await redis.eval(fill, 1, key);
}

/** Time that one call took of the server, us, and what it answered. */
async function timed({ script, keys: own, args, parse }: Call<unknown>) {
  const given = [keys.configuration, ...own];
  await redis.config("RESETSTAT");
  const answer = parse(await redis.evalsha(script.sha1, given.length, ...given, STAMP, ...args));
  const usec = /cmdstat_evalsha:calls=1,usec=(\d+)/.exec(await redis.info("commandstats"))?.[1];
  return { answer, usec: Number(usec) };
}

async function measure({ script, bound, prepare, each, call, is, runs = RUNS }: Case): Promise<void> {
  await prepare?.();
  const took: number[] = [];
  for (let at = 0; at < runs; at++) {
    await each?.(at);
    const made = call(at);
    if (at === 0) await redis.script("LOAD", made.script.text);
    const { answer, usec } = await timed(made);
    if (is && !is(answer as never)) throw new Error(`${script}, ${bound}: ${JSON.stringify(answer)}`);
    took.push(usec);
  }
  print(`| ${script} | ${bound} | ${Math.min(...took)} | ${Math.round(median(took))} |`);
}

/** The server has the stamp that calls carry, and the instance that waits lives. */
async function takePart(): Promise<void> {
  await redis.hset(keys.configuration, "stamp", STAMP);
  await run(keepWaiting(keys, INSTANCE, 600_000));
}

/** Bytes of the server's memory for each of so many keys, or fields. */
async function bytesEach(write: (i: number) => Promise<unknown>): Promise<number> {
  const used = async () => Number(/used_memory:(\d+)/.exec(await redis.info("memory"))?.[1]);
  await redis.flushall();
  await takePart();
  const before = await used();
  for (let at = 0; at < STORED; at += 1_000) {
    await Promise.all(Array.from({ length: 1_000 }, (_, i) => write(at + i)));
  }
  return (await used()) - before;
}
/** Somewhat below a power of two: tables of keys are about as full as this on average. */
const STORED = 100_000;

const id = (i: number) => `q-mZ2c0m8nTzK1bq${String(i).padStart(6, "0")}`;
const orders = (i: number) => `lock/orders-${String(i).padStart(13, "0")}`;
const small = { ...TERMS, owner: "worker-7", metadata: "" };
const STORED_CASES: readonly (readonly [string, (i: number) => Promise<unknown>])[] = [
  ["tombstone of a lease", (i) => redis.set(keys.leaseTombstone(id(i)), "released", "PX", 660_000)],
  [
    "tombstone of an attempt",
    (i) => redis.set(keys.attemptTombstone(id(i), "0123456789abcdef", 1), "", "PX", 660_000),
  ],
  ["counter of a name of 20 characters", (i) => redis.hset(keys.counters, orders(i), "1800000000000001")],
  ["name in the index of held locks", (i) => redis.zadd(keys.held, 0, orders(i))],
  ["held lock, with its counter and in the index", (i) => grant(claim([orders(i)]), small)],
  [
    "place in a line",
    (i) => grant(claim(lock("stored")), { ...waiting(i + 1), owner: "worker-7", metadata: "" }),
  ],
];

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

await listener.subscribe(keys.notificationChannel(INSTANCE));
await takePart();
print(
  `one ${await serverVersion()} without persistence; ${Object.keys(SCRIPTS).length} scripts in all; ${RUNS} runs\n`,
);
print("| script | bound | least us | median us |\n| --- | --- | ---: | ---: |");
const wanted = CASES.filter(({ script, prepare }) => prepare !== undefined || script.includes(values.only));
for (const one of wanted) await measure(one);
print("\n| stored | bytes each |\n| --- | ---: |");
for (const [what, write] of STORED_CASES)
  print(`| ${what} | ${Math.round((await bytesEach(write)) / STORED)} |`);
redis.disconnect();
listener.disconnect();
