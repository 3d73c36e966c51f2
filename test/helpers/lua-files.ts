import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";

const LUA = fileURLToPath(new URL("../../src/scripts/lua/", import.meta.url));
const paths = readdirSync(LUA, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".lua"));

/** The names of all Lua files below a folder of src/scripts/lua/, or of those in all folders; no two have one name. */
export function luaNames(folder = ""): string[] {
  return paths.filter((path) => path.startsWith(folder)).map((path) => basename(path, ".lua"));
}

/** The text of the Lua file with this name, whichever folder it is in. */
export function luaText(name: string): string {
  const path = paths.find((one) => basename(one, ".lua") === name);
  if (path === undefined) throw new Error(`there is no ${name}.lua`);
  return readFileSync(LUA + path, "utf8");
}
