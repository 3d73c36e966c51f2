import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Grant } from "../../../src/access/grants.js";
import { accessBy, bearer, EVERYTHING, type TestAccess } from "../../helpers/access.js";
import { startPrimaries, type TestPrimaries } from "../../helpers/primaries.js";
import { type Instance, startInstance } from "../../helpers/service.js";

// What a key may not read has no effect on what it is shown: not on pages, not on their number, not on cursors.

const grant = (more: Partial<Grant>): Grant[] => [
  { namespace: "*", kinds: ["locks", "members", "registers"], names: ["*"], actions: ["read"], ...more },
];

const KEYS = {
  ops: [EVERYTHING],
  all: grant({}),
  orders: grant({ names: ["orders-*"] }),
  eu: grant({ names: ["*-eu"] }),
  two: grant({ names: ["orders-3-eu", "search"] }),
  none: grant({ names: ["nothing"] }),
  writer: grant({ actions: ["use"] }),
};

let primaries: TestPrimaries;
let keyed: TestAccess;
let instance: Instance;
let another: Instance;
beforeAll(async () => {
  primaries = await startPrimaries(3, { args: ["--appendfsync", "no"] });
  keyed = await accessBy(KEYS);
  const options = { prefix: "lists:", world: { access: keyed.access } };
  instance = await startInstance(primaries.urls, options);
  another = await startInstance(primaries.urls, options);
  // `full` has what `clear` has, and much besides that hardly any key may read.
  const both = ["orders-1-eu", "orders-2", "orders-3-eu", "search", "z-eu"];
  const besides = Array.from(
    { length: 60 },
    (_, i) => `${["a", "orders", "payments", "s", "zz"][i % 5]}${i}`,
  );
  await Promise.all([
    ...both.flatMap((name) => [hold("clear", name), hold("full", name)]),
    ...besides.map((name) => hold("full", name)),
  ]);
});
afterAll(async () => {
  await instance[Symbol.asyncDispose]();
  await another[Symbol.asyncDispose]();
  keyed[Symbol.dispose]();
  await primaries.close();
});

async function hold(namespace: string, name: string): Promise<void> {
  const base = `/v1/namespaces/${namespace}`;
  const lock = await instance.call("POST", `${base}/locks/${name}/acquire`, { ttlMs: 60_000 }, bearer("ops"));
  const member = await instance.call(
    "PUT",
    `${base}/services/${name}/members/one`,
    { address: "x" },
    bearer("ops"),
  );
  const register = await instance.call("PUT", `${base}/registers/${name}`, { value: 1 }, bearer("ops"));
  expect([lock.status, member.status, register.status]).toEqual([200, 201, 201]);
}

interface ShownPage {
  readonly names: readonly string[];
  readonly cursor: string | null;
}

/** All pages, asked for in turn at two instances. */
async function pages(
  key: string,
  namespace: string,
  list: "locks" | "services" | "registers",
  query = "",
): Promise<ShownPage[]> {
  const shown: ShownPage[] = [];
  let cursor: string | null = null;
  do {
    const at = shown.length % 2 === 0 ? instance : another;
    const next: string = cursor === null ? query : `${query}&cursor=${encodeURIComponent(cursor)}`;
    const { status, body } = await at.call(
      "GET",
      `/v1/namespaces/${namespace}/${list}?${next.replace(/^&/, "")}`,
      undefined,
      bearer(key),
    );
    expect(status).toBe(200);
    const items = body[list] as { name?: string; service?: string; key?: string }[];
    const names = items.map(({ name, service, key: its }) => name ?? service ?? its ?? "");
    shown.push({ names, cursor: list === "registers" ? keyIn(body.cursor) : body.cursor });
    cursor = body.cursor;
  } while (cursor !== null);
  return shown;
}

/** The cursor of a list of registers is a key that may be read, behind a mark. */
function keyIn(cursor: string | null): string | null {
  return cursor?.startsWith("k") ? Buffer.from(cursor.slice(1), "base64url").toString() : cursor;
}

