import { type ParseArgsConfig, parseArgs } from "node:util";
import { z } from "zod";

/**
 * The options of this process's command line, as `schema` has them. On `--help` it ends the process with the usage, and
 * on what cannot be understood with what is wrong, the usage and 2.
 */
export function commandLine<Schema extends z.ZodType>(
  usage: string,
  options: NonNullable<ParseArgsConfig["options"]>,
  schema: Schema,
): z.output<Schema> {
  try {
    const { values } = parseArgs({ options: { ...options, help: { type: "boolean" } } });
    if (!values.help) return schema.parse(values);
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
    console.error(`${reason}\n\n${usage}`);
    process.exit(2);
  }
  console.log(usage);
  process.exit(0);
}

/** A whole number from `min` on. */
export const whole = (min: number) => z.coerce.number().int().min(min);
