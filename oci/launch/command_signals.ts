/**
 * Signals that a command gets. While it makes something, SIGHUP, SIGINT and SIGTERM end its next
 * wait: it then removes what it has made and exits. Once a guest runs in the foreground, the waiter
 * forwards signals to it (foreground_sandbox.ts, container/proxy_wait.ts).
 */

import { EINTR } from "../../ffi/abi/errno.ts";
import { Pollfd, POLLIN } from "../../ffi/abi/poll.ts";
import * as S from "../../ffi/abi/signal.ts";
import { SYS_poll } from "../../ffi/abi/syscall_numbers.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { check } from "../../ffi/sys/errors.ts";
import { poll } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { defaultSignal, signalToEventfd } from "../../ffi/sys/signals.ts";
import { UserError } from "../user_error.ts";

const SIGNALS = [S.SIGHUP, S.SIGINT, S.SIGTERM];
const SIGNAL_BASE = 128;
/** LIMIT: ms of one poll(2); a longer wait polls again. */
const POLL_MAX_MS = 1 << 30;

/** signal -> its eventfd. */
const held = new Map<number, number>();

/**
 * From now on these signals end `waitReadable` and nothing else. Signals that the caller ignores
 * stay ignored.
 */
export function holdInterrupts(): void {
  for (const signo of notIgnored(SIGNALS)) held.set(signo, signalToEventfd(signo));
}

/**
 * Gives the signals back their default action, so that a second one ends the command at once even
 * while it removes what it has made.
 *
 * @throws UserError if a signal has come
 */
export function throwIfInterrupted(): void {
  const came = [...held].find(([, fd]) => poll(fd, POLLIN, 0) > 0);
  if (came === undefined) return;
  for (const signo of held.keys()) defaultSignal(signo);
  held.clear();
  const [signo] = came;
  throw new UserError(`interrupted by ${S.signalName(signo)}`, SIGNAL_BASE + signo);
}

/**
 * poll(2) for reading.
 *
 * @param timeoutMs no limit if -1 or Infinity
 * @returns false if `fd` is not ready in time
 * @throws UserError if a signal comes before `fd` is ready
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

/** Those signals that the caller has not made this process ignore, as nohup(1) does with SIGHUP. */
function notIgnored(signals: readonly number[]): number[] {
  const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(Deno.readTextFileSync("/proc/self/status"));
  const ignored = BigInt(`0x${mask?.[1] ?? 0}`);
  return signals.filter((signo) => (ignored >> BigInt(signo - 1) & 1n) === 0n);
}

/** Signals by which programs are controlled. */
const FORWARDED = [
  S.SIGHUP,
  S.SIGINT,
  S.SIGQUIT,
  S.SIGTERM,
  S.SIGUSR1,
  S.SIGUSR2,
  S.SIGALRM,
  S.SIGCONT,
];

/**
 * The signals that a foreground command forwards: those above that its caller does not ignore, and
 * with a terminal SIGWINCH.
 */
export function forwardedSignals(hasTerminal: boolean): number[] {
  const forwarded = notIgnored(FORWARDED);
  return hasTerminal ? [...forwarded, S.SIGWINCH] : forwarded;
}
