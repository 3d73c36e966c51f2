import type { Ids } from "../../ids.js";
import { Namespace } from "../../namespace.js";
import type { Primaries } from "../../quorum/primaries.js";
import type { Keys } from "../../scripts/keys.js";
import { registerNames } from "../../scripts/register-calls.js";
import { HOOKS, registerName } from "../../scripts/register-kinds.js";
import type { MemberEvents } from "../members/events/member-events.js";
import type { State } from "../registers/proposals.js";
import type { Registers } from "../registers/registers.js";
import { HOOKS_MAX, type Hook, type HookTerms, SERVICES_WITH_HOOKS_MAX } from "./hook.js";
import { tooManyHooks } from "./hook-failures.js";
import { HookProgress } from "./hook-progress.js";

export interface PutHook {
  readonly created: boolean;
  /** That was made for it; null: the caller has given it, or was told before. */
  readonly secret: string | null;
}

/**
 * The hooks of services, by inner names. Those of one service are one register, so that each change of them is made of the one
 * before. All throw as `Changes.change` does.
 */
export class Hooks {
  readonly progress: HookProgress;

  constructor(
    private readonly registers: Pick<Registers, "changes" | "get">,
    private readonly events: Pick<MemberEvents, "watch">,
    private readonly primaries: Primaries,
    private readonly keys: Keys,
    private readonly ids: Pick<Ids, "hexNonce" | "nonce">,
  ) {
    this.progress = new HookProgress(registers);
  }

  async list(service: string): Promise<readonly Hook[]> {
    return hooksIn((await this.registers.get(registerOf(service)))?.json ?? null);
  }

  /** Throws `too_many`, and `overloaded` where this instance follows too many services. */
  async put(service: string, id: string, terms: HookTerms): Promise<PutHook> {
    const known = await this.list(service);
    if (known.length === 0) await this.#assertRoom(service);
    // Whatever happens from here on is told, though whoever tells it begins later.
    const since = known.some((one) => one.id === id) ? null : await this.#position(service);
    const [secret, made] = [this.#newSecret(), this.ids.nonce()];
    const changed = await this.registers.changes.change<PutHook | null>(registerOf(service), (state) => {
      const hooks = hooksOf(state);
      const before = hooks.find((one) => one.id === id);
      if (!before && hooks.length >= HOOKS_MAX) return { kind: "keep", result: null };
      const { url, events } = terms;
      const hook: Hook = {
        id,
        url,
        events,
        secret: terms.secret ?? before?.secret ?? secret,
        made: before?.made ?? made,
        since: before ? before.since : since,
      };
      const others = hooks.filter((one) => one.id !== id);
      const all = [...others, hook].sort((one, other) => (one.id < other.id ? -1 : 1));
      const isMade = hook.secret === secret;
      return writing(all, { created: !before, secret: isMade ? secret : null });
    });
    const { result } = changed as Extract<typeof changed, { result: PutHook | null }>;
    if (!result) throw tooManyHooks("service");
    return result;
  }

  /** Returns whether it was there until now. */
  async delete(service: string, id: string): Promise<boolean> {
    const changed = await this.registers.changes.change<boolean>(registerOf(service), (state) => {
      const hooks = hooksOf(state);
      const others = hooks.filter((one) => one.id !== id);
      if (others.length === hooks.length) return { kind: "keep", result: false };
      return writing(others, true);
    });
    const { result } = changed as Extract<typeof changed, { result: boolean }>;
    if (result) await this.progress.forget({ service, id });
    return result;
  }

  /** Services that have hooks, or had some a moment ago. Throws `no_quorum`. */
  async services(): Promise<readonly string[]> {
    const call = registerNames(this.keys, HOOKS, SERVICES_WITH_HOOKS_MAX * 2);
    const names = await this.primaries.askMajority(call);
    return [...new Set(names.flat())].sort().map(serviceOf);
  }

  async #assertRoom(service: string): Promise<void> {
    const services = await this.services();
    if (services.length >= SERVICES_WITH_HOOKS_MAX && !services.includes(service))
      throw tooManyHooks("deployment");
  }

  async #position(service: string): Promise<string | null> {
    const watch = await this.events.watch(service, null);
    const { position } = watch;
    watch.end();
    return position;
  }

  #newSecret(): string {
    const bytes = Buffer.from(this.ids.hexNonce() + this.ids.hexNonce(), "hex");
    return `whsec_${bytes.toString("base64")}`;
  }
}

function writing<R>(hooks: readonly Hook[], result: R) {
  const json = hooks.length === 0 ? null : JSON.stringify(hooks);
  return { kind: "write", json, ttlMs: null, result, told: "-" } as const;
}

const hooksOf = ({ version }: State) => hooksIn(version?.json ?? null);

function hooksIn(json: string | null): readonly Hook[] {
  return json === null ? [] : (JSON.parse(json) as readonly Hook[]);
}

function registerOf(service: string): string {
  const namespace = Namespace.of(service);
  return registerName("hooks", namespace.name, namespace.outer(service));
}

/** The inner name of the service whose hooks are this register. */
function serviceOf(register: string): string {
  const [, namespace = "", service = ""] = register.split("/");
  return new Namespace(namespace).inner(service);
}
