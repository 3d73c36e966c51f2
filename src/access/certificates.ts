/** What is needed of a client certificate, as `tls.TLSSocket` tells it. */
export interface PeerCertificate {
  /** Whether its chain was verified against the CA for clients (`socket.authorized`): else it proves nothing. */
  readonly authorized: boolean;
  readonly subject?: { readonly CN?: string | readonly string[] };
  /** As Node writes it: `DNS:a.example, URI:"spiffe://b,c"`. */
  readonly subjectaltname?: string;
}

/**
 * The names of a certificate as a keys file lists them (`CN=...`, `DNS:...`, `URI:...`), in one spelling each. None for a
 * certificate that was not verified. A wildcard of a certificate stands for itself only.
 */
export function namesOfCertificate({ authorized, subject, subjectaltname }: PeerCertificate): string[] {
  if (!authorized) return [];
  const common = subject?.CN === undefined ? [] : [subject.CN].flat();
  const names = [...common.map((name) => `CN=${name}`), ...alternativeNames(subjectaltname ?? "")];
  return [...new Set(names.map(certificateName))];
}

/** One spelling of what means the same: host names ignore case, everything else does not. */
export function certificateName(name: string): string {
  return name.startsWith("DNS:") ? name.toLowerCase().replace("dns:", "DNS:") : name;
}

/**
 * Node puts a value in JSON quotes where it has characters that could be taken for another entry (CVE-2021-44532). A text
 * that does not follow this syntax to its end has no names at all.
 */
function alternativeNames(text: string): string[] {
  const names: string[] = [];
  const entry = /([A-Za-z0-9 ]+):("(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/y;
  while (entry.lastIndex < text.length) {
    const [, type, value = ""] = entry.exec(text) ?? [];
    if (type === undefined) return [];
    if (type !== "DNS" && type !== "URI") continue;
    const plain = value.startsWith('"') ? parsed(value) : value;
    if (plain === undefined) return [];
    names.push(`${type}:${plain}`);
  }
  return names;
}

function parsed(quoted: string): string | undefined {
  try {
    return String(JSON.parse(quoted));
  } catch {
    return undefined;
  }
}
