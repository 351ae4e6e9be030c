/**
 * inotify(7).
 *
 * From linux/inotify.h.
 */

import { layout } from "./layout.ts";

/** Events that a watch may select. */
export const IN_ACCESS = 1;
export const IN_MODIFY = 2;
export const IN_ATTRIB = 4;
export const IN_CLOSE_WRITE = 8;
export const IN_CLOSE_NOWRITE = 0x10;
export const IN_OPEN = 0x20;
export const IN_MOVED_FROM = 0x40;
export const IN_MOVED_TO = 0x80;
export const IN_CREATE = 0x100;
export const IN_DELETE = 0x200;
export const IN_DELETE_SELF = 0x400;
export const IN_MOVE_SELF = 0x800;
export const IN_CLOSE = 0x18;
export const IN_MOVE = 0xc0;
export const IN_ALL_EVENTS = 0xfff;

/** Events that are sent without selection; options of a watch. */
export const IN_UNMOUNT = 0x2000;
export const IN_Q_OVERFLOW = 0x4000;
export const IN_IGNORED = 0x8000;
export const IN_ONLYDIR = 0x1000000;
export const IN_DONT_FOLLOW = 0x2000000;
export const IN_EXCL_UNLINK = 0x4000000;
export const IN_MASK_CREATE = 0x10000000;
export const IN_MASK_ADD = 0x20000000;
export const IN_ISDIR = 0x40000000;
export const IN_ONESHOT = 0x80000000;

/** Flags of inotify_init1(2). */
export const IN_CLOEXEC = 0o2000000;
export const IN_NONBLOCK = 0o4000;

/** `struct inotify_event`; `name` is NUL-padded to `len` bytes. */
export const InotifyEvent = /* @__PURE__ */ layout("inotify_event", {
  wd: "i32",
  mask: "u32",
  cookie: "u32",
  len: "u32",
  name: ["u8", 0],
});
