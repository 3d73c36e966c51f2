import { type ServiceProcess, startProcess } from "../../helpers/process.js";

/** An instance of the service in a process of its own, that can be paused, killed and started again. */
export interface ServiceInstance extends AsyncDisposable {
  readonly id: string;
  /** Stays the same, whatever becomes of the process. */
  readonly url: string;
  readonly running: boolean;
  pause(): void;
  resume(): void;
  kill(): Promise<void>;
  start(): Promise<void>;
  /** What its processes wrote to their logs. */
  log(): string;
}

export async function startService(id: string, env: Record<string, string>): Promise<ServiceInstance> {
  let current: ServiceProcess = startProcess({ PORT: "0", ...env });
  let url: string;
  try {
    url = await current.listening;
  } catch (error) {
    await current[Symbol.asyncDispose]();
    throw error;
  }
  let running = true;
  const logs = [current];
  return {
    id,
    url,
    get running() {
      return running;
    },
    pause: () => current.kill("SIGSTOP"),
    resume: () => current.kill("SIGCONT"),
    kill: async () => {
      running = false;
      current.kill("SIGKILL");
      await current.ended;
    },
    start: async () => {
      current = startProcess({ ...env, PORT: new URL(url).port });
      logs.push(current);
      await current.listening;
      running = true;
    },
    log: () => logs.map((each) => each.out() + each.err()).join(""),
    [Symbol.asyncDispose]: async () => {
      running = false;
      await current[Symbol.asyncDispose]();
    },
  };
}
