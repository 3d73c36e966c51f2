import { once } from "node:events";
import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "./primaries.js";
import { type ServiceProcess, startProcess } from "./process.js";
import { chosenId, until } from "./service.js";

/** Two instances as processes on ports that stay, restarted one after the other. */
export class Rolling implements AsyncDisposable {
  readonly urls: readonly string[];
  readonly #processes: ServiceProcess[] = [];

  private constructor(
    private readonly ports: readonly number[],
    private readonly env: Record<string, string>,
  ) {
    this.urls = ports.map((port) => `http://127.0.0.1:${port}`);
  }

  static async start(env: Record<string, string>): Promise<Rolling> {
    const rolling = new Rolling([await freePort(), await freePort()], env);
    await Promise.all(rolling.ports.map((_, at) => rolling.#begin(at)));
    return rolling;
  }

  /** Stops an instance as a deployment does, and starts its successor once it has ended; resolves when that is ready. */
  async restart(at: number): Promise<void> {
    const process = this.#processes[at];
    process?.kill("SIGTERM");
    await process?.ended;
    await this.#begin(at);
  }

  async #begin(at: number): Promise<void> {
    const process = startProcess({ ...this.env, PORT: String(this.ports[at]) });
    this.#processes[at] = process;
    const url = await process.listening;
    await until(async () => {
      const ready = (await (await fetch(`${url}/readyz`)).json()) as { quorum: boolean };
      return ready.quorum;
    }, "it has a quorum");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#processes.map((process) => process[Symbol.asyncDispose]()));
  }
}

/** What became of the requests of many clients: how many of each kind, such as `200`, `503 shutting_down`, `ECONNRESET`. */
export type Tally = Map<string, number>;

/** Which instances a client may ask now, by their /readyz, asked every few ms. */
export class Readiness implements Disposable {
  readonly #ready: boolean[];
  #over = false;

  constructor(urls: readonly string[], everyMs = 20) {
    this.#ready = urls.map(() => true);
    urls.forEach(async (url, at) => {
      while (!this.#over) {
        this.#ready[at] = await fetch(`${url}/readyz`).then(
          async (response) => {
            await response.text();
            return response.ok;
          },
          () => false,
        );
        await sleep(everyMs);
      }
    });
  }

  readonly isReady = (at: number): boolean => this.#ready[at] === true;

  [Symbol.dispose](): void {
    this.#over = true;
  }
}

/**
 * So many clients, each with a connection of its own that it keeps, take and release locks until `during` has resolved.
 * Each stays with an instance until that fails it, or is no longer ready.
 */
export async function underLoad(
  urls: readonly string[],
  clients: number,
  during: () => Promise<unknown>,
  isReady: (at: number) => boolean = () => true,
): Promise<Tally> {
  const tally: Tally = new Map();
  let over = false;
  const one = async (id: number) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    let at = id % urls.length;
    while (!over) {
      if (!isReady(at)) at = (at + 1) % urls.length;
      const outcome = await take(urls[at] ?? "", agent, `rolling-${id >> 1}`);
      tally.set(outcome, (tally.get(outcome) ?? 0) + 1);
      if (outcome !== "200") {
        at = (at + 1) % urls.length;
        await sleep(5);
      }
    }
    agent.destroy();
  };
  const all = Promise.all(Array.from({ length: clients }, (_, id) => one(id)));
  await during();
  over = true;
  await all;
  return tally;
}

/** Two clients share a name, so that some have to wait. */
async function take(url: string, agent: Agent, name: string): Promise<string> {
  // Long enough that a busy machine makes nobody give up: `held` would be an answer, too.
  const own = { ttlMs: 5_000, waitMs: 15_000, leaseId: chosenId() };
  const acquired = await ask(url, agent, `/v1/locks/${name}/acquire`, own);
  if (acquired.outcome !== "200") return `acquire ${acquired.outcome}`;
  const released = await ask(url, agent, `/v1/locks/${name}/release`, { leaseId: own.leaseId });
  return released.outcome === "200" ? "200" : `release ${released.outcome}`;
}

async function ask(url: string, agent: Agent, path: string, body: object): Promise<{ outcome: string }> {
  const text = JSON.stringify(body);
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
  const sent = request(new URL(path, url), { method: "POST", agent, headers }).end(text);
  try {
    const [response] = await once(sent, "response");
    const answer = await new Response(response).text();
    const parsed = /json/.test(response.headers["content-type"]) ? JSON.parse(answer) : {};
    return { outcome: `${response.statusCode}${parsed.code ? ` ${parsed.code}` : ""}` };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const how =
      code === "ECONNRESET"
        ? `: ${message}${sent.reusedSocket ? ", on a connection that was kept" : ""}`
        : "";
    return { outcome: `${code}${how}` };
  }
}
