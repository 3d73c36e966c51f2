import { ACCOUNTS, moveOf, noteTransfer, readingAll, type Transfer } from "../../history/accounts.js";
import type { Found, Outcome, Version } from "../../history/operation.js";
import type { Reply } from "../cluster/http.js";
import { type Asker, keyHeader, Requests } from "./asking.js";
import { failed } from "./lock-service.js";

/** Moves money between the accounts of a bank, by what it saw last, reads all of them at one moment, and looks at single ones. */
export async function moveMoney(user: Asker, bankOf: () => string): Promise<void> {
  const { chance, signal, id } = user;
  using requests = new Requests(user);
  const known = new Map<string, Found | null>();
  let bank = "";
  for (let turn = 0; !signal.aborted; turn++) {
    if (bank !== bankOf()) known.clear();
    bank = bankOf();
    const accounts = ACCOUNTS.map((account) => `${bank}/${account}`);
    const move = known.size === accounts.length && chance.happens(0.6) && moveOf(accounts, known, chance);
    if (move) {
      const keyed = chance.happens(0.5) ? { ...move, idempotencyKey: `${id}-${turn}` } : move;
      noteTransfer(known, await transfer(requests, keyed, keyed.idempotencyKey === undefined ? 1 : 2));
    } else if (chance.happens(0.5)) {
      noteTransfer(known, await transfer(requests, readingAll(accounts), 1));
    } else {
      const key = chance.pick(accounts);
      const path = `/v1/registers/${encodeURIComponent(key)}`;
      const seen = await requests.ask({ kind: "look", key }, { method: "GET", path }, lookedAt);
      if (seen.kind === "found") known.set(key, seen.version);
    }
    await requests.think();
  }
}

function transfer(requests: Requests, request: Transfer, triesMax: number): Promise<Outcome> {
  const { checks, reads, puts, idempotencyKey } = request;
  const sent = {
    method: "POST",
    path: "/v1/registers/transactions",
    body: { checks, reads, changes: puts },
    headers: keyHeader(idempotencyKey),
  };
  return requests.insist(request, sent, (reply) => transferred(request, reply), triesMax);
}

interface Told {
  readonly key: string;
  readonly version: number | null;
  readonly etag: string | null;
  readonly value?: string;
}

function transferred({ checks }: Transfer, { status, code, body }: Reply): Outcome {
  if (code === "version_mismatch") {
    const { field, version, etag } = body as { field: string; version?: number; etag?: string };
    const key = checks[Number(field.split(".")[1])]?.key ?? "";
    return { kind: "unlike", key, current: etag === undefined ? null : { number: version ?? 0, etag } };
  }
  if (status !== 200) return failed(status, code);
  const { changes, reads, repeated } = body as {
    changes: readonly Told[];
    reads: readonly Told[];
    repeated: boolean;
  };
  return {
    kind: "transferred",
    changed: Object.fromEntries(changes.flatMap((one) => withKey(one, versionIn(one) ?? undefined))),
    found: repeated ? null : Object.fromEntries(reads.flatMap((one) => withKey(one, foundIn(one)))),
  };
}

const withKey = <T>({ key }: Told, value: T | undefined): (readonly [string, T])[] =>
  value === undefined ? [] : [[key, value]];

function versionIn({ version, etag }: Told): Version | null {
  return version === null || etag === null ? null : { number: version, etag };
}

function foundIn(told: Told): Found | null {
  const version = versionIn(told);
  return version && { ...version, value: told.value ?? "" };
}

function lookedAt({ status, code, body, etag }: Reply): Outcome {
  if (code === "not_found") return { kind: "found", version: null };
  if (status !== 200) return failed(status, code);
  return { kind: "found", version: { number: body.version, etag: etag ?? "", value: body.value } };
}
