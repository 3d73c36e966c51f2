/**
 * The cost of HTTPS on connections that are kept alive: pairs of acquire and release at two instances on the same
 * primaries, of which one speaks TLS, taking turns. Processor time of the instance per pair, since the machine may be
 * shared and the load's own cost of TLS is not the service's.
 * `--what probes` has pairs of GET /livez instead, which cost next to nothing: what TLS itself takes shows even on a busy
 * machine.
 *   npx tsx bench/studies/tls.ts [--what locks|probes] [--seconds 1.5] [--rounds 20] [--clients 32]
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect as connectPlain, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { parseArgs } from "node:util";
import { authority } from "../../test/helpers/certificates.js";
import { startPrimaries } from "../../test/helpers/primaries.js";
import { median } from "../comparison/statistics.js";
import { type Answer, parseAnswer } from "../load/http-connection.js";
import { type InstanceProcess, startInstanceProcess } from "../machine/process.js";
import { serverVersion } from "../machine/servers.js";

const { values } = parseArgs({
  options: {
    what: { type: "string", default: "locks" },
    seconds: { type: "string", default: "1.5" },
    rounds: { type: "string", default: "20" },
    clients: { type: "string", default: "32" },
  },
});
process.env.TEST_REDIS = "process";

async function compare(files: Record<string, string>): Promise<void> {
  await using primaries = await startPrimaries(3, { args: ["--appendfsync", "no"] });
  const env = { REDIS_URLS: primaries.urls.join(","), QUORATE_COMMAND_TIMEOUT_MS: "1000" };
  await using plain = await startInstanceProcess(env);
  await using secure = await startInstanceProcess({ ...env, ...files });
  print(
    `Node ${process.versions.node}; three ${await serverVersion()}, appendfsync no; ${values.clients} clients`,
  );
  const both = [await Contender.start("plain", plain), await Contender.start("TLS", secure)] as const;
  for (const each of both) await each.turn(1_000);
  const ratios = { cpu: [] as number[], rate: [] as number[] };
  for (let round = 0; round < Number(values.rounds); round++) {
    // The first one changes, so that drift within a round cancels out.
    const order = round % 2 === 0 ? both : both.toReversed();
    const turns = new Map<Contender, Turn>();
    for (const each of order) turns.set(each, await each.turn(Number(values.seconds) * 1_000));
    const [one, other] = both.map((each) => turns.get(each) as Turn) as [Turn, Turn];
    ratios.cpu.push(other.cpuMicros / one.cpuMicros);
    ratios.rate.push(other.pairsPerSecond / one.pairsPerSecond);
    print(`round ${round + 1}: ${toText(one)} without, ${toText(other)} with TLS`);
  }
  for (const each of both) each.close();
  const percent = (all: readonly number[], q: (each: number) => number) => (q(median(all)) * 100).toFixed(1);
  print(`TLS costs ${percent(ratios.cpu, (each) => each - 1)} % more processor time of the service per pair`);
  print(
    `and ${percent(ratios.rate, (each) => 1 - each)} % of the throughput (medians of ${values.rounds} rounds)`,
  );
}

interface Turn {
  readonly pairsPerSecond: number;
  /** Of the service, per pair. */
  readonly cpuMicros: number;
}

/** An instance, and connections to it that stay open. */
class Contender {
  private constructor(
    private readonly name: string,
    private readonly instance: InstanceProcess,
    private readonly clients: readonly Client[],
  ) {}

  static async start(name: string, instance: InstanceProcess): Promise<Contender> {
    const clients = Array.from({ length: Number(values.clients) }, () => new Client(instance.url));
    return new Contender(name, instance, clients);
  }

  async turn(ms: number): Promise<Turn> {
    const before = await this.instance.usage();
    const beganMs = performance.now();
    let pairs = 0;
    const pair = values.what === "probes" ? probes : locks;
    const work = async (client: Client, id: number) => {
      for (let i = 0; performance.now() - beganMs < ms; i++) {
        await pair(client, `/v1/locks/${this.name}-${id}-${i % 100}`);
        pairs += 1;
      }
    };
    await Promise.all(this.clients.map(work));
    const tookMs = performance.now() - beganMs;
    const cpuMs = (await this.instance.usage()).cpuMs - before.cpuMs;
    return { pairsPerSecond: (pairs * 1_000) / tookMs, cpuMicros: (cpuMs * 1_000) / pairs };
  }

  close(): void {
    for (const client of this.clients) client.close();
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

  constructor(url: string) {
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
    this.#socket.write(`${method} ${path} HTTP/1.1\r\nHost: localhost\r\n${content}\r\n${body}`);
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

const dir = await mkdtemp(join(tmpdir(), "quorate-tls-"));
try {
  const { cert, key } = await (await authority("bench")).issue("localhost");
  await Promise.all([writeFile(join(dir, "cert"), cert), writeFile(join(dir, "key"), key)]);
  await compare({ QUORATE_TLS_CERT: join(dir, "cert"), QUORATE_TLS_KEY: join(dir, "key") });
} finally {
  await rm(dir, { recursive: true });
}
