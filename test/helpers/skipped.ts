import type { Reporter, TestModule, Vitest } from "vitest/node";

/**
 * Names, at the end of a run, the tests that were skipped: what a machine lacks is easily taken for tested. The titles
 * say why.
 */
export default class SkippedTests implements Reporter {
  #vitest: Vitest | undefined;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    // Whoever names tests does not want to hear of all others.
    if (this.#vitest?.getGlobalTestNamePattern() !== undefined) return;
    const skipped = modules.flatMap((module) =>
      [...module.children.allTests("skipped")].flatMap((test) => {
        const result = test.result();
        const note = result.state === "skipped" ? result.note : undefined;
        // Those that a hook which failed has kept from running are no such tests.
        if (test.options.mode !== "skip" && note === undefined) return [];
        return [`  ${module.relativeModuleId} > ${test.fullName}${note ? ` (${note})` : ""}`];
      }),
    );
    if (skipped.length === 0) return;
    console.log(`\n${skipped.length} tests were skipped here:\n${skipped.join("\n")}\n`);
  }
}
