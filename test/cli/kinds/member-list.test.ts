import { expect, test } from "vitest";
import { listMembers } from "../../../src/cli/kinds/member-list.js";
import { Transport } from "../../../src/client/transport.js";
import { FakeService } from "../../client/fake-service.js";

/** Two pages, whose rings the test gives in the order of the requests. */
function serviceWith(...rings: string[]): FakeService {
  return new FakeService(({ path }) => {
    const isSecond = path.includes("cursor=");
    const ringId = rings.shift() ?? "last";
    const body = { members: [{ id: isSecond ? "b" : "a" }], ringId, cursor: isSecond ? null : "x.a" };
    return { status: 200, body };
  });
}

const list = ({ world }: FakeService, limit?: number) =>
  listMembers(new Transport({ urls: ["http://one"] }, world), "search", limit);

test("members of one ring are those of all pages", async () => {
  const service = serviceWith("r1", "r1");
  expect(await list(service)).toEqual({ members: [{ id: "a" }, { id: "b" }], ringId: "r1", cursor: null });
});

test("a list whose ring changes between two pages is begun anew", async () => {
  const service = serviceWith("r1", "r2", "r2", "r2");
  expect((await list(service)).ringId).toBe("r2");
  expect(service.received).toHaveLength(4);
});

test("a ring that changes all the time is listed as it was read, in the end", async () => {
  const service = serviceWith(...Array.from({ length: 100 }, (_, i) => `r${i}`));
  expect((await list(service)).members).toHaveLength(2);
  expect(service.received).toHaveLength(10);
});

test("no more is asked for than is wanted", async () => {
  const service = serviceWith("r1", "r1");
  expect(await list(service, 1)).toMatchObject({ members: [{ id: "a" }], cursor: "x.a" });
  expect(service.received.map(({ path }) => path)).toEqual(["/v1/services/search/members?limit=1"]);
});
