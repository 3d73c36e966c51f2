/** Counts what is under way by key and namespace. An entry lasts as long as something is: idle keys take no memory. */
export class Usage<Counted extends string = string> {
  readonly #counts = new Map<string, number>();

  /**
   * Counts one more; the returned function ends it, and may be called again. Undefined: there are as many as `max`
   * already. Without a `max` they are only counted.
   */
  enter(keyId: string, namespace: string, what: Counted, max: number | undefined): (() => void) | undefined {
    const place = `${what} ${placeOf(keyId, namespace)}`;
    const count = this.#counts.get(place) ?? 0;
    if (max !== undefined && count >= max) return undefined;
    this.#counts.set(place, count + 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      const rest = (this.#counts.get(place) ?? 1) - 1;
      if (rest > 0) this.#counts.set(place, rest);
      else this.#counts.delete(place);
    };
  }

  count(keyId: string, namespace: string, what: Counted): number {
    return this.#counts.get(`${what} ${placeOf(keyId, namespace)}`) ?? 0;
  }

  /** Entries that are kept. */
  get size(): number {
    return this.#counts.size;
  }
}

/** Neither has a control character. */
export const placeOf = (keyId: string, namespace: string): string => `${keyId}\0${namespace}`;
