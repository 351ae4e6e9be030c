/** A job: a program and all processes that came from it, also after the program's end. */

import type { Connection } from "./connection.ts";
import { NotFoundError } from "./errors.ts";
import { checkSignal } from "./option_checks.ts";

/**
 * A program and all processes that came from it.
 *
 * ```ts
 * import { Sandbox } from "../../mod.ts";
 *
 * await using box = await Sandbox.create();
 * const { job } = await box.exec(["sh", "-c", "sleep 100 &"], { detached: true });
 * console.log((await box.jobs()).length); // 1
 * await job.kill();
 * await job.wait();
 * console.log((await box.jobs()).length); // 0
 * ```
 */
export class Job {
  readonly #connection: Connection;
  readonly id: number;
  /** Process id of the program in the sandbox. */
  readonly pid: number;
  readonly argv: readonly string[];

  constructor(connection: Connection, id: number, pid: number, argv: readonly string[]) {
    this.#connection = connection;
    this.id = id;
    this.pid = pid;
    this.argv = argv;
  }

  /**
   * Sends a signal, by name or number, to all its processes. Nothing happens when they have ended.
   * @throws InvalidArgumentError if there is no such signal
   */
  async kill(signal: string | number = "SIGKILL"): Promise<void> {
    checkSignal(signal);
    const doing = { verb: "signal job", subject: String(this.id) };
    const request = { op: "signalJob", job: this.id, signal } as const;
    try {
      await this.#connection.request(request, { doing }).finish();
    } catch (error) {
      if (!(error instanceof NotFoundError)) throw error;
    }
  }

  /** Waits for the end of all its processes. */
  async wait(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const doing = { verb: "wait for job", subject: String(this.id) };
    const request = { op: "waitJob", job: this.id } as const;
    await this.#connection.request(request, { doing }).finish(options.signal);
  }
}
