import { Access, type AccessSettings, type AccessWorld } from "../../src/access/access.js";
import type { Grant } from "../../src/access/grants.js";
import type { Limits } from "../../src/access/grants-schema.js";
import { digestOf } from "../../src/access/key-ring.js";
import { systemClock } from "../../src/clock.js";

/** Grants, and perhaps limits, by the key that has them; the id of a key is the key without what makes it a secret. */
export type Keys = Readonly<Record<string, readonly Grant[] | Limited>>;

interface Limited {
  readonly grants: readonly Grant[];
  readonly limits: Limits;
}

/** A keys file in memory, and access by it. */
export interface TestAccess extends Disposable {
  readonly access: Access;
  /** Replaces all keys, as if the file had changed and SIGHUP had come. */
  replace(keys: Keys): Promise<void>;
}

export const secretOf = (id: string): string => `quorate_secret-of-${id}`;
export const bearer = (id: string): { authorization: string } => ({
  authorization: `Bearer ${secretOf(id)}`,
});

export const EVERYTHING: Grant = {
  namespace: "*",
  kinds: ["*"],
  names: ["*"],
  actions: ["read", "use", "operate"],
};

export async function accessBy(
  keys: Keys,
  settings: AccessSettings = {},
  world: Partial<AccessWorld> = {},
): Promise<TestAccess> {
  const file = { text: textOf(keys), version: 0 };
  const log = { info: () => {}, error: () => {} };
  const access = new Access(
    { keysFile: "keys.json", ...settings },
    {
      clock: systemClock,
      log,
      files: { signature: async () => String(file.version), read: async () => file.text },
      ...world,
    },
  );
  await access.start();
  return {
    access,
    replace: async (next) => {
      Object.assign(file, { text: textOf(next), version: file.version + 1 });
      await access.reload();
    },
    [Symbol.dispose]: () => access.close(),
  };
}

function textOf(keys: Keys): string {
  const entries = Object.entries(keys).map(([id, entry]) => ({
    id,
    sha256: [digestOf(secretOf(id))],
    ...("grants" in entry ? entry : { grants: entry }),
  }));
  return JSON.stringify({ keys: entries });
}
