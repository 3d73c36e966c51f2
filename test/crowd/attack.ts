import type { Answer } from "./client.js";
import type { Figures } from "./figures.js";

/** What an attack meets: real servers, and where to look at what it does to them. */
export interface TestCluster {
  /** Of the instances. */
  readonly urls: readonly string[];
  readonly pids: readonly number[];
  /** Redis URLs. */
  readonly primaries: readonly string[];
  /** How many do it: what that means is the attack's own. */
  readonly clients: number;
  /** For how long, where it is an attack that lasts. */
  readonly seconds: number;
  /** What the machine stands without being overloaded; 0: to be measured. */
  readonly pairsPerSecond: number;
}

/** Many valid requests that must not become anybody else's trouble. */
export interface Attack {
  readonly name: string;
  readonly about: string;
  /** At which it is done by script, and at which by a test: one that failed before. 0: by none. */
  readonly clients: number;
  readonly clientsInTests: number;
  readonly seconds: number;
  readonly secondsInTests: number;
  /** Whether what is refused to a bystander that acquires is meant to be: more is asked for than can be done. */
  readonly overloads?: boolean;
  /** Whether it takes a primary down itself. */
  readonly fells?: boolean;
  /** Whether it starts and stops instances of its own, in place of those of the test cluster, and without a bystander. */
  readonly alone?: boolean;
  /** Whether there is no bystander. */
  readonly unwatched?: boolean;
  run(cluster: TestCluster): Promise<Figures>;
  /** The bounds that are broken, one sentence each. `slack`: how much slower than it should be the machine may be. */
  broken(figures: Figures, slack: number): string[];
}

/** Sentences of those that do not hold. */
export function unless(...claims: readonly (readonly [holds: boolean, otherwise: string])[]): string[] {
  return claims.filter(([holds]) => !holds).map(([, otherwise]) => otherwise);
}

/** Runs `once` for 0 to `count` - 1, so many at a time. */
export async function inParallel(
  count: number,
  atOnce: number,
  once: (i: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const work = async () => {
    while (next < count) await once(next++);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, work));
}

/** Throws, with what was answered, where the status is none of these. */
export function expectStatus(answer: Answer, ...allowed: number[]): Answer {
  if (!allowed.includes(answer.status))
    throw new Error(`${answer.status} where ${allowed} was due: ${answer.body.slice(0, 500)}`);
  return answer;
}

/** Asks again until it has one of these: to make the test cluster ready, which is not what is attacked. */
export async function insist(ask: () => Promise<Answer>, ...allowed: number[]): Promise<Answer> {
  for (let attempt = 0; ; attempt++) {
    const answer = await ask();
    if (allowed.includes(answer.status) || attempt === ATTEMPTS_MAX) return expectStatus(answer, ...allowed);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const ATTEMPTS_MAX = 50;
