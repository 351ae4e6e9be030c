/**
 * fanotify(7): marks on files, mounts and file systems, and their events.
 *
 * From linux/fanotify.h. Bits of events that inotify(7) has too have the same values there.
 */

import { layout } from "./layout.ts";

/** Events. */
export const FAN_ACCESS = 1;
export const FAN_MODIFY = 2;
export const FAN_ATTRIB = 4;
export const FAN_CLOSE_WRITE = 8;
export const FAN_CLOSE_NOWRITE = 0x10;
export const FAN_OPEN = 0x20;
export const FAN_MOVED_FROM = 0x40;
export const FAN_MOVED_TO = 0x80;
export const FAN_CREATE = 0x100;
export const FAN_DELETE = 0x200;
export const FAN_DELETE_SELF = 0x400;
export const FAN_MOVE_SELF = 0x800;
export const FAN_OPEN_EXEC = 0x1000;
export const FAN_Q_OVERFLOW = 0x4000;
export const FAN_FS_ERROR = 0x8000;
export const FAN_OPEN_PERM = 0x10000;
export const FAN_ACCESS_PERM = 0x20000;
export const FAN_OPEN_EXEC_PERM = 0x40000;
export const FAN_RENAME = 0x10000000;
/** Options of a mark. */
export const FAN_EVENT_ON_CHILD = 0x8000000;
export const FAN_ONDIR = 0x40000000;

/** Flags of fanotify_init(2). */
export const FAN_CLOEXEC = 1;
export const FAN_NONBLOCK = 2;
export const FAN_CLASS_NOTIF = 0;
export const FAN_CLASS_CONTENT = 4;
export const FAN_CLASS_PRE_CONTENT = 8;
export const FAN_UNLIMITED_QUEUE = 0x10;
export const FAN_UNLIMITED_MARKS = 0x20;
export const FAN_REPORT_PIDFD = 0x80;
export const FAN_REPORT_TID = 0x100;
export const FAN_REPORT_FID = 0x200;
export const FAN_REPORT_DIR_FID = 0x400;
export const FAN_REPORT_NAME = 0x800;
export const FAN_REPORT_TARGET_FID = 0x1000;

/** Flags of fanotify_mark(2). */
export const FAN_MARK_ADD = 1;
export const FAN_MARK_REMOVE = 2;
export const FAN_MARK_DONT_FOLLOW = 4;
export const FAN_MARK_ONLYDIR = 8;
export const FAN_MARK_INODE = 0;
export const FAN_MARK_MOUNT = 0x10;
export const FAN_MARK_IGNORED_MASK = 0x20;
export const FAN_MARK_IGNORED_SURV_MODIFY = 0x40;
export const FAN_MARK_FLUSH = 0x80;
export const FAN_MARK_FILESYSTEM = 0x100;
export const FAN_MARK_EVICTABLE = 0x200;
export const FAN_MARK_IGNORE = 0x400;

/** Types of the records behind an event's metadata. */
export const FAN_EVENT_INFO_TYPE_FID = 1;
export const FAN_EVENT_INFO_TYPE_DFID_NAME = 2;
export const FAN_EVENT_INFO_TYPE_DFID = 3;
export const FAN_EVENT_INFO_TYPE_PIDFD = 4;
export const FAN_EVENT_INFO_TYPE_OLD_DFID_NAME = 10;
export const FAN_EVENT_INFO_TYPE_NEW_DFID_NAME = 12;

/** Responses to permission events. */
export const FAN_ALLOW = 1;
export const FAN_DENY = 2;
export const FAN_AUDIT = 0x10;
export const FAN_INFO = 0x20;

export const FANOTIFY_METADATA_VERSION = 3;
export const FAN_NOFD = -1;
export const FAN_NOPIDFD = -1;
export const FAN_EPIDFD = -2;

export const FanotifyEventMetadata = /* @__PURE__ */ layout("fanotify_event_metadata", {
  eventLen: "u32",
  vers: "u8",
  reserved: "u8",
  metadataLen: "u16",
  mask: "u64",
  fd: "i32",
  pid: "i32",
});

export const FanotifyEventInfoHeader = /* @__PURE__ */ layout("fanotify_event_info_header", {
  infoType: "u8",
  pad: "u8",
  len: "u16",
});

export const FanotifyResponse = /* @__PURE__ */ layout("fanotify_response", {
  fd: "i32",
  response: "u32",
});
