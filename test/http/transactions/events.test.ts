import { describe, expect, test } from "vitest";
import { accessBy, bearer } from "../../helpers/access.js";
import { type EventReader, readEvents } from "../../helpers/events.js";
import { OwnPair, Pair } from "../../helpers/pair.js";
import { freshName, type Instance, until } from "../../helpers/service.js";

// Streams of what becomes of transactions, at two instances on the same primaries.

const pair = new Pair();

interface Asked {
  readonly base: string;
  begin(more?: object): Promise<string>;
  act(id: string, act: string, body: object): Promise<unknown>;
}

/** The transactions of a namespace of the test's own, by both instances in turn. */
function asked({ one, other }: Pick<Pair, "one" | "other"> = pair): Asked {
  const base = `/v1/namespaces/${freshName()}`;
  let turn = 0;
  const at = () => (turn++ % 2 === 0 ? one : other);
  return {
    base,
    begin: async (more = {}) => {
      const terms = { participants: ["a", "b"], deadlineMs: 60_000, ...more };
      return (await at().call("POST", `${base}/transactions`, terms)).body.id;
    },
    act: (id, act, body) => at().call("POST", `${base}/transactions/${id}/${act}`, body),
  };
}

const follow = async (base: string, at: Instance = pair.one) =>
  readEvents(`${await at.url()}${base}/transaction-events`);
const told = (stream: EventReader) =>
  stream.events().map(({ type, data }) => {
    if (type === "synced") return `synced ${data.transactions}`;
    const votes = data.participants?.map(({ vote }: { vote: string | null }) => vote ?? "-").join("");
    return [type, data.id, data.state, votes].filter((part) => part !== undefined).join(" ");
  });
const untilTold = (stream: EventReader, what: string) =>
  until(() => told(stream).includes(what), `${what} is told`);

