import { setTimeout as sleep } from "node:timers/promises";
import { startPrimaries, type TestPrimary } from "../../helpers/primaries.js";
import { containerRun, currentRun, processRun } from "../../helpers/run.js";
import { ownPrefix } from "../../helpers/service.js";
import { type Clocks, startClocks } from "./clocks.js";
import { HttpClient } from "./http.js";
import { type Link, startLink } from "./link.js";
import { type ServiceInstance, startService } from "./service.js";

/** A test cluster: real primaries, two real instances of the service, and a link from each instance to each primary. */
export interface TestCluster extends AsyncDisposable {
  readonly kind: "process" | "container";
  readonly primaries: readonly TestPrimary[];
  readonly majority: number;
  readonly links: readonly Link[];
  /** Null: clocks cannot be made to jump here. */
  readonly clocks: Clocks | null;
  readonly services: readonly ServiceInstance[];
  /** What the keys of the instances begin with. */
  readonly prefix: string;
  /** How a client reaches the primaries: each instance under its id. */
  urlsFor(client: string): string[];
  /** Waits until both instances see all primaries in one of these states. False when they do not in time. */
  recovered(withinMs: number, states?: readonly string[]): Promise<boolean>;
}

export interface TestClusterOptions {
  readonly primaries: number;
  readonly kind: "process" | "container";
  /** False: primaries and links only. */
  readonly withServices?: boolean;
  /** False: the instances are connected with the primaries themselves. */
  readonly withLinks?: boolean;
  /** For the instances, besides what every test cluster has. */
  readonly env?: Record<string, string>;
}

/** The two instances; also the users by which the links tell them apart. */
export const INSTANCES = ["one", "two"] as const;

/** Longest lease and member: what begins anew without its marks waits for it. */
export const TTL_MAX_MS = 5_000;

export async function startTestCluster(options: TestClusterOptions): Promise<TestCluster> {
  const { primaries: count, withServices = true, withLinks = true } = options;
  const owned: AsyncDisposable[] = [];
  const own = <T extends AsyncDisposable>(one: T): T => {
    owned.unshift(one);
    return one;
  };
  const close = async () => {
    for (const one of owned.splice(0)) await one[Symbol.asyncDispose]();
  };
  try {
    const run = (await (options.kind === "process" ? processRun : containerRun)()) ?? (await currentRun());
    const clocks = run.kind === "process" ? await startClocks(count) : null;
    if (clocks) own(clocks);
    const users = INSTANCES.flatMap((id) => ["--user", id, "on", "nopass", "~*", "&*", "+@all"]);
    const primaries = own(
      await startPrimaries(count, {
        run,
        args: [...users, "--repl-diskless-sync-delay", "0"],
        ...(clocks && { env: (place: number) => clocks.env(place) }),
      }),
    );
    const links: Link[] = [];
    for (const { port } of primaries.all) links.push(own(await startLink(port)));
    const urlsFor = (client: string) =>
      withLinks ? links.map(({ port }) => `redis://${client}:any@127.0.0.1:${port}`) : [...primaries.urls];
    const prefix = ownPrefix();
    const services: ServiceInstance[] = withServices
      ? await allOf(INSTANCES, async (id) =>
          own(
            await startService(id, {
              REDIS_URLS: urlsFor(id).join(","),
              QUORATE_KEY_PREFIX: prefix,
              QUORATE_TTL_MAX_MS: String(TTL_MAX_MS),
              ...options.env,
            }),
          ),
        )
      : [];
    return {
      kind: run.kind,
      primaries: primaries.all,
      majority: Math.floor(count / 2) + 1,
      links,
      clocks,
      services,
      prefix,
      urlsFor,
      recovered: (withinMs, states = ["up", "quarantined"]) => allSee(services, states, withinMs),
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Waits for all, also where one fails, so that none is left behind unknown. */
async function allOf<T, R>(all: readonly T[], start: (one: T) => Promise<R>): Promise<R[]> {
  const settled = await Promise.allSettled(all.map(start));
  return settled.map((one) => {
    if (one.status === "rejected") throw one.reason;
    return one.value;
  });
}

async function allSee(
  services: readonly ServiceInstance[],
  states: readonly string[],
  withinMs: number,
): Promise<boolean> {
  using client = new HttpClient(1_000);
  const seesAll = async ({ url, running }: ServiceInstance) => {
    const { status, body } = running ? await client.call(url, "GET", "/v1/primaries") : NOTHING;
    return status === 200 && body.primaries.every(({ state }: { state: string }) => states.includes(state));
  };
  const endMs = performance.now() + withinMs;
  for (;;) {
    const seen = await Promise.all(services.map(seesAll));
    if (!seen.includes(false)) return true;
    if (performance.now() > endMs) return false;
    await sleep(10);
  }
}

const NOTHING = { status: 0, body: null };
