import { promised, type Workload } from "./workload.js";

/** The part of npm's node-zookeeper-client that the bench uses. */
interface ZooKeeperClient {
  connect(): void;
  close(): void;
  once(event: "connected", listener: () => void): void;
  mkdirp(path: string, callback: (error: Error | null) => void): void;
  create(path: string, mode: number, callback: (error: Error | null, path: string) => void): void;
  remove(path: string, version: number, callback: (error: Error | null) => void): void;
  getChildren(path: string, callback: (error: Error | null, children: string[]) => void): void;
  exists(
    path: string,
    watcher: () => void,
    callback: (error: Error | null, stat: object | null) => void,
  ): void;
}
interface ZooKeeperModule {
  readonly createClient: (servers: string, options: { sessionTimeout: number }) => ZooKeeperClient;
  readonly CreateMode: { readonly EPHEMERAL_SEQUENTIAL: number };
}

/** Null if the package is not installed. */
export async function zooKeeperModule(): Promise<ZooKeeperModule | null> {
  // The name is a variable, since the package has no types.
  const name = "node-zookeeper-client";
  return import(name).then(
    (loaded) => loaded.default as ZooKeeperModule,
    () => null,
  );
}

/** ZooKeeper's own recipe of a lock, with a session and a name for each client. */
export function zooKeeperLocks(servers: string, nameOf = (client: number) => `bench-${client}`): Workload {
  const sessions: ZooKeeperClient[] = [];
  return {
    steps: 2,
    open: async (clients) => {
      const module = await zooKeeperModule();
      if (module === null) throw new Error("node-zookeeper-client is not installed: npm ci");
      return Promise.all(
        Array.from({ length: clients }, async (_, index) => {
          const session = module.createClient(servers, { sessionTimeout: 30_000 });
          sessions.push(session);
          const connected = new Promise<void>((resolve) => session.once("connected", resolve));
          session.connect();
          await connected;
          const lock = `/locks/${nameOf(index)}`;
          await done((callback) => session.mkdirp(lock, callback));
          const locks = new RecipeLock(session, lock, module.CreateMode.EPHEMERAL_SEQUENTIAL);
          return promised([() => locks.acquire(), () => locks.release()]);
        }),
      );
    },
    close: async () => {
      for (const session of sessions) session.close();
    },
  };
}

/**
 * https://zookeeper.apache.org/doc/r3.8.0/recipes.html#sc_recipes_Locks: a sequential ephemeral node for each request;
 * the lowest holds the lock, and every other one watches the node before its own.
 */
export class RecipeLock {
  #mine = "";

  constructor(
    private readonly session: ZooKeeperClient,
    private readonly path: string,
    private readonly mode: number,
  ) {}

  async acquire(): Promise<void> {
    const { session, path } = this;
    this.#mine = await done<string>((callback) => session.create(`${path}/n-`, this.mode, callback));
    for (;;) {
      const nodes = (await done<string[]>((callback) => session.getChildren(path, callback))).sort();
      const before = nodes[nodes.indexOf(this.#mine.slice(path.length + 1)) - 1];
      if (before === undefined) return;
      await new Promise<void>((resolve, reject) =>
        session.exists(`${path}/${before}`, resolve, (error, stat) => {
          if (error) reject(error);
          else if (stat === null) resolve();
        }),
      );
    }
  }

  async release(): Promise<void> {
    await done((callback) => this.session.remove(this.#mine, -1, callback));
  }
}

function done<T = void>(call: (callback: (error: Error | null, value: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => call((error, value) => (error ? reject(error) : resolve(value))));
}
