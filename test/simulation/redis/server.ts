import { isWrite, runCommand } from "./commands.js";
import { Keyspace } from "./keyspace.js";
import { type Compiled, type LuaMachine, sha1hex } from "./lua.js";
import { Failure, OK, type Reply, Status } from "./reply.js";

export interface ServerSettings {
  /** Wall clock of this server in ms. */
  readonly clockMs: () => number;
  /** 40 hex digits that nobody had before. */
  readonly newId: () => string;
  readonly lua: LuaMachine;
  /** What is run in place of a script: wrong variants for canaries. */
  readonly substitute?: ((text: string) => string) | undefined;
}

/** One Redis server in this process, as far as src/redis can tell. It takes no time; waiting is the network's. */
export class SimulatedRedis {
  readonly keyspace: Keyspace;
  #runId: string;
  #replid: string;
  #master: string | null = null;
  /** Scripts by their digest, as SCRIPT LOAD and EVAL leave them. */
  readonly #scripts = new Map<string, Compiled>();
  /** While it reads its data from disk it only tells that. */
  loading = false;

  constructor(private readonly settings: ServerSettings) {
    this.keyspace = new Keyspace(settings.clockMs);
    this.#runId = settings.newId();
    this.#replid = settings.newId();
  }

  get runId(): string {
    return this.#runId;
  }

  get replid(): string {
    return this.#replid;
  }

  /** Is from now on what another was: the same server with the same data. */
  takeOver(other: SimulatedRedis): void {
    this.#runId = other.runId;
    this.#replid = other.replid;
    this.keyspace.copyFrom(other.keyspace);
  }

  /** Starts again, with the data it has. */
  restart(): void {
    this.#runId = this.settings.newId();
    this.#replid = this.settings.newId();
    this.#master = null;
    this.#scripts.clear();
  }

  /** Becomes a replica; the data of the other come by `keyspace.copyFrom`. Null: a primary again. */
  replicaOf(master: string | null): void {
    if (master === null && this.#master !== null) this.#replid = this.settings.newId();
    this.#master = master;
  }

  get isReplica(): boolean {
    return this.#master !== null;
  }

  flushScripts(): void {
    this.#scripts.clear();
  }

  /** Runs one command, as it came over the wire. */
  execute(command: string, args: readonly string[]): Reply {
    if (this.loading) return LOADING;
    const reply = this.#run(command.toUpperCase(), args);
    this.keyspace.commit();
    return reply;
  }

  #run(command: string, args: readonly string[]): Reply {
    switch (command) {
      case "EVALSHA": {
        const script = this.#scripts.get(args[0] ?? "");
        return script === undefined ? NO_SCRIPT : this.#evaluate(script, args);
      }
      case "EVAL":
        return this.#evaluate(this.#load(args[0] ?? ""), args);
      case "SCRIPT":
        return this.#script(args);
      case "INFO":
        return this.#info();
      default:
        return this.#command(command, args);
    }
  }

  #command(command: string, args: readonly string[]): Reply {
    if (this.#master !== null && isWrite(command)) return READ_ONLY;
    return runCommand(command, this.keyspace, args, this.settings.clockMs());
  }

  #script(args: readonly string[]): Reply {
    const [subcommand = "", text = ""] = args;
    switch (subcommand.toUpperCase()) {
      case "LOAD":
        this.#load(text);
        return sha1hex(text);
      case "EXISTS":
        return args.slice(1).map((digest) => (this.#scripts.has(digest) ? 1 : 0));
      case "FLUSH":
        this.flushScripts();
        return OK;
      default:
        throw new Error(`the simulated Redis has no SCRIPT ${subcommand}`);
    }
  }

  #load(text: string): Compiled {
    const digest = sha1hex(text);
    let script = this.#scripts.get(digest);
    if (script === undefined) {
      script = this.settings.lua.compile(this.settings.substitute?.(text) ?? text);
      this.#scripts.set(digest, script);
    }
    return script;
  }

  #evaluate(script: Compiled, args: readonly string[]): Reply {
    const keys = Number(args[1]);
    // As in Redis, time stands still within a script.
    const nowMs = this.settings.clockMs();
    return this.settings.lua.run(script, args.slice(2, 2 + keys), args.slice(2 + keys), (command, rest) => {
      if (this.#master !== null && isWrite(command)) return READ_ONLY;
      return runCommand(command, this.keyspace, rest, nowMs);
    });
  }

  #info(): string {
    const fields = {
      redis_version: "7.4.0",
      run_id: this.#runId,
      role: this.#master === null ? "master" : "slave",
      ...(this.#master !== null && { master_host: this.#master, master_port: "6379" }),
      master_replid: this.#replid,
      aof_enabled: "1",
      cluster_enabled: "0",
      maxmemory: "0",
      maxmemory_policy: "noeviction",
    };
    return Object.entries(fields)
      .map(([name, value]) => `${name}:${value}\r\n`)
      .join("");
  }
}

const NO_SCRIPT = new Failure("NOSCRIPT No matching script. Please use EVAL.");
const READ_ONLY = new Failure("READONLY You can't write against a read only replica.");
const LOADING = new Failure("LOADING Redis is loading the dataset in memory");

/** As a client that speaks RESP 2 sees it; failures are thrown by `wrong`. */
export function toClient(reply: Reply, wrong: (text: string) => Error): unknown {
  if (reply instanceof Failure) throw wrong(reply.text);
  if (reply instanceof Status) return reply.text;
  if (Array.isArray(reply))
    return reply.map((one) => (one instanceof Failure ? wrong(one.text) : toClient(one, wrong)));
  return reply;
}
