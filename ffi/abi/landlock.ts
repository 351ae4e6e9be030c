/**
 * Landlock: a process without privilege drops rights to files, for good. landlock(7).
 *
 * From linux/landlock.h.
 */

import { layout } from "./layout.ts";

/**
 * Flag of landlock_create_ruleset(2): returns the version of the interface, and makes no ruleset.
 */
export const LANDLOCK_CREATE_RULESET_VERSION = 1;

/** Kinds of rules. */
export const LANDLOCK_RULE_PATH_BENEATH = 1;
/** Since version 4. */
export const LANDLOCK_RULE_NET_PORT = 2;

export const LANDLOCK_ACCESS_FS_EXECUTE = 1;
export const LANDLOCK_ACCESS_FS_WRITE_FILE = 2;
export const LANDLOCK_ACCESS_FS_READ_FILE = 4;
export const LANDLOCK_ACCESS_FS_READ_DIR = 8;
export const LANDLOCK_ACCESS_FS_REMOVE_DIR = 0x10;
export const LANDLOCK_ACCESS_FS_REMOVE_FILE = 0x20;
export const LANDLOCK_ACCESS_FS_MAKE_CHAR = 0x40;
export const LANDLOCK_ACCESS_FS_MAKE_DIR = 0x80;
export const LANDLOCK_ACCESS_FS_MAKE_REG = 0x100;
export const LANDLOCK_ACCESS_FS_MAKE_SOCK = 0x200;
export const LANDLOCK_ACCESS_FS_MAKE_FIFO = 0x400;
export const LANDLOCK_ACCESS_FS_MAKE_BLOCK = 0x800;
export const LANDLOCK_ACCESS_FS_MAKE_SYM = 0x1000;
/** Since version 2. */
export const LANDLOCK_ACCESS_FS_REFER = 0x2000;
/** Since version 3. */
export const LANDLOCK_ACCESS_FS_TRUNCATE = 0x4000;
/** Since version 5. */
export const LANDLOCK_ACCESS_FS_IOCTL_DEV = 0x8000;

/** Since version 4. */
export const LANDLOCK_ACCESS_NET_BIND_TCP = 1;
export const LANDLOCK_ACCESS_NET_CONNECT_TCP = 2;

/** Since version 6. */
export const LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET = 1;
export const LANDLOCK_SCOPE_SIGNAL = 2;

/**
 * The second field came with version 4, the third with 6: older hosts refuse a longer structure.
 */
export const LandlockRulesetAttr = /* @__PURE__ */ layout("landlock_ruleset_attr", {
  handledAccessFs: "u64",
  handledAccessNet: "u64",
  scoped: "u64",
});

export const LandlockPathBeneathAttr = /* @__PURE__ */ layout("landlock_path_beneath_attr", {
  allowedAccess: "u64",
  parentFd: "i32",
}, { packed: true });

export const LandlockNetPortAttr = /* @__PURE__ */ layout("landlock_net_port_attr", {
  allowedAccess: "u64",
  port: "u64",
});
