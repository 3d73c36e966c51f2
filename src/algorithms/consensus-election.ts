/**
 * An election by consensus: what each request makes of the register in which it is kept. Pure. A term begins in the one change
 * that follows the term before, so it has one leader, whatever clocks do. When a leader is taken for dead is a matter of time,
 * and only of that: a leader that lives proves it by another beat, and is not replaced then.
 */
export interface Office {
  /** That of the leader, or of the last one; grows by one with each leader. */
  readonly term: number;
  /** Null: nobody leads. */
  readonly leader: Leader | null;
  /** The lease, as digest, of the last leader that does not lead any more; null: there was none. */
  readonly ended: string | null;
}

export interface Leader {
  /** Digest of its leaseId. */
  readonly lease: string;
  readonly candidate: string | null;
  /** What it publishes, as JSON; empty: nothing. */
  readonly value: string;
  /** How many values it has published since it leads. */
  readonly revision: number;
  /** Grows with each renewal. */
  readonly beat: number;
  /** Where `beat` stands still for this time, ms, others may replace it. */
  readonly ttlMs: number;
  /** When it was elected, in ms since 1970 by the primaries' clocks. Only to be told. */
  readonly sinceMs: number;
}

export interface Candidacy extends Pick<Leader, "lease" | "candidate" | "value" | "ttlMs"> {
  /** The beat that was seen to stand still for as long as its leader had asked for; null: none was. */
  readonly still: Beat | null;
}

export interface Beat {
  readonly term: number;
  readonly beat: number;
}

export type Stood =
  | { readonly kind: "leads"; readonly next: Office & { readonly leader: Leader } }
  /** By another. */
  | { readonly kind: "led" }
  /** It led before. */
  | { readonly kind: "ended" };

/** @param nowMs by the primaries' clocks, ms since 1970. */
export function stand(office: Office | null, { still, ...candidacy }: Candidacy, nowMs: number): Stood {
  const leader = office?.leader;
  if (office && leader?.lease === candidacy.lease)
    return { kind: "leads", next: { ...office, leader: beating(leader, candidacy.ttlMs) } };
  if (office?.ended === candidacy.lease) return { kind: "ended" };
  if (office && leader && !isAt(office, leader, still)) return { kind: "led" };
  // As high as tokens of leases are, so that a resource that knows those takes it.
  const term = office ? office.term + 1 : Math.floor(nowMs) * 1_000;
  const elected = { ...candidacy, revision: 0, beat: 0, sinceMs: Math.floor(nowMs) };
  return { kind: "leads", next: { term, leader: elected, ended: leader?.lease ?? office?.ended ?? null } };
}

/** The office after a renewal; null: this lease does not lead. */
export function renewed(office: Office | null, lease: string, ttlMs: number): Office | null {
  return office?.leader?.lease === lease ? { ...office, leader: beating(office.leader, ttlMs) } : null;
}

/** The office after its leader has published another value; null: this lease does not lead. */
export function proclaimed(office: Office | null, lease: string, value: string): Office | null {
  const leader = office?.leader;
  if (!office || leader?.lease !== lease) return null;
  return { ...office, leader: { ...leader, value, revision: leader.revision + 1 } };
}

/** The office after its leader has gone; null: this lease does not lead. */
export function resigned(office: Office | null, lease: string): Office | null {
  return office?.leader?.lease === lease ? { ...office, leader: null, ended: lease } : null;
}

/** As it is stored; null: nobody has led yet. */
export function officeIn(stored: { readonly json: string | null } | null): Office | null {
  return stored?.json == null ? null : (JSON.parse(stored.json) as Office);
}

/** Whether somebody leads in this term. */
export const leadsIn = (office: Office | null, term: number): boolean =>
  office?.leader != null && office.term === term;

function isAt({ term }: Office, { beat }: Leader, still: Beat | null): boolean {
  return still !== null && still.term === term && still.beat === beat;
}

/** Never shortened: the answer to a shorter renewal may be lost. */
function beating(leader: Leader, ttlMs: number): Leader {
  return { ...leader, beat: leader.beat + 1, ttlMs: Math.max(leader.ttlMs, ttlMs) };
}
