/** A command for a primary. User, password and TLS are left to whoever runs it: the service tells no secrets. */
export function redisCli(address: string, ...command: readonly string[]): string {
  return ["redis-cli", "-u", `redis://${address}`, ...command].map(quoted).join(" ");
}

/** A command to be run on the machine of an instance or a primary. */
export function on(machine: string, command: string): string {
  return `${command}   # on ${hostOf(machine)}`;
}

/** Of a URL, or of `host:port`. */
export function hostOf(place: string): string {
  const url = place.includes("://") ? place : `redis://${place}`;
  return URL.canParse(url) ? new URL(url).hostname : place;
}

/** What is no plain word for a shell is quoted: it came from the service, and is to be pasted. */
export function quoted(word: string): string {
  if (/^[\w./:@%+=,-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
