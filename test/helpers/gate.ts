import { type Connect, connectByIoredis } from "../../src/redis/connection.js";

/** Holds back what an instance sends while it is shut: a slow network, that loses nothing. Open at first. */
export class Gate {
  #opened: Promise<void> = Promise.resolve();
  #open: () => void = () => {};
  #waiting = 0;

  constructor(
    /** Which commands have to pass it; all, unless said otherwise. */
    private readonly concerns: (command: string, ...args: (string | number)[]) => boolean = () => true,
  ) {}

  /** How many commands wait before it. */
  get waiting(): number {
    return this.#waiting;
  }

  shut(): void {
    this.#opened = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  open(): void {
    this.#open();
  }

  readonly connect: Connect = (url, options) => {
    const real = connectByIoredis(url, options);
    return {
      get ready() {
        return real.ready;
      },
      onChange: (listener) => real.onChange(listener),
      call: async (...args) => {
        if (this.concerns(...args)) {
          this.#waiting += 1;
          await this.#opened;
          this.#waiting -= 1;
        }
        return real.call(...args);
      },
      close: () => real.close(),
    };
  };
}
