import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { startPrimaries } from "../../test/helpers/primaries.js";
import { median } from "../comparison/statistics.js";
import { type Answer, parseAnswer } from "../load/http-connection.js";
import { type InstanceProcess, startInstanceProcess } from "../machine/process.js";
import { serverVersion } from "../machine/servers.js";

/** An instance of the service as it is compared with another. */
export interface Side {
  readonly name: string;
  /** Its settings besides those that both have. */
  readonly env: Readonly<Record<string, string>>;
  /** Of each request, as lines: `Authorization: Bearer ...\r\n`. */
  readonly headers?: string;
}

export interface ComparisonOptions {
  /** locks: pairs of acquire and release. probes: pairs of GET /livez, which cost next to nothing. */
  readonly what: "locks" | "probes";
  readonly seconds: number;
  readonly rounds: number;
  readonly clients: number;
}

/** The options of the command line, for `parseArgs`. */
export const COMPARISON_OPTIONS = {
  what: { type: "string", default: "locks" },
  seconds: { type: "string", default: "1.5" },
  rounds: { type: "string", default: "20" },
  clients: { type: "string", default: "32" },
} as const;

export function optionsOf(values: Record<keyof typeof COMPARISON_OPTIONS, string>): ComparisonOptions {
  const what = values.what === "probes" ? "probes" : "locks";
  return {
    what,
    seconds: Number(values.seconds),
    rounds: Number(values.rounds),
    clients: Number(values.clients),
  };
}

/**
 * Compares two instances on the same primaries that take turns, over connections that stay open. What counts is the
 * processor time of the instance per pair of requests, since the machine may be shared, and the cost of the load is not the
 * service's.
 */
export async function compareInstances(one: Side, other: Side, options: ComparisonOptions): Promise<void> {
  process.env.TEST_REDIS = "process";
  const { rounds, seconds, clients } = options;
  await using primaries = await startPrimaries(3, { args: ["--appendfsync", "no"] });
  const env = { REDIS_URLS: primaries.urls.join(","), QUORATE_COMMAND_TIMEOUT_MS: "1000" };
  await using first = await startInstanceProcess({ ...env, ...one.env });
  await using second = await startInstanceProcess({ ...env, ...other.env });
  print(`Node ${process.versions.node}; three ${await serverVersion()}, appendfsync no; ${clients} clients`);
  const both = [new Contender(one, first, options), new Contender(other, second, options)] as const;
  for (const each of both) await each.turn(1_000);
  const ratios = { cpu: [] as number[], rate: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    // The first one changes, so that drift within a round cancels out.
    const order = round % 2 === 0 ? both : both.toReversed();
    const turns = new Map<Contender, Turn>();
    for (const each of order) turns.set(each, await each.turn(seconds * 1_000));
    const [a, b] = both.map((each) => turns.get(each) as Turn) as [Turn, Turn];
    ratios.cpu.push(b.cpuMicros / a.cpuMicros);
    ratios.rate.push(b.pairsPerSecond / a.pairsPerSecond);
    print(`round ${round + 1}: ${toText(a)} ${one.name}, ${toText(b)} ${other.name}`);
  }
  for (const each of both) each.close();
  const percent = (all: readonly number[], q: (each: number) => number) => (q(median(all)) * 100).toFixed(1);
  print(
    `${other.name}: ${percent(ratios.cpu, (each) => each - 1)} % more processor time of the service per pair`,
  );
  print(`and ${percent(ratios.rate, (each) => 1 - each)} % less throughput (medians of ${rounds} rounds)`);
}

interface Turn {
  readonly pairsPerSecond: number;
  /** Of the service, per pair. */
  readonly cpuMicros: number;
}

/** An instance, and connections to it that stay open. */
class Contender {
  readonly #clients: readonly Client[];

  constructor(
    private readonly side: Side,
    private readonly instance: InstanceProcess,
    private readonly options: ComparisonOptions,
  ) {
    const { clients } = options;
    this.#clients = Array.from({ length: clients }, () => new Client(instance.url, side.headers ?? ""));
  }

  async turn(ms: number): Promise<Turn> {
    const before = await this.instance.usage();
    const beganMs = performance.now();
    let pairs = 0;
    const pair = this.options.what === "probes" ? probes : locks;
    const work = async (client: Client, id: number) => {
      for (let i = 0; performance.now() - beganMs < ms; i++) {
        await pair(client, `/v1/locks/${this.side.name}-${id}-${i % 100}`);
        pairs += 1;
      }
    };
    await Promise.all(this.#clients.map(work));
    const tookMs = performance.now() - beganMs;
    const cpuMs = (await this.instance.usage()).cpuMs - before.cpuMs;
    return { pairsPerSecond: (pairs * 1_000) / tookMs, cpuMicros: (cpuMs * 1_000) / pairs };
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }
}

async function locks(client: Client, path: string): Promise<void> {
  const acquired = await client.ask("POST", `${path}/acquire`, '{"ttlMs":10000}');
  const { leaseId } = JSON.parse(acquired.body);
  await client.ask("POST", `${path}/release`, JSON.stringify({ leaseId }));
}

async function probes(client: Client): Promise<void> {
  for (let i = 0; i < 2; i++) await client.ask("GET", "/livez");
}

/** One connection with one request at a time. */
class Client {
  readonly #socket: Socket;
  #text = "";
  #done: (answer: Answer) => void = () => {};

  constructor(
    url: string,
    private readonly headers: string,
  ) {
    const port = Number(new URL(url).port);
    const options = { port, host: "127.0.0.1", rejectUnauthorized: false };
    this.#socket = url.startsWith("https:") ? connectTls(options) : connectPlain(options);
    this.#socket.setNoDelay(true).setEncoding("latin1");
    this.#socket.on("data", (text: string) => {
      this.#text += text;
      const answer = parseAnswer(this.#text);
      if (answer === null) return;
      this.#text = "";
      this.#done(answer);
    });
  }

  async ask(method: string, path: string, body = ""): Promise<Answer> {
    const content = body && `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`;
    this.#socket.write(
      `${method} ${path} HTTP/1.1\r\nHost: localhost\r\n${this.headers}${content}\r\n${body}`,
    );
    const answer = await new Promise<Answer>((resolve) => {
      this.#done = resolve;
    });
    if (answer.status !== 200) throw new Error(`${path}: ${answer.body}`);
    return answer;
  }

  close(): void {
    this.#socket.destroy();
  }
}

function toText({ pairsPerSecond, cpuMicros }: Turn): string {
  return `${pairsPerSecond.toFixed(0)} pairs/s at ${cpuMicros.toFixed(0)} us`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
