import { fullJitterMs } from "../algorithms/backoff.js";
import type { Clock, Random } from "../clock.js";
import { Namespace } from "../namespace.js";
import type { Hook, HookName, Progress } from "../primitives/hooks/hook.js";
import type { HookProgress } from "../primitives/hooks/hook-progress.js";
import type { Told } from "../primitives/members/events/event-watch.js";
import type { MemberEvents } from "../primitives/members/events/member-events.js";
import { toEventJson } from "../primitives/members/events/told-event.js";
import type { StoredEvent } from "../scripts/event-calls.js";
import { type HookOutcome, type Message, type RequestDependencies, tellHook } from "./hook-request.js";

export interface HookDependencies extends RequestDependencies {
  readonly events: Pick<MemberEvents, "watch">;
  readonly progress: Pick<HookProgress, "claim" | "save">;
  readonly clock: Clock;
  readonly random: Random;
  readonly observer?: HookObserver | undefined;
}

export interface HookObserver {
  attempted(outcome: HookOutcome): void;
  /** So many attempts in a row have failed. */
  failing(hook: HookName, detail: string, failures: number): void;
  recovered(hook: HookName): void;
}

/**
 * Tells one hook what happens, one event after the other, until it is told to stop. An event is tried again until it was
 * delivered; where that takes longer than events are kept, a `reset` comes in their place. What was delivered but not noted when
 * this instance dies comes twice.
 */
export class HookDelivery {
  #progress: Progress;
  #unsaved: keyof typeof SAVED_AFTER_MS = "nothing";
  #savedAtMs: number;
  #whyReset: string | null = null;
  #resets = 0;
  #waiting = new AbortController();
  readonly #stopping = new AbortController();

  constructor(
    private readonly service: string,
    private hook: Hook,
    private readonly token: number,
    private readonly dependencies: HookDependencies,
  ) {
    this.#progress = { ...NOT_BEGUN, token, made: hook.made };
    this.#savedAtMs = dependencies.clock.monotonicMs();
  }

  /** It has another URL, secret or filter now; what failed is tried at once. */
  change(hook: Hook): void {
    if (JSON.stringify(hook) === JSON.stringify(this.hook)) return;
    this.hook = hook;
    this.#waiting.abort();
  }

  /** Of the same hook, not of a later one with its id. */
  isOf({ made }: Hook): boolean {
    return made === this.hook.made;
  }

  stop(): void {
    this.#stopping.abort();
    this.#waiting.abort();
  }

  async run(): Promise<void> {
    const { signal } = this.#stopping;
    const { clock, progress } = this.dependencies;
    let isBegun = false;
    while (!signal.aborted) {
      try {
        if (!isBegun) {
          const claimed = await progress.claim(this.service, this.hook, this.token);
          if (!claimed) return;
          [this.#progress, isBegun] = [claimed, true];
        }
        await this.#follow(signal);
      } catch {
        // Without a majority nothing is told.
        if (!signal.aborted) await clock.sleep(PAUSE_MS, signal).catch(() => {});
      }
    }
  }

  /** Until this instance is too slow for the events, and begins again from where the hook is. */
  async #follow(signal: AbortSignal): Promise<void> {
    const { events, clock } = this.dependencies;
    const watch = await events.watch(this.service, this.#progress.position);
    try {
      while (!signal.aborted) {
        const told = watch.take();
        if (told?.kind === "behind") return;
        if (told) await this.#tell(told);
        else {
          this.#moved(watch.position);
          await this.#saveIfDue();
          // Woken by the next event, and to note its place where that is due.
          const dueMs = this.#savedAtMs + SAVED_AFTER_MS[this.#unsaved];
          await watch.change(Math.min(dueMs, clock.monotonicMs() + IDLE_MS), signal);
        }
      }
    } finally {
      watch.end();
    }
  }

  async #tell(told: Exclude<Told, { kind: "behind" }>): Promise<void> {
    switch (told.kind) {
      case "reset":
        this.#whyReset = told.why;
        return;
      case "snapshot": {
        const { members, ringId } = told.snapshot;
        const id = [this.#name, "reset", this.token, ++this.#resets].join("/");
        const why = this.#whyReset ?? BEGINNING;
        await this.#deliver("reset", { id, service: this.#name, why, members: members.length, ringId });
        this.#whyReset = null;
        this.#moved(told.position);
        // Noted before anything else is told: who goes on from the place before could tell that again, which is behind this.
        return this.#save();
      }
      case "missed":
        for (const event of [...told.missed, ...told.suspected]) await this.#tellEvent(event);
        return this.#moved(told.position);
      case "messages":
        for (const message of told.messages) {
          if (message.kind === "ring-changed") continue;
          await this.#tellEvent(message.event);
          if (message.position !== null) this.#moved(message.position);
        }
    }
  }

  #tellEvent(event: StoredEvent): Promise<void> {
    return this.#deliver(event.kind, toEventJson(this.service, event));
  }

