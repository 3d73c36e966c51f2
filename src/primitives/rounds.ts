/**
 * Asks once for all who want to know the same at the same time. Who comes while an answer is under way waits for the next
 * one, which is asked for when that is there: so no answer is older than the question, and of each kind one question at a
 * time is under way.
 */
export class Rounds<A> {
  readonly #underWay = new Map<string, Promise<void>>();
  readonly #next = new Map<string, Promise<A>>();

  /** `kind`: questions of one kind have one answer. */
  ask(kind: string, question: () => Promise<A>): Promise<A> {
    const next = this.#next.get(kind);
    if (next) return next;
    const underWay = this.#underWay.get(kind);
    if (!underWay) return this.#begin(kind, question);
    const mine = underWay.then(() => {
      this.#next.delete(kind);
      return this.#begin(kind, question);
    });
    this.#next.set(kind, mine);
    return mine;
  }

  #begin(kind: string, question: () => Promise<A>): Promise<A> {
    const answer = question();
    const over = answer
      .then(
        () => {},
        () => {},
      )
      .then(() => {
        if (this.#underWay.get(kind) === over) this.#underWay.delete(kind);
      });
    this.#underWay.set(kind, over);
    return answer;
  }
}
