import { type Ballot, NO_BALLOT } from "../algorithms/ballot.js";
import type { Copy } from "../algorithms/register.js";
import type { Keys } from "./keys.js";
import { groupOf, TRANSACTIONS } from "./register-kinds.js";
import { type Call, isOne, scriptCall } from "./scripts.js";
import { BALLOT, copyIn } from "./stored-register.js";

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
    [ballot, keys.registerPrefixBytes],
    toPromise,
  );
}

function toPromise(reply: unknown): RegisterPromise {
  const [promised, moment, stored] = reply as [number, string, string];
  if (promised !== 1) return { kind: "refused", promised: moment };
  const nowMs = Number(moment.slice(BALLOT));
  return { kind: "promised", floor: moment.slice(0, BALLOT), nowMs, copy: acceptedIn(stored, nowMs) };
}

/** Null: nothing was accepted, only promised, if that. */
function acceptedIn(stored: string, nowMs: number): Copy | null {
  const copy = stored === "" ? null : copyIn(stored, nowMs);
  return copy?.accepted === NO_BALLOT ? null : copy;
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
    [
      ballot,
      keys.registerPrefixBytes,
      // Most are: then it is the same for all calls of a batch.
      etag === ballot ? "" : etag,
      left,
      isLive ? "1" : "0",
      text,
      keys.registerChannel(groupOf(name)),
    ],
    toAccepted,
  );
}

function toAccepted(reply: unknown): Ballot | null {
  const [accepted, promised] = reply as [number, Ballot];
  return accepted === 1 ? null : promised;
}

/**
 * Null: nothing was accepted. `promises`: then also what was only promised, with `NO_BALLOT` as accepted; what was promised is
 * the floor of ballots at least.
 */
export function readRegister(keys: Keys, name: string, promises = false): Call<Copy | null> {
  return scriptCall(
    "read-register",
    [keys.register(name)],
    [promises ? "1" : "0"],
    promises ? toCopy : toAcceptedCopy,
  );
}

function toCopy(reply: unknown): Copy | null {
  const [isThere, stored, nowMs] = reply as [number, string, string];
  return isThere === 1 ? copyIn(stored, Number(nowMs)) : null;
}

function toAcceptedCopy(reply: unknown): Copy | null {
  const [isThere, stored, nowMs] = reply as [number, string, string];
  return isThere === 1 ? acceptedIn(stored, Number(nowMs)) : null;
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

/** What shows whether two primaries have the same of some registers. */
export interface RegistersDigest {
  /** The same where they have, but for the times that their versions have left. */
  readonly digest: string;
  /** Places of those whose version ends. */
  readonly ending: readonly number[];
}

export function digestRegisters(keys: Keys, names: readonly string[]): Call<RegistersDigest> {
  return scriptCall("digest-registers", names.map(keys.register), [], (reply) => {
    const [digest, ...ending] = reply as [string, ...number[]];
    return { digest, ending: ending.map((number) => number - 1) };
  });
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
