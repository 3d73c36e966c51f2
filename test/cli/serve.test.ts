import { describe, expect, test } from "vitest";
import { ownPrefix, PATIENT, until } from "../helpers/service.js";
import { sharedPrimaries } from "../helpers/shared-primaries.js";
import { cli, startCli } from "./cli.js";

describe.concurrent("quorate serve", { timeout: 60_000 }, () => {
  const settings = async () => ({
    REDIS_URLS: (await sharedPrimaries()).urls.join(","),
    QUORATE_KEY_PREFIX: ownPrefix(),
    PORT: "0",
    ...PATIENT,
  });
  const listening = async (run: ReturnType<typeof startCli>) => {
    const url = () => /listens on (http:\S+)/.exec(run.out())?.[1];
    await until(() => url() !== undefined, "it listens", 30_000);
    return url() as string;
  };

  test.each(["1", "2"])("is an instance of %s processes, and ends as such", async (workers) => {
    // Where it is asked, and by whom, is for clients: `quorate serve` may run in the same shell.
    const clients = { QUORATE_URL: "http://a", QUORATE_KEY: "b", QUORATE_NAMESPACE: "c", QUORATE_NAME: "d" };
    const run = startCli(["serve"], { ...(await settings()), QUORATE_WORKERS: workers, ...clients });
    const env = { QUORATE_URL: await listening(run) };
    expect(await cli(["run", "a", "--wait", "20s", "--", "true"], env)).toMatchObject({ code: 0, err: "" });
    run.child.kill("SIGTERM");
    expect(await run.ended).toBe(0);
  });

  test("with a wrong setting ends with one line", async () => {
    const { code, err } = await cli(["serve"], { ...(await settings()), PORT: "http" });
    expect([code, err]).toEqual([1, expect.stringMatching(/^quorate: PORT [^\n]+\n$/)]);
  });

  test("does not read keys of clients as settings: others are refused still", async () => {
    const { code, err } = await cli(["serve"], { ...(await settings()), QUORATE_NAMES: "a" });
    expect([code, err]).toEqual([1, expect.stringMatching(/^quorate: QUORATE_NAMES is not a setting/)]);
  });
});
