import { wrongUse } from "../failure.js";

/** Throws wrong use where commands cannot be run safely. */
export function checkPlatform(name: string): void {
  if (process.platform === "win32")
    throw wrongUse(`${name} needs Linux, macOS or WSL: Windows has no groups of processes`);
}
