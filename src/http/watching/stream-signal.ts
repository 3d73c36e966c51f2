import type { Stopping } from "../server/stopping.js";

/**
 * A signal that aborts when the reader of a stream has gone, or the service stops. Made once for the whole stream: for each event
 * it would cost as much as the event. `over` must be called.
 */
export function streamSignal(
  stopping: Pick<Stopping, "during">,
  gone: AbortSignal,
): { readonly signal: AbortSignal; readonly over: () => void } {
  let over = () => {};
  let signal = gone;
  void stopping.during(gone, (both) => {
    signal = both;
    return new Promise<void>((resolve) => {
      over = resolve;
    });
  });
  return { signal, over };
}
