/**
 * The name of a lock for a resource of redlock, which may be any text. A resource that is a name stays as it is, so that
 * other clients can use it; others are escaped, each to a name of its own. Throws where the name would be too long.
 */
export function nameOf(resource: string): string {
  if (NAME.test(resource) && !resource.startsWith(ESCAPED)) return resource;
  const bytes = [...new TextEncoder().encode(resource)];
  const name = ESCAPED + bytes.map(escaped).join("");
  if (!NAME.test(name))
    throw new RangeError(
      `The resource ${JSON.stringify(resource)} is too long: its name would be ${name}, and a name has 128 characters at most.`,
    );
  return name;
}

/** What the service takes as a name. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;
const ESCAPED = "redlock:";

/** `_` and two hexadecimal digits for what a name cannot have, and for `_` itself. */
function escaped(byte: number): string {
  const sign = String.fromCharCode(byte);
  return /[A-Za-z0-9.:-]/.test(sign) ? sign : `_${byte.toString(16).padStart(2, "0")}`;
}
