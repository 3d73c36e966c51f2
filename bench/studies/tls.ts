/**
 * The cost of HTTPS on connections that are kept alive: `two-instances.ts`, of which one speaks TLS. With `--what probes` what
 * TLS itself takes shows even on a busy machine.
 *   npx tsx bench/studies/tls.ts [--what locks|probes] [--seconds 1.5] [--rounds 20] [--clients 32]
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { authority } from "../../test/helpers/certificates.js";
import { COMPARISON_OPTIONS, compareInstances, optionsOf } from "./two-instances.js";

const options = optionsOf(parseArgs({ options: COMPARISON_OPTIONS }).values);
const dir = await mkdtemp(join(tmpdir(), "quorate-tls-"));
try {
  const { cert, key } = await (await authority("bench")).issue("localhost");
  await Promise.all([writeFile(join(dir, "cert"), cert), writeFile(join(dir, "key"), key)]);
  const env = { QUORATE_TLS_CERT: join(dir, "cert"), QUORATE_TLS_KEY: join(dir, "key") };
  await compareInstances({ name: "plain", env: {} }, { name: "tls", env }, options);
} finally {
  await rm(dir, { recursive: true });
}
