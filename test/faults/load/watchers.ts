import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Recorder } from "../../history/recorder.js";
import type { ServiceInstance } from "../cluster/service.js";

interface Told {
  readonly id: string;
  readonly member: {
    readonly id: string;
    readonly incarnation: number;
    readonly revision: number;
    readonly status: string;
  };
}

/**
 * Watches the members of a service by server-sent events, and goes on with its last id at the other instance whenever a stream
 * ends, breaks off, or is silent. Written for the test: it must not share a mistake with the client.
 */
export class Watcher {
  /** Status by member, as far as it was told: `up 17.2`, with incarnation and revision. */
  readonly members = new Map<string, string>();
  #fresh = new Map<string, string>();
  #seen = new Set<string>();
  #position: string | null = null;
  #stream = 0;
  readonly ended: Promise<void>;

  constructor(
    readonly id: string,
    private readonly service: string,
    private readonly services: readonly ServiceInstance[],
    private readonly recorder: Recorder,
    private readonly signal: AbortSignal,
    first: number,
  ) {
    this.ended = this.#watch(first);
  }

  async #watch(first: number): Promise<void> {
    for (let turn = first; !this.signal.aborted; turn++) {
      this.#stream += 1;
      this.#fresh = new Map();
      await this.#read(this.services[turn % this.services.length] as ServiceInstance);
      await sleep(100);
    }
  }

  /** Resolves when the stream has come to an end, whatever ends it. */
  #read(instance: ServiceInstance): Promise<void> {
    return new Promise((resolve) => {
      const url = new URL(`/v1/services/${this.service}/events`, instance.url);
      const headers = this.#position === null ? {} : { "last-event-id": this.#position };
      const sent = request(
        url,
        { agent: false, headers, timeout: SILENT_MS_MAX, signal: this.signal },
        (response) => {
          let text = "";
          response.setEncoding("utf8").on("data", (part: string) => {
            const blocks = (text + part).split("\n\n");
            text = blocks.pop() ?? "";
            if (response.statusCode === 200) for (const block of blocks) this.#take(block, instance);
          });
          response.on("error", () => {}).on("close", resolve);
        },
      );
      sent.on("timeout", () => sent.destroy());
      sent.on("error", () => {}).on("close", resolve);
      sent.end();
    });
  }

  #take(block: string, instance: ServiceInstance): void {
    const fields = new Map(block.split("\n").map((line) => line.split(/: (.*)/s) as [string, string]));
    const data = fields.get("data");
    if (data === undefined) return;
    const type = fields.get("event") ?? "";
    const told = JSON.parse(data) as Told & { readonly suspects?: readonly string[] };
    const atMs = performance.now();
    if (type === "reset" || (type === "synced" && this.#position === null))
      this.recorder.happened({ kind: "told_anew", atMs, watcher: this.id, stream: this.#stream });
    if (type === "reset") this.#fresh = new Map();
    else if (type === "synced") {
      this.members.clear();
      for (const [id, shown] of this.#fresh) this.members.set(id, shown);
    } else if (told.member) this.#happened(type, told, instance, atMs);
    else if (told.suspects) this.#judge(told.suspects);
    this.#position = fields.get("id") ?? this.#position;
  }

  #happened(type: string, { id: event, member }: Told, instance: ServiceInstance, atMs: number): void {
    const { id, incarnation, revision, status } = member;
    const shown = `${status} ${incarnation}.${revision}`;
    if (type === "member") return void this.#fresh.set(id, shown);
    this.recorder.happened({
      kind: "told",
      atMs,
      watcher: this.id,
      stream: this.#stream,
      instance: instance.id,
      event: type as "joined",
      id: event,
      service: this.service,
      member: id,
      incarnation,
      revision,
    });
    if (type === "expired")
      this.recorder.happened({
        kind: "expired",
        atMs,
        instance: instance.id,
        service: this.service,
        member: id,
        incarnation,
        revision,
      });
    const isOfSuspicion = event.split("/").length > 5;
    if (!isOfSuspicion && this.#seen.has(event)) return;
    this.#seen.add(event);
    if (type === "left" || type === "expired") this.members.delete(id);
    else this.members.set(id, shown);
  }

  #judge(suspects: readonly string[]): void {
    for (const [id, shown] of this.members) {
      const [status, version] = shown.split(" ");
      const isSuspect = suspects.includes(id);
      if (status === "up" && isSuspect) this.members.set(id, `suspect ${version}`);
      if (status === "suspect" && !isSuspect) this.members.set(id, `up ${version}`);
    }
  }
}

/** Sooner than anybody else would: a comment comes within 15 s, but an instance that is paused must not cost half a run. */
const SILENT_MS_MAX = 16_000;
