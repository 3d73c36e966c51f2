import type { Command } from "commander";
import { type CommonOptions, type Define, type Invocation, transportOf } from "../invocation.js";
import { elections } from "../kinds/elections.js";
import { getAll } from "../kinds/get-all.js";
import type { Kind } from "../kinds/kind.js";
import { locks } from "../kinds/locks.js";
import { membersOf } from "../kinds/members.js";
import { getOwners } from "../kinds/owners.js";
import { registers } from "../kinds/registers.js";
import { semaphores } from "../kinds/semaphores.js";
import { whole } from "../options.js";

export const define: Define = (command, { env }) => {
  command
    .description(
      "Prints who holds locks and permits, who leads, what registers have, which members a service has, and who owns keys. --json: what the API answers, one JSON text for each name.",
    )
    .addHelpText("after", EXAMPLES);
  named(command, "locks", "who holds locks, since when, and how many wait", locks, env);
  named(command, "semaphores", "the limits of semaphores, and who holds their permits", semaphores, env);
  named(command, "elections", "who leads, and what the leaders publish", elections, env);
  named(command, "registers", "values of registers, by their keys", registers, env, "keys");
  command
    .command("members <service> <ids...>")
    .alias("member")
    .summary("members of a service, by their ids")
    .action(async (service: string, ids: string[], _: object, its: Command) => {
      const options = its.optsWithGlobals<CommonOptions>();
      await getAll(transportOf(options, env), membersOf(service), ids, options);
    });
  command
    .command("owners <service> <keys...>")
    .alias("owner")
    .summary("which members of a service own keys; -: the keys are the lines of the standard input")
    .option("--replicas <n>", "how many members to name for each key, the owner first", whole(1))
    .action(async (service: string, keys: string[], _: object, its: Command) => {
      const options = its.optsWithGlobals<CommonOptions & { readonly replicas?: number }>();
      await getOwners(transportOf(options, env), service, keys, options);
    });
};

function named<T>(
  command: Command,
  name: string,
  summary: string,
  kind: Kind<T>,
  env: Invocation["env"],
  by = "names",
): void {
  command
    .command(`${name} <${by}...>`)
    .alias(name.slice(0, -1))
    .summary(summary)
    .action(async (names: string[], _: object, its: Command) => {
      const options = its.optsWithGlobals<CommonOptions>();
      await getAll(transportOf(options, env), kind, names, options);
    });
}

const EXAMPLES = `
Examples:
  quorate get lock orders-42                    who holds it
  quorate get elections billing search --json   two JSON texts
  quorate get register config/region --json     with its ETag, for quorate set
  quorate get members search search-1           one member of the service search
  quorate get owners search user:42 user:43     who owns these keys
  quorate get owners search - < keys.txt        the same for a file of keys`;
