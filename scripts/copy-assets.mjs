// tsc copies nothing but code: the Lua scripts go to dist by hand, to the same place beside their modules.
import { cp } from "node:fs/promises";

await cp("src", "dist", {
  recursive: true,
  filter: (path) => !/\.[^/\\]+$/.test(path) || path.endsWith(".lua"),
});
