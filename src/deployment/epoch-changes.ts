import {
  type Configuration,
  configurationEpochOf,
  entryOf,
  PROTOCOL,
  type Stored,
} from "../algorithms/configuration.js";
import { isFencedOut, withoutAbsent } from "../algorithms/fenced-out.js";
import { change } from "../quorum/agreement.js";
import { commitConfiguration } from "../scripts/configuration-calls.js";
import { runOn } from "./copy-end.js";
import type { ReconcilerDependencies } from "./dependencies.js";
import type { Obstacles } from "./obstacles.js";
import type { ObservedPrimary, Prober } from "./prober.js";

/** The steps that change the configuration epoch of primaries: commands under way in an older epoch are refused. */
export class EpochChanges {
  constructor(
    private readonly dependencies: ReconcilerDependencies,
    private readonly prober: Prober,
    private readonly obstacles: Obstacles,
  ) {}

  /** What each configuration has that this instance proposes. */
  get protocol(): number {
    return this.dependencies.settings.protocol ?? PROTOCOL;
  }

  /** Gives each empty primary an epoch of its own. Returns whether any was empty: then all are observed and judged anew. */
  async initialize(observed: readonly ObservedPrimary[]): Promise<boolean> {
    const initialized = await Promise.all(
      observed.filter(isEmpty).map((one) =>
        this.prober.initializeEpoch(one).then(
          () => true,
          (error) => {
            this.obstacles.note(one.primary, error);
            return false;
          },
        ),
      ),
    );
    return initialized.includes(true);
  }

  /** What `quorum` of the observed primaries agreed on for the version of `next`; null: no agreement now, perhaps later. */
  async agree(
    next: Configuration,
    observed: readonly ObservedPrimary[],
    quorum: number,
  ): Promise<Configuration | null> {
    const register = this.dependencies.keys.agreement(next.version);
    // The first proposal that is accepted stands: later proposers adopt it.
    const keep = (value: string | null) => value ?? JSON.stringify(next);
    const agreed = await change(register, keep, observed, quorum, this.dependencies);
    return agreed === null ? null : (JSON.parse(agreed) as Configuration);
  }

  /** Fences out the absent: a majority, `members`, are there and whole. Returns whether the configuration changed. */
  async fenceOut(
    current: Configuration,
    members: readonly ObservedPrimary[],
    majority: number,
  ): Promise<boolean> {
    const next = withoutAbsent(current, members, this.dependencies.ids.nonce());
    const agreed = next && (await this.agree(next, members, majority));
    if (!agreed) return false;
    const fencedOut = agreed.primaries.filter(isFencedOut).map(({ address }) => address);
    this.dependencies.log.warn(
      { version: agreed.version, fencedOut },
      "absent primaries are fenced out: they take part again with a copy of what the others have",
    );
    for (const one of members) {
      // Another instance may have proposed something else, and know that this member lost its data.
      const forgot = entryOf(agreed, one)?.admitted === agreed.version;
      await this.commit(agreed, one, forgot ? "copying" : "member");
    }
    return true;
  }

  /** Commits the agreed configuration on a primary. The primary may have changed meanwhile: its next observation shows that. */
  async commit(agreed: Configuration, one: ObservedPrimary, stage: Stored["stage"]): Promise<void> {
    const id = entryOf(agreed, one)?.id;
    if (!id) return;
    const epochs = [configurationEpochOf(agreed, id, stage), configurationEpochOf(agreed, id, "member")];
    if (epochs.includes(one.configurationEpoch)) return;
    await runOn(one, commitConfiguration(this.dependencies.keys, agreed, id, stage)).catch(() => {});
  }
}

export const isEmpty = (one: ObservedPrimary): boolean => one.configurationEpoch === "";
