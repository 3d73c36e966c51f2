import { HookDeliveries } from "../../src/delivering/hook-deliveries.js";
import type { Post } from "../../src/outbound/post.js";
import type { WorldEvent } from "../history/operation.js";
import { CHANGING } from "./asking.js";
import { type Dependencies, someInstance } from "./clients.js";
import type { Instance } from "./instance.js";
import type { Chance } from "./random.js";

type Told = Extract<WorldEvent, { kind: "told" }>;

/** What a hook is sent. */
interface Sent {
  readonly type: "reset" | Told["event"];
  readonly data: {
    readonly id: string;
    readonly member?: { readonly id: string; readonly incarnation: number; readonly revision: number };
  };
}

/**
 * A hook of the members that change: each instance may tell it, over a network that loses requests and answers. What it was told
 * is noted as of a watcher.
 */
export async function runHook(dependencies: Dependencies): Promise<void> {
  const { universe, plan } = dependencies;
  if (!plan.hooked) return;
  const { scheduler } = universe;
  const chance = dependencies.chance.stream("hook");
  const begun = new Set<Instance>();
  const receiver = new Receiver(dependencies);
  void (async () => {
    for (;;) {
      for (const instance of universe.alive) {
        if (begun.has(instance)) continue;
        begun.add(instance);
        deliver(
          instance,
          receiver.posting(instance, chance.stream(`hook by ${instance.name}`)),
          dependencies,
        );
      }
      await scheduler.sleep(50);
    }
  })();
  for (let isThere = false; !isThere; ) {
    await scheduler.sleep(20);
    const instance = someInstance(universe, chance);
    if (!instance) continue;
    const put = instance.core.hooks.put(CHANGING, HOOK, { url: URL_OF_HOOK, events: null, secret: null });
    isThere = await Promise.race([put.then(() => true), instance.death.then(() => false)]).catch(() => false);
  }
}

function deliver(instance: Instance, post: Post, { chance }: Dependencies): void {
  const { core, clock, ids } = instance;
  const { hooks, membership, memberEvents: events, locks } = core;
  const random = chance.stream(`hooks of ${instance.name}`).next;
  const deliveries = new HookDeliveries([HOST], ids.nonce(), {
    hooks,
    membership,
    events,
    locks,
    clock,
    random,
    post,
  });
  deliveries.start();
}

/** The other end. */
class Receiver {
  #requests = 0;

  constructor(private readonly dependencies: Dependencies) {}

  /** How an instance posts: some requests are lost, and of others the answer. */
  posting(instance: Instance, chance: Chance): Post {
    const { scheduler, network } = this.dependencies.universe;
    const delayMs = () => chance.between(0.5, 10);
    return (_to, { body }) =>
      new Promise((resolve) => {
        const isLost = () => !network.calm && chance.happens(0.05);
        const fail = () => instance.receive(() => resolve({ kind: "failed", detail: "connection reset" }));
        if (isLost()) {
          scheduler.after(delayMs(), fail);
          return;
        }
        scheduler.after(delayMs(), () => {
          this.#take(instance, JSON.parse(body) as Sent);
          if (isLost()) scheduler.after(delayMs(), fail);
          else
            scheduler.after(delayMs(), () =>
              instance.receive(() => resolve({ kind: "answered", status: 200, text: "" })),
            );
        });
      });
  }

  #take(instance: Instance, { type, data: { id, member } }: Sent): void {
    const { scheduler, recorder } = this.dependencies.universe;
    // What comes again is told in another request.
    const told = { atMs: scheduler.nowMs(), watcher: HOOK, stream: ++this.#requests };
    if (type === "reset" || !member) {
      recorder.happened({ kind: "told_anew", ...told });
      return;
    }
    recorder.happened({
      kind: "told",
      ...told,
      instance: instance.name,
      event: type,
      id,
      service: CHANGING,
      member: member.id,
      incarnation: member.incarnation,
      revision: member.revision,
    });
  }
}

/** Whoever tells it may have died: another has to find that out, and go on. */
export async function untilHookKnows({ universe, plan }: Dependencies): Promise<void> {
  if (!plan.hooked) return;
  const { scheduler, recorder } = universe;
  await scheduler.sleep(TOLD_WITHIN_MS);
  recorder.happened({ kind: "all_told", atMs: scheduler.nowMs(), watcher: HOOK, service: CHANGING });
}

const HOST = "hook.test";
const URL_OF_HOOK = `http://${HOST}/`;
const HOOK = "hook";
/** A lease that ends, a look at it, and tries of which some fail. */
const TOLD_WITHIN_MS = 12_000;