describe.each(["locks", "services", "registers"] as const)("a list of %s", (list) => {
  test("shows what the key may read, all of it once, and no name besides", async () => {
    const visible = {
      orders: ["orders-1-eu", "orders-2", "orders-3-eu"],
      eu: ["orders-1-eu", "orders-3-eu", "z-eu"],
      two: ["orders-3-eu", "search"],
      none: [],
    };
    for (const [key, names] of Object.entries(visible))
      for (const limit of [1, 2, 3, 100]) {
        const shown = await pages(key, "full", list, `limit=${limit}`);
        expect([key, shown.flatMap((page) => page.names)]).toEqual([key, names]);
        for (const page of shown) expect(page.names.length).toBeLessThanOrEqual(limit);
        for (const { cursor } of shown) if (cursor !== null) expect(names).toContain(cursor);
      }
    expect((await pages("all", "full", list, "limit=7")).flatMap(({ names }) => names)).toHaveLength(65);
  });

  test("is the same, page by page, whatever else there is", async () => {
    for (const key of ["orders", "eu", "two", "none"])
      for (const limit of [1, 2, 3, 100])
        expect(await pages(key, "full", list, `limit=${limit}`)).toEqual(
          await pages(key, "clear", list, `limit=${limit}`),
        );
  });

  test("would not be, if names were only left out of the pages that everybody gets", async () => {
    const leftOut = async (namespace: string) =>
      (await pages("all", namespace, list, "limit=2")).map(({ names }) =>
        names.filter((name) => name.endsWith("-eu")),
      );
    expect(await leftOut("full")).not.toEqual(await leftOut("clear"));
  });

  test("is forbidden to a key that may read nothing of it", async () => {
    const { status, body } = await instance.call("GET", `/v1/${list}`, undefined, bearer("writer"));
    expect([status, body.code]).toEqual([403, "forbidden"]);
    expect(body.detail).toContain("the action read on");
  });
});

test("a prefix of what may not be read is an empty list, as one of what there is not", async () => {
  for (const prefix of ["payments", "payments1", "nowhere"])
    expect(await pages("orders", "full", "locks", `prefix=${prefix}&limit=1`)).toEqual([
      { names: [], cursor: null },
    ]);
  expect(await pages("orders", "full", "locks", "prefix=orders-3")).toEqual([
    { names: ["orders-3-eu"], cursor: null },
  ]);
  expect(await pages("orders", "full", "locks", "prefix=o&limit=2")).toEqual(
    await pages("orders", "clear", "locks", "prefix=o&limit=2"),
  );
});

describe("where a great many names may not be read", () => {
  /** Names that are listed as held, and are not: it takes a while until that is noticed. */
  beforeAll(async () => {
    const names = Array.from({ length: 24_000 }, (_, i) => `lock/~crowd~m${String(i).padStart(6, "0")}`);
    for (let at = 0; at < names.length; at += 4_000) {
      const members = names.slice(at, at + 4_000).flatMap((name) => ["0", name]);
      await Promise.all(primaries.all.map((primary) => primary.cli("ZADD", "lists:held", ...members)));
    }
    await hold("crowd", "a-eu");
    await hold("crowd", "z-eu");
  });

  test("pages end early, with cursors that show nothing, and another instance goes on from them", async () => {
    const shown = await pages("eu", "crowd", "locks");
    expect(shown.flatMap(({ names }) => names)).toEqual(["a-eu", "z-eu"]);
    expect(shown.length).toBeGreaterThan(1);
    const sealed = shown.flatMap(({ cursor }) => cursor ?? []);
    for (const cursor of sealed) {
      expect(cursor).toMatch(/^\.[\w-]{208}$/);
      expect(Buffer.from(cursor.slice(1), "base64url").toString("latin1")).not.toMatch(/m00|crowd/);
    }
    // The same place looks different each time.
    const [again] = (await pages("eu", "crowd", "locks")).flatMap(({ cursor }) => cursor ?? []);
    expect(again).not.toBe(sealed[0]);

    const [cursor = ""] = sealed;
    const swapped = cursor.replace(/.$/, (last) => (last === "A" ? "Q" : "A"));
    const elsewhere = [
      ["/v1/namespaces/crowd/locks", swapped],
      ["/v1/namespaces/full/locks", cursor],
      ["/v1/locks", cursor],
      ["/v1/namespaces/crowd/services", cursor],
    ];
    for (const [path, text] of elsewhere) {
      const { status, body } = await instance.call("GET", `${path}?cursor=${text}`, undefined, bearer("eu"));
      expect([path, status, body.field]).toEqual([path, 400, "cursor"]);
    }
    const { status, body } = await instance.call(
      "GET",
      `/v1/namespaces/crowd/locks?prefix=m&cursor=${cursor}`,
      undefined,
      bearer("eu"),
    );
    expect([status, body.field]).toEqual([400, "cursor"]);
  });

  test("a key whose names begin alike looks only at those that do", async () => {
    expect(await pages("orders", "crowd", "locks")).toEqual([{ names: [], cursor: null }]);
  });
});