describe("a stream of transactions", () => {
  test("begins with those that are not decided and a mark, then tells what becomes of any", async () => {
    const { base, begin, act } = asked();
    const [decided, first] = [await begin(), await begin()];
    await act(decided, "abort", { reason: "late" });
    using stream = await follow(base);
    await untilTold(stream, "synced 1");
    const second = await begin();
    await untilTold(stream, `changed ${second} active --`);
    await act(first, "vote", { participant: "a", vote: "yes" });
    await untilTold(stream, `changed ${first} active yes-`);
    await act(first, "vote", { participant: "b", vote: "yes" });
    await untilTold(stream, `changed ${first} committed yesyes`);
    await act(second, "vote", { participant: "b", vote: "no", reason: "none left" });
    await untilTold(stream, `changed ${second} aborted -no`);
    for (const participant of ["a", "b"]) await act(first, "acknowledge", { participant });
    await untilTold(stream, `changed ${first} ended yesyes`);
    const all = told(stream);
    expect(all.slice(0, 2)).toEqual([`transaction ${first} active --`, "synced 1"]);
    expect(all.join()).not.toContain(decided);
    const aborted = stream.events().find(({ data }) => data.state === "aborted")?.data;
    expect((await pair.other.call("GET", `${base}/transactions/${second}`)).body).toEqual(aborted);
    expect(stream.events()[0]?.data).toMatchObject({ decision: null, leases: [], payload: null });
    expect(stream.events()[0]?.data.deadlineInMs).toBeGreaterThan(30_000);
  });

  test("tells soon of what was done at another instance, and nothing of other namespaces", async () => {
    const [mine, theirs] = [asked(), asked()];
    using stream = await follow(mine.base, pair.other);
    await untilTold(stream, "synced 0");
    await theirs.begin();
    const startedMs = performance.now();
    const id = await mine.begin();
    await untilTold(stream, `changed ${id} active --`);
    expect(performance.now() - startedMs).toBeLessThan(900);
    expect(told(stream)).toHaveLength(2);
  });

  test("tells that the deadline of one has passed", async () => {
    const { base, begin } = asked();
    using stream = await follow(base);
    await untilTold(stream, "synced 0");
    const id = await begin({ deadlineMs: 300 });
    await untilTold(stream, `changed ${id} aborted --`);
    expect(stream.events().at(-1)?.data).toMatchObject({ reason: "its deadline passed" });
  });

  test("tells a vote that came before the beginning: nobody can begin it any more", async () => {
    const { base, begin, act } = asked();
    using stream = await follow(base);
    await untilTold(stream, "synced 0");
    const id = (await begin()).replace(/....$/, "0000");
    await act(id, "vote", { participant: "a", vote: "yes" });
    await untilTold(stream, `changed ${id} aborted `);
  });

  test("begins anew after a break, without what was decided meanwhile", async () => {
    const { base, begin, act } = asked();
    const [one, other] = [await begin(), await begin()];
    const first = await follow(base);
    await untilTold(first, "synced 2");
    first.cut();
    await act(one, "abort", { reason: "late" });
    using second = await follow(base, pair.other);
    await untilTold(second, "synced 1");
    expect(told(second)).toEqual([`transaction ${other} active --`, "synced 1"]);
  });

  test("tells every reader the latest state of each, whatever changes while it begins", async () => {
    const { base, begin, act } = asked();
    const ids = await Promise.all(Array.from({ length: 10 }, () => begin()));
    const streams = await Promise.all(Array.from({ length: 6 }, (_, i) => follow(base, pair.at(i))));
    await Promise.all(
      ids.map(async (id, i) => {
        await act(id, "vote", { participant: "a", vote: i % 2 === 0 ? "yes" : "no" });
        if (i % 2 === 0) await act(id, "vote", { participant: "b", vote: "yes" });
      }),
    );
    for (const stream of streams) {
      const isWhole = () => {
        const latest = new Map(stream.events().map(({ data }) => [data.id, data.decision]));
        // One that was decided before its page was read is not in the snapshot.
        const isDone = (id: string, i: number) =>
          [undefined, i % 2 === 0 ? "committed" : "aborted"].includes(latest.get(id));
        return told(stream).some((what) => what.startsWith("synced")) && ids.every(isDone);
      };
      await until(isWhole, "all are told");
      stream.cut();
    }
  });

  test("shows no leaseId, URL or secret", async () => {
    await using allowed = await pair.instance({ env: { QUORATE_CALLBACK_ALLOW: "127.0.0.0/8" } });
    const { base, act } = asked();
    const call = (path: string, body: object) => allowed.call("POST", base + path, body);
    const { leaseId, fencingToken } = (await call("/locks/orders-42/acquire", { ttlMs: 60_000 })).body;
    const callbackSecret = `whsec_${Buffer.alloc(24, 7).toString("base64")}`;
    const begun = await call("/transactions", {
      participants: ["a"],
      deadlineMs: 60_000,
      leases: [{ kind: "locks", names: ["orders-42"], leaseId, fencingToken }],
      // Nobody listens there.
      callbacks: { a: "http://127.0.0.1:9/" },
      callbackSecret,
    });
    const { id } = begun.body;
    using stream = await follow(base);
    await untilTold(stream, "synced 1");
    await act(id, "vote", { participant: "a", vote: "yes" });
    await untilTold(stream, `changed ${id} committed yes`);
    for (const { data } of stream.events().filter(({ type }) => type !== "synced"))
      expect(data.leases).toEqual([{ kind: "locks", names: ["orders-42"], fencingToken }]);
    const text = JSON.stringify(stream.events());
    for (const secret of [leaseId, callbackSecret, "127.0.0.1"]) expect(text).not.toContain(secret);
  });

  test("refuses what it does not know", async () => {
    for (const query of ["state=active", "prefix=0", "cursor=1"]) {
      const { status, body } = await pair.one.call("GET", `/v1/transaction-events?${query}`);
      expect([query, status, body.code]).toEqual([query, 400, "invalid_request"]);
    }
  });

  test("tells only of those that its reader may read, in its snapshot as well", async () => {
    const { base, begin, act } = asked();
    const [mine, theirs] = [await begin(), await begin()];
    const namespace = base.split("/").at(-1) ?? "";
    const read = (names: string[]) => [
      { namespace, kinds: ["transactions" as const], names, actions: ["read" as const] },
    ];
    using keyed = await accessBy({ some: read([mine]), others: [] });
    await using own = await pair.instance({ world: { access: keyed.access } });
    expect((await own.call("GET", `${base}/transaction-events`, undefined, bearer("others"))).status).toBe(
      403,
    );
    const url = `${await own.url()}${base}/transaction-events`;
    using stream = await readEvents(url, bearer("some"));
    await untilTold(stream, "synced 1");
    for (const id of [theirs, mine]) await act(id, "abort", { reason: "late" });
    await untilTold(stream, `changed ${mine} aborted --`);
    expect(JSON.stringify(stream.events())).not.toContain(theirs);
  });
});

describe("while a primary is paused", () => {
  const own = new OwnPair();

  test("a stream begins and goes on, and tells what a majority have", async () => {
    const { base, begin, act } = asked({
      get one() {
        return own.other;
      },
      get other() {
        return own.other;
      },
    });
    using before = await follow(base, own.one);
    await untilTold(before, "synced 0");
    await own.primary(1).pause();
    let id = "";
    try {
      id = await begin();
      await untilTold(before, `changed ${id} active --`);
      using during = await follow(base, own.one);
      await untilTold(during, "synced 1");
      await act(id, "vote", { participant: "a", vote: "yes" });
      for (const stream of [before, during]) await untilTold(stream, `changed ${id} active yes-`);
    } finally {
      await own.primary(1).resume();
    }
    await act(id, "abort", { reason: "late" });
    await untilTold(before, `changed ${id} aborted yes-`);
  });
});
