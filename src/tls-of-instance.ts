import type { Clock } from "./clock.js";
import { type Config, ConfigError } from "./config.js";
import { serverFiles } from "./http/server/secure.js";
import { RedisTls } from "./redis/redis-tls.js";
import { LivePem, type PemLog } from "./tls/live-pem.js";

/** All files of TLS of an instance: those for its clients, and those for its primaries. */
export class Tls {
  /** Undefined: plain HTTP. */
  readonly http: LivePem | undefined;
  readonly redis: RedisTls;

  /** Throws `ConfigError` with a line for each mistake in all of them. */
  constructor(config: Config, clock: Clock, log: PemLog) {
    const mistakes: string[] = [];
    const attempt = <T>(make: () => T): T | undefined => {
      try {
        return make();
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        mistakes.push(...error.mistakes);
        return undefined;
      }
    };
    const files = serverFiles(config);
    const http = attempt(() => files && new LivePem(files, clock, log));
    const redis = attempt(() => new RedisTls(config, clock, log));
    if (!redis || mistakes.length > 0) throw new ConfigError(mistakes);
    this.http = http;
    this.redis = redis;
  }

  get hasFiles(): boolean {
    return this.http !== undefined || this.redis.hasFiles;
  }

  /** Reads all files at once. */
  async reload(): Promise<void> {
    await Promise.all([this.http?.reload(), this.redis.reload()]);
  }

  close(): void {
    this.http?.close();
    this.redis.close();
  }
}
