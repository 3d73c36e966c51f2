import type { Logger } from "pino";
import { Access, accessSettings } from "./access/access.js";
import type { Audit } from "./access/audit.js";
import type { Clock } from "./clock.js";
import type { Config } from "./config.js";
import { Tls } from "./tls-of-instance.js";

/** Whom an instance trusts, and by what others know it: files that are read again while it runs. */
export interface Trust {
  readonly tls: Tls;
  readonly access: Access;
  readonly hasFiles: boolean;
  /** Reads all files at once. */
  reload(): Promise<void>;
  close(): void;
}

/** Reads all files. `audit` is told of changes. Throws `ConfigError` with a line for each mistake in the files. */
export async function startTrust(config: Config, clock: Clock, log: Logger, audit?: Audit): Promise<Trust> {
  const tls = new Tls(config, clock, log);
  const access = new Access(accessSettings(config), { clock, log, audit });
  try {
    await access.start();
  } catch (error) {
    tls.close();
    throw error;
  }
  return {
    tls,
    access,
    hasFiles: tls.hasFiles || !access.isOpen,
    reload: async () => void (await Promise.all([tls.reload(), access.reload()])),
    close: () => {
      tls.close();
      access.close();
    },
  };
}
