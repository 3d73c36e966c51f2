import { Namespace } from "../../namespace.js";
import { registerName } from "../../scripts/register-kinds.js";
import type { Decision, State } from "../registers/proposals.js";
import type { Registers } from "../registers/registers.js";
import type { Hook, HookName, Progress } from "./hook.js";

/**
 * How far each hook was told: a register of its own, on a majority. Whoever holds the lease of a service claims it with the
 * token of that lease; from then on nobody with an earlier token changes it. All throw as `Changes.change` does.
 */
export class HookProgress {
  constructor(private readonly registers: Pick<Registers, "changes" | "get">) {}

  /** Null: it was never told. */
  async read(name: HookName): Promise<Progress | null> {
    return progressIn((await this.registers.get(registerOf(name)))?.json ?? null);
  }

  /** From where to go on; null: somebody with a later token has it. */
  claim(service: string, { id, made, since }: Hook, token: number): Promise<Progress | null> {
    return this.#change({ service, id }, (known) => {
      if (known && known.token > token) return null;
      if (known?.made === made) return { ...known, token, nextTryAtMs: null };
      return { ...NOTHING_DELIVERED, token, made, position: since };
    });
  }

  /** Returns whether it is noted: not if the hook is gone, or somebody with a later token has it. */
  async save(name: HookName, progress: Progress): Promise<boolean> {
    const isOwn = (known: Progress | null) =>
      known?.token === progress.token && known.made === progress.made ? progress : null;
    return (await this.#change(name, isOwn)) !== null;
  }

  async forget(name: HookName): Promise<void> {
    await this.registers.changes.change<null>(registerOf(name), ({ version }) => {
      if (version === null || version.json === null) return { kind: "keep", result: null };
      return { kind: "write", json: null, ttlMs: null, result: null, told: NONE };
    });
  }

  async #change(name: HookName, next: (known: Progress | null) => Progress | null): Promise<Progress | null> {
    const changed = await this.registers.changes.change<Progress | null>(
      registerOf(name),
      (state): Decision<Progress | null> => {
        const progress = next(progressOf(state));
        if (progress === null) return { kind: "keep", result: null };
        const json = JSON.stringify(progress);
        return { kind: "write", json, ttlMs: FORGOTTEN_AFTER_MS, result: progress, told: NONE };
      },
    );
    return (changed as Extract<typeof changed, { result: Progress | null }>).result;
  }
}

const progressOf = ({ version }: State) => progressIn(version?.json ?? null);

const progressIn = (json: string | null) => (json === null ? null : (JSON.parse(json) as Progress));

function registerOf({ service, id }: HookName): string {
  const namespace = Namespace.of(service);
  return registerName("hook-progress", namespace.name, `${namespace.outer(service)}/${id}`);
}

const NOTHING_DELIVERED = { deliveredAtMs: null, failures: 0, failure: null, nextTryAtMs: null };

const NONE = "-";

/** Much longer than events are kept: a position that nobody has noted for so long leads nowhere. */
export const FORGOTTEN_AFTER_MS = 7 * 86_400_000;
