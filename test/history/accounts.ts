import type { Chance } from "../simulation/random.js";
import type { Found, Outcome, Request } from "./operation.js";

// Accounts between which clients move money: registers that change together.

export type Transfer = Extract<Request, { kind: "transfer" }>;

/** All of a bank. */
export const ACCOUNTS: readonly string[] = ["a1", "a2", "a3"];
/** Of each when it is made. */
export const BALANCE = 100;

/** At one moment. */
export const readingAll = (accounts: readonly string[]): Transfer => ({
  kind: "transfer",
  checks: [],
  reads: accounts,
  puts: [],
});

/** From one account to another, or where there are none yet all of them. Null: what is known does not fit together. */
export function moveOf(
  accounts: readonly string[],
  known: ReadonlyMap<string, Found | null>,
  chance: Chance,
): Transfer | null {
  const all = accounts.map((key) => ({ key, account: known.get(key) ?? null }));
  if (all.every(({ account }) => account === null))
    return {
      kind: "transfer",
      checks: accounts.map((key) => ({ key, etag: null })),
      reads: [],
      puts: accounts.map((key) => ({ key, value: String(BALANCE) })),
    };
  const from = chance.pick(all);
  const to = chance.pick(all.filter(({ key }) => key !== from.key));
  if (!from.account || !to.account) return null;
  const amount = chance.whole(1, 20);
  return {
    kind: "transfer",
    checks: [
      { key: from.key, etag: from.account.etag },
      { key: to.key, etag: to.account.etag },
    ],
    reads: chance.happens(0.3) ? [from.key] : [],
    puts: [
      { key: from.key, value: String(Number(from.account.value) - amount) },
      { key: to.key, value: String(Number(to.account.value) + amount) },
    ],
  };
}

/** What a client knows from now on: nothing of what may have changed. */
export function noteTransfer(known: Map<string, Found | null>, outcome: Outcome): void {
  if (outcome.kind !== "transferred" || Object.keys(outcome.changed).length > 0) known.clear();
  if (outcome.kind !== "transferred") return;
  if (Object.keys(outcome.changed).length > 0) return;
  for (const [key, version] of Object.entries(outcome.found ?? {})) known.set(key, version);
}
