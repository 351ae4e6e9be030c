/**
 * poll(2), ppoll(2) and select(2).
 *
 * From asm-generic/poll.h. The event bits are also what epoll.ts calls EPOLL*.
 */

import { layout } from "./layout.ts";

/** Events. */
export const POLLIN = 1;
export const POLLPRI = 2;
export const POLLOUT = 4;
export const POLLERR = 8;
export const POLLHUP = 0x10;
export const POLLNVAL = 0x20;
export const POLLRDNORM = 0x40;
export const POLLRDBAND = 0x80;
export const POLLWRNORM = 0x100;
export const POLLWRBAND = 0x200;
export const POLLMSG = 0x400;
export const POLLREMOVE = 0x1000;
export const POLLRDHUP = 0x2000;

/** `struct pollfd`, 8 bytes. */
export const Pollfd = /* @__PURE__ */ layout("pollfd", {
  fd: "i32",
  events: "i16",
  revents: "i16",
});

/** Most descriptors in an `fd_set`. */
export const FD_SETSIZE = 1024;
