import { type History, type Operation, ofKind } from "./operation.js";

/** The election by consensus that all candidates for it stand for. */
export const OFFICE = "office";

/** Its candidates wait in no order. */
export function withoutOffices(history: History): History {
  return { ...history, operations: history.operations.filter((one) => !isOfOffice(one)) };
}

const isOfOffice = ({ request }: Operation) => "name" in request && request.name === OFFICE;

/**
 * Without what was told of the office once a majority of the primaries had lost data: like every register it may then be as it was
 * before. What was asked before that is kept, as having no answer: others may have been told of it.
 */
export function withoutLostOffices(history: History): History {
  const lost = ofKind(history.events, "majority_lost").map(({ atMs }) => atMs);
  const lostMs = Math.min(...lost);
  const operations = history.operations.flatMap((one) => {
    if (!isOfOffice(one) || (one.endMs ?? Number.POSITIVE_INFINITY) < lostMs) return [one];
    return one.startMs < lostMs ? [{ ...one, endMs: null, outcome: null }] : [];
  });
  return { ...history, operations };
}
