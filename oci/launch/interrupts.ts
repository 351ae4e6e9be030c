/**
 * Signals that end a command while it makes something: it hears of them where it waits, takes back what it has made, and
 * ends then. Not here: signals for a guest (oci/container/proxy_wait.ts).
 */

import { EINTR } from "../../ffi/abi/errno.ts";
import { Pollfd, POLLIN } from "../../ffi/abi/poll.ts";
import { SIGHUP, SIGINT, signalName, SIGTERM } from "../../ffi/abi/signal.ts";
import { SYS_poll } from "../../ffi/abi/syscall_numbers.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { check } from "../../ffi/sys/errors.ts";
import { poll } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { defaultSignal, signalToEventfd } from "../../ffi/sys/signals.ts";
import { UserError } from "../user_error.ts";

const SIGNALS = [SIGHUP, SIGINT, SIGTERM];
const SIGNAL_BASE = 128;
/** LIMIT: one wait; a longer one goes on. */
const POLL_MAX_MS = 1 << 30;

/** signal -> its eventfd. */
const held = new Map<number, number>();

/** From now on they only end what waits here. Those that the caller ignores stay ignored. */
export function holdInterrupts(): void {
  for (const signo of SIGNALS) {
    if (!isIgnored(signo)) held.set(signo, signalToEventfd(signo));
  }
}

/** Taking back is not interrupted; another signal ends the command at once. @throws UserError if one has come */
export function throwIfInterrupted(): void {
  const came = [...held].find(([, fd]) => poll(fd, POLLIN, 0) > 0);
  if (came === undefined) return;
  for (const signo of held.keys()) defaultSignal(signo);
  held.clear();
  const [signo] = came;
  throw new UserError(`interrupted by ${signalName(signo)}`, SIGNAL_BASE + signo);
}

/**
 * poll(2) for reading.
 *
 * @param timeoutMs -1 and Infinity: none
 * @returns false if it is not ready in time
 * @throws UserError if a signal comes before it is ready
 */
export function waitReadable(fd: number, timeoutMs: number): boolean {
  const end = timeoutMs < 0 ? Infinity : performance.now() + timeoutMs;
  for (;;) {
    const fds = [fd, ...held.values()], base = scratch.areaOffset(0);
    fds.forEach((watched, i) => {
      const at = base + i * Pollfd.size;
      scratch.dv.setInt32(at + Pollfd.at.fd, watched, true);
      scratch.dv.setInt16(at + Pollfd.at.events, POLLIN, true);
      scratch.dv.setInt16(at + Pollfd.at.revents, 0, true);
    });
    const left = end === Infinity ? -1 : Math.max(0, Math.ceil(end - performance.now()));
    const r = syscall(SYS_poll, scratch.area(0), fds.length, Math.min(left, POLL_MAX_MS));
    if (r > 0 && scratch.dv.getInt16(base + Pollfd.at.revents, true) !== 0) return true;
    throwIfInterrupted();
    if (r < 0 && r !== -EINTR) check(r, "poll");
    if (r === 0 && performance.now() >= end) return false;
  }
}

/** As nohup(1) leaves it for SIGHUP: /proc/self/status says so. */
export function isIgnored(signo: number): boolean {
  const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(Deno.readTextFileSync("/proc/self/status"));
  return mask !== null && ((BigInt(`0x${mask[1]}`) >> BigInt(signo - 1)) & 1n) === 1n;
}
