/**
 * Lets a signal call `look`, which may abort it, whenever somebody looks at it. While the event loop is blocked no timer can
 * abort a signal, and work that never gives way, such as `while (!signal.aborted) step()`, would go on for ever.
 */
export function watchful(signal: AbortSignal, look: () => void): AbortSignal {
  const property = (name: "aborted" | "reason") => {
    const get = Object.getOwnPropertyDescriptor(AbortSignal.prototype, name)?.get;
    return {
      configurable: true,
      get: () => {
        look();
        return get?.call(signal);
      },
    };
  };
  return Object.defineProperties(signal, {
    aborted: property("aborted"),
    reason: property("reason"),
    throwIfAborted: {
      configurable: true,
      value: () => {
        look();
        AbortSignal.prototype.throwIfAborted.call(signal);
      },
    },
  });
}
