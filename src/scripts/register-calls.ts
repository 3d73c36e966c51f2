import { type Ballot, NO_BALLOT } from "../algorithms/ballot.js";
import type { Copy } from "../algorithms/register.js";
import type { Keys } from "./keys.js";
import { groupOf, TRANSACTIONS } from "./register-kinds.js";
import { type Call, isOne, scriptCall } from "./scripts.js";

/** A primary's reply to `prepareRegister`. */
export type RegisterPromise =
  | {
      readonly kind: "promised";
      /** Below it this primary takes part in no change of any register. */
      readonly floor: Ballot;
      /** Its clock, ms since 1970. */
      readonly nowMs: number;
      readonly copy: Copy | null;
    }
  /** It has promised a ballot as high or higher. */
  | { readonly kind: "refused"; readonly promised: Ballot };

export function prepareRegister(keys: Keys, name: string, ballot: Ballot): Call<RegisterPromise> {
  return scriptCall(
    "prepare-register",
    [keys.register(name), keys.registersGone],
    [ballot, name],
    (reply) => {
      const [promised, floor, nowMs, ...copy] = reply as [number, Ballot, string, ...unknown[]];
      if (promised !== 1) return { kind: "refused", promised: floor };
      return { kind: "promised", floor, nowMs: Number(nowMs), copy: toCopy(copy) };
    },
  );
}

/** A version of a register as it is proposed. */
export type Proposal = Omit<Copy, "accepted" | "promised" | "isCopied">;

/** Null if accepted, else the higher ballot that was promised. */
export function acceptRegister(
  keys: Keys,
  name: string,
  ballot: Ballot,
  proposal: Proposal,
): Call<Ballot | null> {
  const { etag, leftMs, isLive, text } = proposal;
  const left = leftMs === null ? "" : Math.ceil(leftMs);
  return scriptCall(
    "accept-register",
    [keys.register(name), keys.registersGone, keys.registers, keys.registersEnding],
    [ballot, name, etag, left, isLive ? "1" : "0", text, keys.registerChannel(groupOf(name))],
    (reply) => {
      const [accepted, promised] = reply as [number, Ballot];
      return accepted === 1 ? null : promised;
    },
  );
}

/** Null: nothing was accepted. `promises`: then also what was only promised, with `NO_BALLOT` as accepted. */
export function readRegister(keys: Keys, name: string, promises = false): Call<Copy | null> {
  return scriptCall("read-register", [keys.register(name)], [promises ? "1" : "0"], (reply) =>
    toCopy((reply as unknown[]).slice(1)),
  );
}

/** Null: there are no fields. */
function toCopy(fields: readonly unknown[]): Copy | null {
  if (fields.length === 0) return null;
  const [promised, accepted, etag, left, live, copied, text] = fields as string[];
  return {
    promised: promised as Ballot,
    accepted: accepted as Ballot,
    etag: etag as Ballot,
    leftMs: left === "" ? null : Number(left),
    isLive: live === "1",
    isCopied: copied === "1",
    text: text as string,
  };
}

/** What is to be done about the registers of a primary. */
export interface DueRegisters {
  /** Names of registers whose version has ended by its clock. */
  readonly ended: readonly string[];
  /** Names of registers that were deleted, or only promised, a while ago. */
  readonly gone: readonly string[];
  /** How many such registers there are, whenever that was. */
  readonly goneCount: number;
  /** How many of its registers are transactions, decided ones and what is left of them included. */
  readonly transactions: number;
}

/** `most`: at most so many of each. */
export function dueRegisters(keys: Keys, goneForMs: number, most: number): Call<DueRegisters> {
  const used = [keys.registersGone, keys.registersEnding, keys.registers];
  return scriptCall("due-registers", used, [goneForMs, most, ...TRANSACTIONS], (reply) => {
    const [goneCount, transactions, ended, ...names] = reply as [number, number, number, ...string[]];
    return { goneCount, transactions, ended: names.slice(0, ended), gone: names.slice(ended) };
  });
}

/** Names of registers between these two, in their order; a name may be that of one that was deleted. */
export function registerNames(
  keys: Keys,
  [first, end]: readonly [string, string],
  most: number,
): Call<readonly string[]> {
  return scriptCall("register-names", [keys.registers], [first, end, most], (reply) => reply as string[]);
}

/** Returns the floor from now on. */
export function raiseRegisterFloor(floor: Ballot): Call<Ballot> {
  return scriptCall("raise-register-floor", [], [floor], (reply) => (reply as [Ballot])[0]);
}

/**
 * Whether nothing is left of it. `accepted`: what the primary has accepted last; null: nothing. `untilMs`: it stays until then by
 * the primary's clock, ms since 1970.
 */
export function removeRegister(
  keys: Keys,
  name: string,
  accepted: Ballot | null,
  untilMs: number,
): Call<boolean> {
  const used = [keys.register(name), keys.registersGone, keys.registers];
  return scriptCall("remove-register", used, [name, accepted ?? NO_BALLOT, untilMs], isOne);
}

/** `copy`: what another primary has promised and accepted. */
export function restoreRegister(
  keys: Keys,
  name: string,
  { promised, accepted, etag, leftMs, isLive, text }: Omit<Copy, "isCopied">,
): Call<void> {
  return scriptCall(
    "restore-register",
    [keys.register(name), keys.registersGone, keys.registers, keys.registersEnding],
    [name, promised, accepted, etag, leftMs === null ? "" : leftMs, isLive ? "1" : "0", text],
  );
}

/** Whether they were dropped: not if the copy has begun. `keys`: of registers, and of what is known of them. */
export function dropRegisters(keys: readonly string[], isLast = false): Call<boolean> {
  return scriptCall("drop-registers", keys, [isLast ? "1" : "0"], isOne);
}