  /** Returns when it was delivered, or is not wanted. Rejects where this is to stop. */
  async #deliver(type: StoredEvent["kind"] | "reset", data: Message["data"]): Promise<void> {
    const { clock, observer } = this.dependencies;
    for (;;) {
      this.#stopping.signal.throwIfAborted();
      const { events } = this.hook;
      if (type !== "reset" && events && !events.includes(type)) return;
      const { outcome, detail } = await tellHook(
        this.service,
        this.hook,
        { type, data },
        this.dependencies,
        this.#stopping.signal,
      );
      this.#stopping.signal.throwIfAborted();
      observer?.attempted(outcome);
      if (outcome !== "delivered") {
        await this.#failed(detail);
        continue;
      }
      if (this.#progress.failures >= FAILURES_TOLD) observer?.recovered(this.#hookName);
      const deliveredAtMs = Math.floor(clock.wallMicros() / 1_000);
      this.#progress = { ...this.#progress, failures: 0, failure: null, nextTryAtMs: null, deliveredAtMs };
      this.#unsaved = "delivered";
      return this.#saveIfDue();
    }
  }

  /** Waits until it is to be tried again. */
  async #failed(failure: string): Promise<void> {
    const { clock, random, observer } = this.dependencies;
    const failures = this.#progress.failures + 1;
    if (failures === FAILURES_TOLD) observer?.failing(this.#hookName, failure, failures);
    const waitMs = fullJitterMs(failures - 1, BACK_OFF_MS.base, BACK_OFF_MS.cap, random());
    const nextTryAtMs = Math.ceil(clock.wallMicros() / 1_000 + waitMs);
    this.#progress = { ...this.#progress, failures, failure, nextTryAtMs };
    this.#waiting = new AbortController();
    await this.#save();
    if (this.#stopping.signal.aborted) return;
    await clock.sleep(waitMs, this.#waiting.signal).catch(() => {});
  }

  #moved(position: string | null): void {
    if (position === this.#progress.position) return;
    this.#progress = { ...this.#progress, position };
    if (this.#unsaved === "nothing") this.#unsaved = "moved";
  }

  async #saveIfDue(): Promise<void> {
    const ageMs = this.dependencies.clock.monotonicMs() - this.#savedAtMs;
    if (ageMs >= SAVED_AFTER_MS[this.#unsaved] - TIMER_EARLY_MS) await this.#save();
  }

  /** Stops where the hook is gone, or another instance tells it by now. */
  async #save(): Promise<void> {
    const { clock, progress } = this.dependencies;
    this.#savedAtMs = clock.monotonicMs();
    try {
      if (await progress.save(this.#hookName, this.#progress)) this.#unsaved = "nothing";
      else this.stop();
    } catch {
      // What is not noted comes twice if this instance dies now.
    }
  }

  get #name(): string {
    return Namespace.of(this.service).outer(this.service);
  }

  get #hookName(): HookName {
    return { service: this.service, id: this.hook.id };
  }
}

const NOT_BEGUN = { position: null, deliveredAtMs: null, failures: 0, failure: null, nextTryAtMs: null };
const BEGINNING = "the hook is new, and nothing had happened before";

/** How long what is not noted yet may wait; a position that stays is noted now and then all the same, so that it is kept. */
const SAVED_AFTER_MS = { delivered: 250, moved: 5_000, nothing: 86_400_000 };
/** A timer may fire so much too early: what it is for is due all the same. */
const TIMER_EARLY_MS = 1;
const PAUSE_MS = 1_000;
/** How often the place of an idle hook is looked at. */
const IDLE_MS = 5_000;
const BACK_OFF_MS = { base: 1_000, cap: 60_000 };
/** In a row, before the log says so. */
const FAILURES_TOLD = 3;
