/**
 * The events of the host's descriptors, in one epoll set for all kernels of the process, and the
 * place where their thread sleeps.
 *
 * Neighbours: real_host.ts (the host as one kernel sees it, which gets the events of its watches).
 */

import { EEXIST, ENOENT } from "../../ffi/abi/errno.ts";
import { EPOLLET, EPOLLIN, EPOLLONESHOT } from "../../ffi/abi/epoll.ts";
import { monotonicNs } from "../../ffi/sys/clock.ts";
import { Epoll } from "../../ffi/sys/epoll.ts";
import { check } from "../../ffi/sys/errors.ts";
import type { Waiter } from "../../kernel/core/wait.ts";
import type { HostEvents } from "../../kernel/loop_driver.ts";
import type { GuestClock } from "./guest_clock.ts";
import { IdleCollector, REST_NS } from "./v8_heap.ts";

/** Token of the platform's doorbell; all others are fds. */
const DOORBELL = 0xffffffff;

/** Delivers the events of the descriptors that a kernel watches. */
interface EventReceiver {
  deliver(fd: number, events: number, waiter: Waiter): void;
}

interface Watch {
  readonly waiter: Waiter;
  readonly receiver: EventReceiver;
}

export class HostEventSet implements HostEvents {
  /** Called before a sleep. */
  beforeSleep: (() => void) | null = null;
  /** Called when the sandbox has been idle for a while after work: caches may be dropped. */
  onRest: (() => void) | null = null;
  /** Clocks of guests, which `poll` updates; it is called often while a kernel is awake. */
  readonly #clocks: GuestClock[] = [];
  readonly #epoll: Epoll = new Epoll();
  readonly #idleCollector: IdleCollector = new IdleCollector();
  /** By fd. */
  readonly #watches: (Watch | null)[] = [];
  /**
   * Events of the last wait, and the number of them that were dispatched: an exception of one must
   * not lose the others.
   */
  #found: number = 0;
  #dispatched: number = 0;

  addClock(clock: GuestClock): void {
    this.#clocks.push(clock);
  }

  removeClock(clock: GuestClock): void {
    const at = this.#clocks.indexOf(clock);
    if (at >= 0) this.#clocks.splice(at, 1);
  }

  /** Watches the platform's doorbell, which only ends a sleep. */
  watchDoorbell(fd: number): void {
    check(this.#epoll.add(fd, EPOLLIN | EPOLLET, DOORBELL), "epoll_ctl doorbell");
  }

  watch(fd: number, events: number, waiter: Waiter, receiver: EventReceiver): number {
    if (this.waiterOf(fd) !== null) return -EEXIST;
    const isEdge = (events & EPOLLET) !== 0;
    const r = this.#epoll.add(fd, isEdge ? events : events | EPOLLONESHOT, fd);
    if (r < 0) return r;
    while (this.#watches.length <= fd) this.#watches.push(null);
    this.#watches[fd] = { waiter, receiver };
    return 0;
  }

  arm(fd: number, events: number): number {
    if (this.waiterOf(fd) === null) return -ENOENT;
    return this.#epoll.mod(fd, events | EPOLLONESHOT, fd);
  }

  unwatch(fd: number): void {
    if (this.waiterOf(fd) === null) return;
    this.#watches[fd] = null;
    this.#epoll.del(fd);
  }

  /** The descriptor is being closed, which ends its watch. */
  forget(fd: number): void {
    if (fd < this.#watches.length) this.#watches[fd] = null;
  }

  /** Ends all watches of a kernel. */
  unwatchAll(receiver: EventReceiver): void {
    for (const [fd, watch] of this.#watches.entries()) {
      if (watch?.receiver === receiver) this.unwatch(fd);
    }
  }

  waiterOf(fd: number): Waiter | null {
    return this.#watches[fd]?.waiter ?? null;
  }

  /** Returns the number of events. If a collection is due, a long sleep begins with it. */
  #wait(timeoutNs: number): number {
    let left = timeoutNs;
    if (left > REST_NS && this.#idleCollector.isDue) {
      const n = this.#epoll.waitNs(REST_NS);
      if (n > 0) return n;
      if (this.onRest !== null) this.onRest();
      this.#idleCollector.collect();
      left -= REST_NS;
    }
    return left === Infinity ? this.#epoll.wait(-1) : this.#epoll.waitNs(left);
  }

  /** Dispatches events; waits at most `timeoutNs` for the first one. */
  poll(timeoutNs: number): void {
    if (timeoutNs > 0 && this.beforeSleep !== null) this.beforeSleep();
    if (this.#dispatched === this.#found) {
      this.#dispatched = 0;
      this.#found = Math.max(0, this.#wait(timeoutNs));
    }
    if (this.#clocks.length > 0) this.#tick();
    while (this.#dispatched < this.#found) {
      const i = this.#dispatched++, token = this.#epoll.token(i);
      if (token === DOORBELL) continue;
      const watch = this.#watches[token] ?? null;
      if (watch !== null) watch.receiver.deliver(token, this.#epoll.events(i), watch.waiter);
    }
  }

  #tick(): void {
    const now = monotonicNs();
    for (let i = 0; i < this.#clocks.length; i++) this.#clocks[i]!.tick(now);
  }
}
