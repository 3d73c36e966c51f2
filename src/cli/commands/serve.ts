import type { Define } from "../invocation.js";

export const define: Define = (command) =>
  command
    .description(
      "Starts an instance of the service, as `npm start` does in a checkout. Its settings come from the environment and from .env: PORT, REDIS_URLS and others. Without REDIS_URLS it starts three Redis servers of its own, for trying it out.",
    )
    .addHelpText(
      "after",
      `
Examples:
  quorate serve
  REDIS_URLS=redis://a:6379,redis://b:6379,redis://c:6379 PORT=8080 quorate serve`,
    )
    // main.ts serves as soon as it is loaded.
    .action(async () => void (await import("../../main.js")));
