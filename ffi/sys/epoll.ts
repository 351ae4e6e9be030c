/**
 * epoll(7) as the main loop uses it: no allocation, events stay in a fixed buffer until the next
 * wait.
 *
 * Tokens are u32 numbers with a meaning that only the caller has. Neighbour: files.ts.
 */

import { EINTR, ENOSYS } from "../abi/errno.ts";
import {
  EPOLL_CLOEXEC,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EpollEvent,
} from "../abi/epoll.ts";
import {
  SYS_epoll_create1,
  SYS_epoll_ctl,
  SYS_epoll_pwait2,
  SYS_epoll_wait,
} from "../abi/syscall_numbers.ts";
import { Timespec } from "../abi/time.ts";
import { addressOf, allocBuffer } from "./cstring.ts";
import { check } from "./errors.ts";
import { close } from "./files.ts";
import { syscall } from "./native.ts";

const NS_PER_S = 1e9;
const NS_PER_MS = 1e6;

export class Epoll {
  /** The epoll descriptor, close-on-exec. */
  readonly fd: number;
  readonly #capacity: number;
  readonly #memory: Uint8Array<ArrayBuffer>;
  readonly #dv: DataView<ArrayBuffer>;
  readonly #address: number;
  readonly #argument: number;
  #hasPwait2 = true;

  /** @param capacity most events that one wait reports */
  constructor(capacity = 64) {
    this.#capacity = capacity;
    this.#argument = capacity * EpollEvent.size;
    this.#memory = allocBuffer(this.#argument + Math.max(EpollEvent.size, Timespec.size));
    this.#dv = new DataView(this.#memory.buffer);
    this.#address = addressOf(this.#memory);
    this.fd = check(syscall(SYS_epoll_create1, EPOLL_CLOEXEC), "epoll_create1");
  }

  /** Watches `fd` for `events` (EPOLLIN...). 0 or `-errno`. */
  add(fd: number, events: number, token: number): number {
    return this.#control(EPOLL_CTL_ADD, fd, events, token);
  }

  /** Changes events and token of a watched `fd`. 0 or `-errno`. */
  mod(fd: number, events: number, token: number): number {
    return this.#control(EPOLL_CTL_MOD, fd, events, token);
  }

  /** Stops watching `fd`. 0 or `-errno`. */
  del(fd: number): number {
    return this.#control(EPOLL_CTL_DEL, fd, 0, 0);
  }

  /**
   * Waits for events.
   *
   * @param timeoutMs 0 polls, -1 waits for ever
   * @returns the number of events (0 also when a signal came), or `-errno`
   */
  wait(timeoutMs: number): number { // HOT
    const r = syscall(SYS_epoll_wait, this.fd, this.#address, this.#capacity, timeoutMs);
    return r === -EINTR ? 0 : r;
  }

  /**
   * The same with a timeout in nanoseconds; hosts before Linux 5.11 round it up to milliseconds.
   */
  waitNs(timeoutNs: number): number { // HOT
    if (timeoutNs < 0) return this.wait(-1);
    if (timeoutNs === 0) return this.wait(0);
    if (this.#hasPwait2) {
      const seconds = Math.floor(timeoutNs / NS_PER_S);
      const at = this.#argument;
      this.#dv.setUint32(at, seconds, true);
      this.#dv.setUint32(at + 4, 0, true);
      this.#dv.setUint32(at + 8, timeoutNs - seconds * NS_PER_S, true);
      this.#dv.setUint32(at + 12, 0, true);
      const timeout = this.#address + at;
      const r = syscall(SYS_epoll_pwait2, this.fd, this.#address, this.#capacity, timeout, 0, 8);
      if (r === -EINTR) return 0;
      if (r !== -ENOSYS) return r;
      this.#hasPwait2 = false;
    }
    return this.wait(Math.min(Math.ceil(timeoutNs / NS_PER_MS), 0x7fffffff));
  }

  /** Token of event `i` of the last wait. */
  token(i: number): number { // HOT
    return this.#dv.getUint32(i * EpollEvent.size + EpollEvent.at.data, true);
  }

  /** Events (EPOLLIN...) of event `i` of the last wait. */
  events(i: number): number { // HOT
    return this.#dv.getUint32(i * EpollEvent.size, true);
  }

  close(): void {
    close(this.fd);
  }

  #control(op: number, fd: number, events: number, token: number): number {
    const at = this.#argument;
    this.#dv.setUint32(at + EpollEvent.at.events, events, true);
    this.#dv.setUint32(at + EpollEvent.at.data, token, true);
    this.#dv.setUint32(at + EpollEvent.at.data + 4, 0, true);
    return syscall(SYS_epoll_ctl, this.fd, op, fd, this.#address + at);
  }
}
