import { expect, onTestFinished, test, vi } from "vitest";
import { Signals } from "../../src/cli/running/signals.js";

test("Ctrl-Z stops this process only when the command has been told to stop: after that it could not tell it", async () => {
  const kill = vi.spyOn(process, "kill").mockReturnValue(true);
  const events = process
    .eventNames()
    .map((name) => [name, process.listeners(name as NodeJS.Signals)] as const);
  onTestFinished(() => {
    kill.mockRestore();
    process.removeAllListeners();
    for (const [name, listeners] of events) for (const each of listeners) process.on(name, each);
  });
  const signals = new Signals();
  const told: NodeJS.Signals[] = [];
  let sent: () => void = () => {};
  signals.passTo((signal) => {
    told.push(signal);
    return new Promise((resolve) => {
      sent = resolve;
    });
  });

  process.emit("SIGTSTP", "SIGTSTP");
  await new Promise(setImmediate);
  expect(told).toEqual(["SIGSTOP"]);
  expect(kill).not.toHaveBeenCalled();
  sent();
  await new Promise(setImmediate);
  expect(kill).toHaveBeenCalledWith(process.pid, "SIGSTOP");
});
