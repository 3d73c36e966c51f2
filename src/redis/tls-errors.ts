/** An error of a connection by TLS, in words that say what to do. `certificate ...`: the server does not let us in. */
export function inWordsOfTls(error: Error & { code?: string }): Error {
  const { code = "", message } = error;
  if (/ETIMEDOUT/.test(message))
    return worded(`${message} (if the server is up: does this port speak TLS?)`, error);
  const words = WORDS.find(([pattern]) => pattern.test(code))?.[1];
  return words === undefined ? error : worded(words(message), error);
}

const worded = (message: string, cause: Error) => new Error(message, { cause });

const WORDS: readonly (readonly [RegExp, (message: string) => string])[] = [
  [
    /^(SELF_SIGNED_CERT|DEPTH_ZERO|UNABLE_TO_(GET_ISSUER|VERIFY_LEAF)|INVALID_CA|CERT_(UNTRUSTED|SIGNATURE|REJECTED|CHAIN))/,
    (message) => `certificate of the server is not trusted (${message}): set QUORATE_REDIS_TLS_CA to its CA`,
  ],
  [/^CERT_/, (message) => `certificate of the server is not valid (${message})`],
  [
    /^ERR_TLS_CERT_ALTNAME/,
    () =>
      "certificate of the server is for another name: set QUORATE_REDIS_TLS_SERVERNAME to the name in it, or issue one for this address",
  ],
  [
    /^ERR_SSL_.*ALERT_(CERTIFICATE_REQUIRED|UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_(EXPIRED|REVOKED|UNKNOWN)|HANDSHAKE_FAILURE)/,
    (message) =>
      `certificate of this instance is missing or refused by the server (${lastOf(message)}): see QUORATE_REDIS_TLS_CERT`,
  ],
  [
    /^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG)/,
    () => "ERR this port of the server does not speak TLS: use redis://, or its port for TLS",
  ],
];

/** OpenSSL's errors are long: `...:error:0A00045C:SSL routines:...:tlsv13 alert certificate required:../deps/...`. */
function lastOf(message: string): string {
  return /:([^:]*alert[^:]*)/.exec(message)?.[1] ?? "alert";
}
