import type { Define } from "../invocation.js";

export const define: Define = (command) => command.argument("<name>").action(() => {});
