/**
 * Configurations of a readmission model by number: 0 is none, 1 the first, and each later one belongs to the version
 * and the ballot under which it was first proposed, which stands for its nonce. A configuration lists, of each
 * primary, which of its incarnations is meant: a primary that was wiped is another one from then on.
 */

export const NO_CONFIGURATION = 0;
export const FIRST = 1;

export class Configurations {
  /** `ballots`: how many there are of each version, over all reconcilers. `compared`: by version alone is wrong. */
  constructor(
    private readonly ballots: number,
    private readonly compared: "with their nonce" | "by version",
  ) {}

  /** A mark that is lost costs a version, which must end somewhere: at what a primary has room to list. */
  get versionMax(): number {
    return Math.min(3, 1 + Math.floor(LISTED_MAX / this.ballots));
  }

  same(one: number, other: number): boolean {
    return this.compared === "by version" ? this.version(one) === this.version(other) : one === other;
  }

  readonly version = (configuration: number): number =>
    configuration <= FIRST ? configuration : 2 + Math.floor((configuration - 2) / this.ballots);

  /** Where the shared state notes which configuration of the version after this one there is. */
  nextNamed(configuration: number): "second" | "third" {
    return this.version(configuration) === 1 ? "second" : "third";
  }

  /** What a ballot proposes as the successor of a configuration. */
  successor(configuration: number, ballot: number): number {
    return 2 + (this.version(configuration) - 1) * this.ballots + ballot - 1;
  }
}

/** Part of a primary: two bits for each configuration from the second on. */
interface Listing {
  listed: number;
}

const LISTED_MAX = 4;

export function listed(primary: Listing, configuration: number): number {
  return configuration <= FIRST ? 0 : (primary.listed >> (2 * (configuration - 2))) & 3;
}

export function list(primary: Listing, configuration: number, incarnation: number): void {
  const shift = 2 * (configuration - 2);
  primary.listed = (primary.listed & ~(3 << shift)) | (incarnation << shift);
}
