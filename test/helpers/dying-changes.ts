import { type Connect, connectByIoredis } from "../../src/redis/connection.js";
import { BATCHES, SCRIPTS } from "../../src/scripts/scripts.js";

/** Half of a change of a register. */
export type Half = "prepare-register" | "accept-register";

/** When an instance dies. */
export interface Death {
  readonly half: Half;
  /** How many primaries still get this half; nobody hears what they said. */
  readonly reached: number;
  /** Of which register, by its key in the primaries, and in which of its changes from now on; of the next one of any if nothing is said. */
  readonly of?: { readonly key: string; readonly nth: number };
}

/** The connections of an instance that dies in a change of a register. */
export function dyingInChange() {
  let death: Death | null = null;
  let isDead = false;
  let die = () => {};
  const died = new Promise<void>((resolve) => {
    die = resolve;
  });
  const places = new Map<string, number>();
  const connect: Connect = (url, options) => {
    const place = places.get(url) ?? places.set(url, places.size).size - 1;
    const real = connectByIoredis(url, options);
    let changes = 0;
    const isLast = (name: string, args: readonly unknown[]): boolean => {
      if (!death || name !== "EVALSHA" || !sha1sOf(death.half).includes(args[0])) return false;
      const { of } = death;
      if (!of) return true;
      if (args.includes(of.key)) changes += 1;
      return args.includes(of.key) && changes === of.nth;
    };
    return {
      get ready() {
        return real.ready;
      },
      onChange: (listener) => real.onChange(listener),
      close: () => real.close(),
      call: async (name, ...args) => {
        const last = isLast(name, args);
        if (!last && !isDead) return real.call(name, ...args);
        isDead = true;
        die();
        if (last && place < (death?.reached ?? 0)) await real.call(name, ...args);
        throw new Error("it has died");
      },
    };
  };
  return {
    connect,
    /** Resolves then. */
    died,
    /** From now on. */
    dieAt: (at: Death) => {
      death = at;
    },
  };
}

/** Of the script, and of the one that runs it several times. */
const sha1sOf = (half: Half): readonly unknown[] => [SCRIPTS[half].sha1, BATCHES.get(half)?.sha1];
