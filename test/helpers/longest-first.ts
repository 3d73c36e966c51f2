import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * Starts with the files that wait longest, whatever else there is to do: begun last, they would leave all other workers
 * without work. vitest knows that only where it ran before, which a fresh clone did not.
 */
export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const found = LONGEST.findIndex((name) => moduleId.endsWith(name));
      return found < 0 ? LONGEST.length : found;
    };
    return (await super.sort(files)).sort((one, other) => place(one) - place(other));
  }
}

const LONGEST = [
  "test/faults/faults.test.ts",
  "test/proxies.test.ts",
  "test/rolling.test.ts",
  "test/examples/locks.test.ts",
  "test/examples/javascript.test.ts",
  "test/main.test.ts",
  "test/primitives/waiting.test.ts",
  "test/redis/readmission.test.ts",
  "test/redis/cold-start.test.ts",
  "test/redis/refusals.test.ts",
  "test/primitives/semaphore-crowd.test.ts",
  "test/http/overload.test.ts",
];
