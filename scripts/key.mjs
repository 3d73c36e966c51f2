// Makes a key for a client, and prints it once with its entry for the keys file.
//
//   npm run -s key -- --id team-a
//
// Plain JavaScript without packages: it runs where only what the service itself needs is installed.
import { createHash, randomBytes } from "node:crypto";
import { parseArgs } from "node:util";

const USAGE = "npm run -s key -- --id team-a";
/** As src/access/grants-schema.ts has it. */
const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

process.exitCode = main();

function main() {
  let id;
  try {
    ({ id } = parseArgs({ options: { id: { type: "string" } } }).values);
  } catch {
    return wrong(`the only option is --id: ${USAGE}`);
  }
  if (id === undefined) return wrong(`--id is missing: ${USAGE}`);
  if (!ID.test(id)) {
    return wrong("--id must be 1 to 64 of A-Z a-z 0-9 . _ - that begin with a letter or digit");
  }
  // The prefix is for people, and for programs that look for secrets that leaked.
  const key = `quorate_${randomBytes(32).toString("base64url")}`;
  const digest = createHash("sha256").update(key).digest("hex");
  process.stdout.write(`${key}

# This was the key of ${id}, which is shown only now: keep it as a secret.
# Its entry for the file that QUORATE_KEYS_FILE names, where only its digest stands; edit the grants:
keys:
  - id: "${id}"
    sha256: ["${digest}"]
    grants:
      - {namespace: default, kinds: [locks], names: ["${id}-*"], actions: [read, use]}
`);
  return 0;
}

function wrong(why) {
  process.stderr.write(`quorate: ${why}\n`);
  return 1;
}
