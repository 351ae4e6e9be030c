/**
 * Stops the world of each kernel of this process again and again, once a guest asks for it: a task
 * that is named "stop LABEL" waits until its name is "stopped" (world.c). How long each stop took
 * goes to the debug log, as a line of JSON. Nothing of this is in the product.
 */

import { assert } from "@std/assert";
import { SandboxKernel } from "../../../kernel/kernel.ts";
import type { StandstillListener } from "../../../kernel/snapshot/quiesce.ts";
import type { Task } from "../../../kernel/task/task.ts";
import { RealHost } from "../../../oci/boot/real_host.ts";
import { TRAP_DEATH } from "../../../platform/platform.ts";

/** In front of the JSON of a guest's stops. */
export const MARK = "stops of the world: ";
/** How often the world stops for one request, and how long it runs in between at most, ms. */
export const STOPS = 1000;
const RUN_MS = 3;
const REQUEST = "stop ";

export interface StopReport {
  readonly label: string;
  /** Tasks at the last stop. */
  readonly tasks: number;
  /** From the request to the standstill, ms: each stop, sorted. */
  readonly ms: readonly number[];
}

/** Makes kernels that start from now on serve requests for stops. */
export function stopOnRequest(): void {
  const { run } = SandboxKernel.prototype;
  SandboxKernel.prototype.run = function (this: SandboxKernel): number {
    const { host } = this;
    if (!(host instanceof RealHost)) throw new Error("this kernel has no real host");
    const { events } = host, poll = events.poll.bind(events), stopper = new WorldStopper(this);
    events.poll = (timeoutNs) => {
      stopper.look();
      // An idle kernel wakes up for the next stop.
      poll(Math.min(timeoutNs, stopper.isBusy ? 1e5 : 1e6));
    };
    return run.call(this);
  };
}

class WorldStopper implements StandstillListener {
  readonly #kernel: SandboxKernel;
  /** The task that asked. */
  #asker: Task | null = null;
  #startMs: number = 0;
  #nextMs: number = 0;
  #ms: number[] = [];

  constructor(kernel: SandboxKernel) {
    this.#kernel = kernel;
  }

  get isBusy(): boolean {
    return this.#asker !== null;
  }

  /** Called in each poll of the host. */
  look(): void {
    const { loop: { quiescence }, pids } = this.#kernel;
    const now = performance.now();
    if (quiescence.isAsked || now < this.#nextMs) return;
    for (const task of pids.tasks.values()) {
      if (!task.comm.startsWith(REQUEST)) continue;
      this.#asker = task;
      this.#startMs = now;
      quiescence.request(this);
      return;
    }
  }

  onStandstill(): void {
    const { pids, platform, loop: { quiescence } } = this.#kernel;
    this.#ms.push(performance.now() - this.#startMs);
    assert(platform.poll() === null, "a thread stops in a world that stands still");
    for (const { ctx, regsFetched } of pids.tasks.values()) {
      assert(regsFetched || ctx.isFull || ctx.trap === TRAP_DEATH, "a state is not there");
    }
    if (this.#ms.length === STOPS) this.#report();
    this.#nextMs = performance.now() + Math.random() * RUN_MS;
    quiescence.resume();
  }

  #report(): void {
    const asker = this.#asker, label = asker?.comm.slice(REQUEST.length) ?? "";
    const report: StopReport = {
      label,
      tasks: this.#kernel.pids.tasks.size,
      ms: this.#ms.sort((a, b) => a - b).map((ms) => Math.round(1000 * ms) / 1000),
    };
    this.#kernel.log(MARK + JSON.stringify(report));
    this.#ms = [];
    this.#asker = null;
    if (asker !== null) asker.comm = "stopped";
  }

  onSandboxEnd(): void {}
}
