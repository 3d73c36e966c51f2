import type { TimeSlices } from "../../primitives/rings/time-slices.js";

/** The text of an answer in slices of a few milliseconds of work each; the last one is what it returns. */
export type Slices = Generator<string, string, void>;

/**
 * An answer's body from its slices: a text where one is enough, else a stream. That makes a slice only when the client
 * has taken those before and others had their turn, so an answer takes no more memory than a slice, and delays nobody.
 */
export function slicedBody(slices: Slices, timeSlices: TimeSlices): string | ReadableStream<Uint8Array> {
  const first = slices.next();
  if (first.done) return first.value;
  let next: IteratorResult<string, string> | undefined = first;
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        await timeSlices.take();
        const { value, done } = next ?? slices.next();
        next = undefined;
        controller.enqueue(encoder.encode(value));
        if (done) controller.close();
      },
      cancel: () => void slices.return(""),
    },
    { highWaterMark: 0 },
  );
}

const encoder = new TextEncoder();
