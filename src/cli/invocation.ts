import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { type Deployment, Transport } from "../client/transport.js";
import { systemWorld } from "../client/world.js";
import { wrongUse } from "./failure.js";

/** The options that every command which asks the service has. */
export interface CommonOptions {
  readonly url?: string;
  readonly namespace?: string;
  readonly json?: boolean;
}

/** What the command line and the environment say, beside the options of one command. */
export interface Invocation {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What comes after `--`. Undefined: there is no `--`. */
  readonly command: readonly string[] | undefined;
}

/** A file of commands/: adds its arguments, options, help and action. */
export type Define = (command: Command, invocation: Invocation) => void;

/** Where to ask, and as whom. Throws wrong use, in one line. */
export function deploymentOf({ url, namespace }: CommonOptions, env: Invocation["env"]): Deployment {
  const of = url === undefined ? "QUORATE_URL" : "--url";
  const text = url ?? (env.QUORATE_URL?.trim() || "http://127.0.0.1:8080");
  const urls = text.split(",").map((each) => instanceUrl(each.trim(), of));
  return { urls, key: keyOf(env), namespace: namespace ?? (env.QUORATE_NAMESPACE?.trim() || undefined) };
}

/** For requests that `Quorate` has no method for: `send({ method, path, ...limits({}) })`. */
export function transportOf(options: CommonOptions, env: Invocation["env"]): Transport {
  return new Transport(deploymentOf(options, env), systemWorld);
}

/** The same for what no namespace has: the primaries. */
export function transportOfDeployment(options: CommonOptions, env: Invocation["env"]): Transport {
  return new Transport({ ...deploymentOf(options, env), namespace: undefined }, systemWorld);
}

function instanceUrl(text: string, of: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol))
    throw wrongUse(`${of}: "${text}" is no URL of an instance, such as http://127.0.0.1:8080`);
  // Not repeated: it may be a secret.
  if (url.username || url.password) throw wrongUse(`${of}: a URL must not have a user or password. ${KEY}`);
  if (url.search || url.hash) throw wrongUse(`${of}: a URL of an instance has neither ? nor #`);
  return text;
}

function keyOf({ QUORATE_KEY, QUORATE_KEY_FILE }: Invocation["env"]): string | undefined {
  const key = QUORATE_KEY?.trim() || undefined;
  const file = QUORATE_KEY_FILE?.trim() || undefined;
  if (key && file) throw wrongUse("QUORATE_KEY and QUORATE_KEY_FILE are both set: unset one");
  const text = file === undefined ? key : keyIn(file);
  if (text !== undefined && !/^[\x21-\x7e]+$/.test(text))
    throw wrongUse(`the key in ${file === undefined ? "QUORATE_KEY" : file} has spaces, or is not ASCII`);
  return text;
}

function keyIn(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, "utf8").trim();
  } catch (error) {
    throw wrongUse(`QUORATE_KEY_FILE cannot be read: ${(error as Error).message}`);
  }
  if (text === "") throw wrongUse(`QUORATE_KEY_FILE names ${file}, which is empty`);
  return text;
}

/** Where a key belongs. */
export const KEY = "Put the key into QUORATE_KEY, or the name of its file into QUORATE_KEY_FILE";
