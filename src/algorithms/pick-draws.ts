/** Random orders that are made as far as they are read: the first of 10,000 costs no more than the first of ten. */

/** The numbers below `count` in random order, each once; every order is equally likely. Source: Fisher and Yates. */
export function* uniformDraws(count: number, random: () => number): Generator<number, void, void> {
  /** What stands at a place, where that is not the number of the place itself. */
  const moved = new Map<number, number>();
  for (let at = 0; at < count; at++) {
    const drawn = at + Math.floor(random() * (count - at));
    yield moved.get(drawn) ?? drawn;
    moved.set(drawn, moved.get(at) ?? at);
  }
}

/**
 * The indices of some weights in random order, each once: each is the next in proportion to its weight among those that
 * are left. `sums`: of the weights up to and with each one; all weights are above 0.
 */
export function* weightedDraws(sums: Float64Array, random: () => number): Generator<number, void, void> {
  let pool: Pool = { sums, indices: null, drawn: new Set() };
  for (let left = sums.length; left > 0; left--) {
    let at = drawn(pool, random);
    for (let tries = 1; pool.drawn.has(at); tries++) {
      // Those that were drawn before have nearly all the weight.
      if (tries === TRIES_MAX) pool = withoutDrawn(pool);
      at = drawn(pool, random);
    }
    pool.drawn.add(at);
    yield pool.indices ? (pool.indices[at] as number) : at;
  }
}

/** The sums of weights, for `weightedDraws`. */
export function sumsOf(weights: readonly number[]): Float64Array {
  let sum = 0;
  return Float64Array.from(weights, (weight) => {
    sum += weight;
    return sum;
  });
}

/** What is drawn from. */
interface Pool {
  readonly sums: Float64Array;
  /** The index of each weight; null: its place is its index. */
  readonly indices: readonly number[] | null;
  /** The places that were drawn. */
  readonly drawn: Set<number>;
}

function drawn({ sums }: Pool, random: () => number): number {
  return firstAbove(sums, random() * (sums.at(-1) as number));
}

function withoutDrawn({ sums, indices, drawn }: Pool): Pool {
  const left = Array.from(sums.keys()).filter((at) => !drawn.has(at));
  return {
    sums: sumsOf(left.map((at) => (sums[at] as number) - (sums[at - 1] ?? 0))),
    indices: left.map((at) => indices?.[at] ?? at),
    drawn: new Set(),
  };
}

/** Index of the first sum above `value`. */
function firstAbove(sums: Float64Array, value: number): number {
  let from = 0;
  // The last, too, if rounding has made the value as large as the total.
  let to = sums.length - 1;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((sums[middle] as number) > value) to = middle;
    else from = middle + 1;
  }
  return from;
}

/** More would cost more than to sort out those that are left. */
const TRIES_MAX = 8;
