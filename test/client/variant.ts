import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type * as Client from "../../src/client/quorate.js";

const root = fileURLToPath(new URL("../../src/client/", import.meta.url));

/** The client with one piece of its source replaced: a mistake that a test must catch. */
export async function wrongVariant(file: string, right: string, wrong: string): Promise<typeof Client> {
  const { outputFiles } = await build({
    entryPoints: [`${root}quorate.ts`],
    bundle: true,
    write: false,
    format: "esm",
    plugins: [
      {
        name: "mistake",
        setup: ({ onLoad }) => {
          onLoad({ filter: /\.ts$/ }, async ({ path }) => {
            const text = await readFile(path, "utf8");
            if (path !== root + file) return { contents: text, loader: "ts" };
            if (!text.includes(right)) throw new Error(`${file} has no ${right}`);
            return { contents: text.replace(right, wrong), loader: "ts" };
          });
        },
      },
    ],
  });
  const code = Buffer.from(outputFiles[0]?.contents ?? []).toString("base64");
  return (await import(`data:text/javascript;base64,${code}`)) as typeof Client;
}
