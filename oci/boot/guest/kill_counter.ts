/**
 * Has OOM kills counted by the host (proxy/oom_witness.ts) while the kernel's loop goes on. The
 * victim stands still until the host has counted its kill: it keeps its memory, since the host's
 * OOM killer acts only in a group that is full, and programs that see its end look at the counter
 * at once.
 */

import { POLLIN } from "../../../ffi/abi/poll.ts";
import type { Host } from "../../../kernel/core/host.ts";
import { Waiter } from "../../../kernel/core/wait.ts";
import type { OomKiller } from "../../../kernel/oom/oom_killer.ts";
import type { ThreadGroup } from "../../../kernel/task/thread_group.ts";
import { Timer, type TimerQueue } from "../../../kernel/time/timer.ts";
import type { OomWitness } from "../../proxy/oom_witness.ts";

/** LIMIT: how long the host's OOM killer may take for a kill, ns. */
const WAIT_NS = 2_000_000_000;

/** The part of the kernel that it uses. */
interface CounterKernel {
  readonly host: Host;
  readonly timers: TimerQueue;
  readonly oom: Pick<OomKiller, "release">;
}

export class KillCounter extends Waiter {
  #kernel: CounterKernel;
  readonly #witness: OomWitness;
  readonly #deadline: Deadline = new Deadline(this);
  /** The victims whose kills are not counted yet. */
  readonly #victims: ThreadGroup[] = [];

  /** @param witness which it owns */
  constructor(kernel: CounterKernel, witness: OomWitness) {
    super();
    this.#kernel = kernel;
    this.#witness = witness;
    kernel.host.watch(witness.fd, POLLIN, this);
  }

  /**
   * Makes the host count the kill of `victim`. True: `victim` must stand still until
   * `OomKiller.release`. False: the witness is gone, or has too many kills to count.
   */
  countKill(victim: ThreadGroup): boolean {
    if (!this.#witness.ask()) return false;
    this.#victims.push(victim);
    this.#await();
    return true;
  }

  /** The kernel ends, with its victims, and another one goes on. */
  moveTo(kernel: CounterKernel): void {
    const { host, timers } = this.#kernel;
    host.unwatch(this.#witness.fd);
    timers.disarm(this.#deadline);
    this.#victims.length = 0;
    this.#kernel = kernel;
    kernel.host.watch(this.#witness.fd, POLLIN, this);
    if (this.#witness.isAwaited) this.#await();
  }

  override onWake(_events: number): void {
    this.#witness.take(0);
    if (this.#witness.isAwaited) this.#await();
    else this.#settle();
  }

  /** Releases all victims, because the host took too long: the witness is not used again. */
  giveUp(): void {
    this.#witness.giveUp();
    this.#settle();
  }

  /** Ends the witness and releases all victims. */
  close(): void {
    this.#kernel.host.unwatch(this.#witness.fd);
    this.#witness.close();
    this.#settle();
  }

  #await(): void {
    const { host, timers } = this.#kernel;
    host.arm(this.#witness.fd, POLLIN);
    timers.arm(this.#deadline, host.monotonicNs() + WAIT_NS);
  }

  /** Releases all victims: no kill waits to be counted any more. */
  #settle(): void {
    const { timers, oom } = this.#kernel;
    timers.disarm(this.#deadline);
    for (const victim of this.#victims.splice(0)) oom.release(victim);
  }
}

class Deadline extends Timer {
  readonly #counter: KillCounter;

  constructor(counter: KillCounter) {
    super();
    this.#counter = counter;
  }

  override onExpire(_nowNs: number): void {
    this.#counter.giveUp();
  }
}
