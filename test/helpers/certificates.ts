import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** Certificates are made when a test runs, so that none in the repository expires. */
export const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;

export interface Issued {
  readonly cert: string;
  readonly key: string;
}

export interface Issue {
  /** Like `DNS:localhost,IP:127.0.0.1`, which is the default. */
  readonly san?: string;
  /** Whether it expired a day ago. */
  readonly expired?: boolean;
  readonly ca?: boolean;
}

/** A certificate authority of one test. */
export interface Authority extends Issued {
  issue(name: string, options?: Issue): Promise<Issued>;
  /** A CA below this one. What it issues has its own certificate in the chain. */
  intermediate(name: string): Promise<Authority>;
}

/** `from`: the same name and key, as of a CA whose certificate is renewed. */
export async function authority(name: string, from?: Issued): Promise<Authority> {
  const own = await withFolder(async (path) => {
    if (from) await writeFile(path("key"), from.key);
    const key = from ? ["-key", path("key")] : [...NEW_KEY, "-keyout", path("key")];
    await openssl("req", "-x509", "-days", "30", "-subj", subject(name), "-out", path("cert"), ...key);
    return readIssued(path);
  });
  return authorityOf(own, "");
}

function authorityOf(own: Issued, chain: string): Authority {
  return {
    ...own,
    issue: async (name, options = {}) => {
      const { cert, key } = await issue(own, name, options);
      return { cert: cert + chain, key };
    },
    intermediate: async (name) => {
      const below = await issue(own, name, { ca: true });
      return authorityOf(below, below.cert + chain);
    },
  };
}

function issue(
  ca: Issued,
  name: string,
  { san = "DNS:localhost,IP:127.0.0.1", expired = false, ca: isCa = false }: Issue,
): Promise<Issued> {
  return withFolder(async (path) => {
    await openssl(
      "req",
      "-new",
      "-subj",
      subject(name),
      ...NEW_KEY,
      "-keyout",
      path("key"),
      "-out",
      path("request"),
    );
    await Promise.all([
      writeFile(path("ca.pem"), ca.cert),
      writeFile(path("ca.key"), ca.key),
      writeFile(path("index"), ""),
      writeFile(
        path("config"),
        `${CONFIG}basicConstraints = critical,CA:${isCa ? "TRUE" : "FALSE"}\nsubjectAltName = ${san}\n`,
      ),
    ]);
    const dates = expired
      ? ["-startdate", "20200101000000Z", "-enddate", "20210101000000Z"]
      : ["-days", "30"];
    // `x509` and `req` set no dates in all versions; `ca` reads its folder from the environment.
    await promisify(execFile)(
      "openssl",
      [
        ...[
          "ca",
          "-batch",
          "-notext",
          "-config",
          path("config"),
          "-in",
          path("request"),
          "-out",
          path("cert"),
        ],
        ...["-cert", path("ca.pem"), "-keyfile", path("ca.key"), ...dates],
      ],
      { env: { ...process.env, FOLDER: path("") } },
    );
    return readIssued(path);
  });
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
const CONFIG = `
[ca]
default_ca = one
[one]
database = $ENV::FOLDER/index
new_certs_dir = $ENV::FOLDER
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = leaf
[any]
O = optional
CN = supplied
[leaf]
`;

const subject = (name: string) => `/O=Quorate/CN=${name}`;
const openssl = (...args: string[]) => promisify(execFile)("openssl", args);

async function readIssued(path: (file: string) => string): Promise<Issued> {
  return { cert: await readFile(path("cert"), "utf8"), key: await readFile(path("key"), "utf8") };
}

async function withFolder<T>(body: (path: (file: string) => string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), "quorate-certificates-"));
  try {
    return await body((file) => join(dir, file));
  } finally {
    await rm(dir, { recursive: true });
  }
}
