/**
 * Host signals for a loop that never returns to Deno's: an assembled handler adds 1 to an eventfd,
 * or sends a message.
 *
 * The caller decides what a signal means. SIGSEGV and SIGBUS belong to fault_code.ts. See
 * sigaction(2), eventfd(2).
 */

import { EFD_CLOEXEC, EFD_NONBLOCK } from "../abi/epoll.ts";
import {
  NSIG,
  SA_ONSTACK,
  SA_RESTART,
  SIG_DFL,
  SIG_IGN,
  SIGBUS,
  SIGKILL,
  signalName,
  SIGSEGV,
  SIGSTOP,
} from "../abi/signal.ts";
import { DATA, SIGNAL_MESSAGE_BYTES } from "./data_page.ts";
import { check } from "./errors.ts";
import { eventfd } from "./files.ts";
import { codeAddress, dataView, setAction } from "./native.ts";

const eventfds = new Map<number, number>();

function checkSignal(signo: number): void {
  const isOurs = signo === SIGSEGV || signo === SIGBUS;
  if (!(signo >= 1 && signo <= NSIG) || isOurs || signo === SIGKILL || signo === SIGSTOP) {
    throw new RangeError(`${signalName(signo)} cannot be handled`);
  }
}

/**
 * Turns a signal into an eventfd (close-on-exec, non-blocking): each delivery adds 1 to it.
 * Interrupted system calls restart, except those that never do (epoll_wait). A second call for a
 * signal returns the same descriptor.
 *
 * @throws RangeError for SIGKILL, SIGSTOP, SIGSEGV, SIGBUS and an invalid number
 * @throws SyscallError if there is no descriptor left
 */
export function signalToEventfd(signo: number): number {
  checkSignal(signo);
  const known = eventfds.get(signo);
  const fd = known ?? check(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd2");
  eventfds.set(signo, fd);
  dataView.setInt32(DATA.signalFds + 4 * signo, fd, true);
  const handler = codeAddress("on_signal");
  check(setAction(signo, handler, SA_RESTART | SA_ONSTACK), `rt_sigaction ${signalName(signo)}`);
  return fd;
}

/**
 * Makes each delivery of a signal write a message to a socket of packets, whose queue outlives an
 * execve(2).
 *
 * @param fd stays open for as long as the signal is handled so
 * @param message of SIGNAL_MESSAGE_BYTES
 * @throws RangeError as `signalToEventfd`
 */
export function signalToSocket(signo: number, fd: number, message: Uint8Array): void {
  checkSignal(signo);
  if (message.length !== SIGNAL_MESSAGE_BYTES) throw new RangeError(`${message.length} bytes`);
  message.forEach((byte, i) => {
    dataView.setUint8(DATA.signalMessages + SIGNAL_MESSAGE_BYTES * signo + i, byte);
  });
  dataView.setInt32(DATA.signalFds + 4 * signo, fd, true);
  const handler = codeAddress("on_signal_message");
  check(setAction(signo, handler, SA_RESTART | SA_ONSTACK), `rt_sigaction ${signalName(signo)}`);
}

/** Ignores a signal, here and in programs executed later. Throws as `signalToEventfd` does. */
export function ignoreSignal(signo: number): void {
  checkSignal(signo);
  check(setAction(signo, SIG_IGN, 0), `rt_sigaction ${signalName(signo)}`);
}

/** Restores the default action of a signal. Throws as `signalToEventfd` does. */
export function defaultSignal(signo: number): void {
  checkSignal(signo);
  check(setAction(signo, SIG_DFL, 0), `rt_sigaction ${signalName(signo)}`);
}
