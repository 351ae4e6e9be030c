/**
 * epoll(7), eventfd(2) and signalfd(2).
 *
 * From linux/eventpoll.h, linux/eventfd.h and linux/signalfd.h.
 */

import { layout } from "./layout.ts";

/** Operations and flags. */
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CTL_MOD = 3;
export const EPOLL_CLOEXEC = 0x80000;

/** Events. */
export const EPOLLIN = 1;
export const EPOLLPRI = 2;
export const EPOLLOUT = 4;
export const EPOLLERR = 8;
export const EPOLLHUP = 0x10;
export const EPOLLNVAL = 0x20;
export const EPOLLRDNORM = 0x40;
export const EPOLLRDBAND = 0x80;
export const EPOLLWRNORM = 0x100;
export const EPOLLWRBAND = 0x200;
export const EPOLLMSG = 0x400;
export const EPOLLRDHUP = 0x2000;
export const EPOLLEXCLUSIVE = 0x10000000;
export const EPOLLWAKEUP = 0x20000000;
export const EPOLLONESHOT = 0x40000000;
export const EPOLLET = 0x80000000;

/** eventfd2(2) and signalfd4(2). */
export const EFD_SEMAPHORE = 1;
export const EFD_CLOEXEC = 0x80000;
export const EFD_NONBLOCK = 0x800;
export const SFD_CLOEXEC = 0x80000;
export const SFD_NONBLOCK = 0x800;

/** LIMIT: nesting of epoll files; and the bound of `maxevents` (fs/eventpoll.c). */
export const EP_MAX_NESTS = 4;
export const EP_MAX_EVENTS = 178956970;

/** `struct epoll_event`: packed on x86-64, 12 bytes. */
export const EpollEvent = /* @__PURE__ */ layout("epoll_event", { events: "u32", data: "u64" }, {
  packed: true,
});

/** Requests of ioctl(2) on an epoll file, and `struct epoll_params`. */
export const EPIOCSPARAMS = 0x40088a01;
export const EPIOCGPARAMS = 0x80088a02;
export const EpollParams = /* @__PURE__ */ layout("epoll_params", {
  busyPollUsecs: "u32",
  busyPollBudget: "u16",
  preferBusyPoll: "u8",
  pad: "u8",
});
/** `struct signalfd_siginfo`, 128 bytes. */
export const SignalfdSiginfo = /* @__PURE__ */ layout("signalfd_siginfo", {
  signo: "u32",
  errno: "i32",
  code: "i32",
  pid: "u32",
  uid: "u32",
  fd: "i32",
  tid: "u32",
  band: "u32",
  overrun: "u32",
  trapno: "u32",
  status: "i32",
  int: "i32",
  ptr: "u64",
  utime: "u64",
  stime: "u64",
  addr: "u64",
  addrLsb: "u16",
  pad2: "u16",
  syscall: "i32",
  callAddr: "u64",
  arch: "u32",
  pad: ["u8", 28],
});
