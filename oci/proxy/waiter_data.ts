/** The data page of the waiter (waiter_image.ts). */

import { SignalfdSiginfo } from "../../ffi/abi/epoll.ts";
import { layout } from "../../ffi/abi/layout.ts";
import { Pollfd } from "../../ffi/abi/poll.ts";
import { SIGSET_SIZE } from "../../ffi/abi/signal.ts";
import * as N from "../../ffi/abi/syscall_numbers.ts";
import { Termios, Winsize } from "../../ffi/abi/termios.ts";
import { ControlPacket } from "../protocol/launcher_channel.ts";

/** Room for the path of a socket (unix(7)). */
export const SOCKET_PATH_BYTES = 108;

/** Room for the message of an end without an exit packet. */
export const ENDED_BYTES = 64;

/** The program's data; descriptors and pids are those of its process. */
export const WaiterData = layout("waiter_data", {
  /** struct pollfd: the control socket, the signalfd, the leash: a pipe, or -1. */
  control: Pollfd,
  signals: Pollfd,
  leash: Pollfd,
  /** Signals to pass on: they are blocked. */
  mask: ["u8", SIGSET_SIZE],
  /** Name of the process, NUL at the end. */
  name: ["u8", 16],
  /** Children to wait for at the end; -1: none. */
  sentryPid: "i32",
  goferPid: "i32",
  /** The terminal to restore, or -1. */
  terminal: "i32",
  /** 1: the terminal's size is sent at the start, because it may have changed since it was read. */
  sendsSize: "u32",
  /** -1 until the exit packet arrives. */
  exitCode: "i32",
  /** The exit code if no exit packet arrives. */
  lostCode: "i32",
  /** struct termios before and while the guest has the terminal. */
  saved: Termios,
  raw: Termios,
  packet: ControlPacket,
  status: "i32",
  winsize: Winsize,
  siginfo: SignalfdSiginfo,
  /** Path of a socket to remove at the end, NUL at the end; empty: none. */
  socketPath: ["u8", SOCKET_PATH_BYTES],
  killed: ["u8", 64],
  killedBytes: "u32",
  ended: ["u8", ENDED_BYTES],
  endedBytes: "u32",
});

/** The system calls of the program as a proxy, which has no socket to remove. */
export const WAITER_CALLS: readonly number[] = [
  N.SYS_prctl,
  N.SYS_rt_sigprocmask,
  N.SYS_signalfd4,
  N.SYS_poll,
  N.SYS_recvfrom,
  N.SYS_sendto,
  N.SYS_read,
  N.SYS_write,
  N.SYS_close,
  N.SYS_ioctl,
  N.SYS_kill,
  N.SYS_wait4,
  N.SYS_exit_group,
];
