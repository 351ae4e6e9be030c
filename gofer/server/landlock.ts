// Landlock for the Gofer of an ordinary user: the host closes every file to it that is not below a root.
//
// It stands in where there may be no private clone of the roots and no empty root directory (confine.ts): the same is then
// asked of the host by another door. It does not cover looking at attributes, so it is less. landlock(7).

import {
  LANDLOCK_ACCESS_FS_EXECUTE,
  LANDLOCK_ACCESS_FS_MAKE_BLOCK,
  LANDLOCK_ACCESS_FS_MAKE_CHAR,
  LANDLOCK_ACCESS_FS_MAKE_DIR,
  LANDLOCK_ACCESS_FS_MAKE_FIFO,
  LANDLOCK_ACCESS_FS_MAKE_REG,
  LANDLOCK_ACCESS_FS_MAKE_SOCK,
  LANDLOCK_ACCESS_FS_MAKE_SYM,
  LANDLOCK_ACCESS_FS_READ_DIR,
  LANDLOCK_ACCESS_FS_READ_FILE,
  LANDLOCK_ACCESS_FS_REFER,
  LANDLOCK_ACCESS_FS_REMOVE_DIR,
  LANDLOCK_ACCESS_FS_REMOVE_FILE,
  LANDLOCK_ACCESS_FS_TRUNCATE,
  LANDLOCK_ACCESS_FS_WRITE_FILE,
  LANDLOCK_ACCESS_NET_BIND_TCP,
  LANDLOCK_ACCESS_NET_CONNECT_TCP,
  LANDLOCK_CREATE_RULESET_VERSION,
  LANDLOCK_RULE_PATH_BENEATH,
  LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET,
  LANDLOCK_SCOPE_SIGNAL,
  LandlockPathBeneathAttr,
  LandlockRulesetAttr,
} from "../../ffi/abi/landlock.ts";
import { PR_SET_NO_NEW_PRIVS } from "../../ffi/abi/prctl.ts";
import { S_IFDIR } from "../../ffi/abi/stat.ts";
import * as N from "../../ffi/abi/syscall_numbers.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { errnoName } from "../../ffi/sys/errors.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { callOnOtherThreads } from "../../ffi/sys/thread_calls.ts";
import { statMode, typeOf } from "../backend/attributes.ts";
import type { ExportRoot } from "../backend/export_root.ts";
import { statxFd } from "../backend/host_calls.ts";

/** The first version that lets files move between directories at all. */
const VERSION_MIN = 2;

const READ = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
const WRITE = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
  LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |
  LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
  LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER |
  LANDLOCK_ACCESS_FS_TRUNCATE;
/** Of these a single file knows. */
const OF_FILES = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
  LANDLOCK_ACCESS_FS_TRUNCATE;

/** What it gives up: all that this version knows of the above, running programs, TCP, signals to others. */
function createRuleset(version: number): number {
  const at = scratch.areaOffset(0), { dv } = scratch, fields = LandlockRulesetAttr.at;
  const files = (READ | WRITE | LANDLOCK_ACCESS_FS_EXECUTE) & known(version);
  const net = LANDLOCK_ACCESS_NET_BIND_TCP | LANDLOCK_ACCESS_NET_CONNECT_TCP;
  dv.setBigUint64(at + fields.handledAccessFs, BigInt(files), true);
  dv.setBigUint64(at + fields.handledAccessNet, BigInt(net), true);
  const scoped = LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LANDLOCK_SCOPE_SIGNAL;
  dv.setBigUint64(at + fields.scoped, BigInt(scoped), true);
  const size = version >= 6
    ? LandlockRulesetAttr.size
    : version >= 4
    ? fields.scoped
    : fields.handledAccessNet;
  return syscall(N.SYS_landlock_create_ruleset, scratch.area(0), size, 0);
}

function known(version: number): number {
  return version >= 3 ? -1 : ~LANDLOCK_ACCESS_FS_TRUNCATE;
}

function allow(ruleset: number, fd: number, rights: number): number {
  let r = statxFd(fd);
  if (r < 0) return r;
  const access = typeOf(statMode()) === S_IFDIR ? rights : rights & OF_FILES;
  const at = scratch.areaOffset(0), fields = LandlockPathBeneathAttr.at;
  scratch.dv.setBigUint64(at + fields.allowedAccess, BigInt(access), true);
  scratch.dv.setInt32(at + fields.parentFd, fd, true);
  r = access === 0 ? 0 : syscall(
    N.SYS_landlock_add_rule,
    ruleset,
    LANDLOCK_RULE_PATH_BENEATH,
    scratch.area(0),
    0,
  );
  return r;
}

/**
 * Leaves this process, on all threads, only the files below the roots; in `removing` (a directory's descriptor or -1) names
 * can still be removed. `taskFd`: /proc/self/task, open. Returns what the host refused, a line each.
 */
export function restrictFiles(
  roots: readonly ExportRoot[],
  removing: number,
  taskFd: number,
): string[] {
  const ask = LANDLOCK_CREATE_RULESET_VERSION;
  const version = syscall(N.SYS_landlock_create_ruleset, 0, 0, ask);
  if (version < 0) return [`landlock: ${errnoName(version)}`];
  if (version < VERSION_MIN) return [`landlock: its version is ${version}`];
  const ruleset = createRuleset(version);
  if (ruleset < 0) return [`landlock: ${errnoName(ruleset)}`];
  const problems: string[] = [];
  for (const root of roots) {
    const rights = (root.isReadOnly ? READ : READ | WRITE) & known(version);
    const r = allow(ruleset, root.fd, rights);
    if (r < 0) problems.push(`landlock: ${root.label}: ${errnoName(r)}`);
  }
  if (removing >= 0) allow(ruleset, removing, LANDLOCK_ACCESS_FS_REMOVE_FILE);
  // A rule that is missing would close a root; better none at all.
  if (problems.length === 0) problems.push(...enforce(ruleset, taskFd));
  syscall(N.SYS_close, ruleset);
  return problems;
}

function enforce(ruleset: number, taskFd: number): string[] {
  const calls: [number, number[]][] = [
    [N.SYS_prctl, [PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0]],
    [N.SYS_landlock_restrict_self, [ruleset, 0]],
  ];
  for (const [nr, args] of calls) {
    const r = syscall(nr, ...args);
    if (r < 0) return [`landlock: ${errnoName(r)}`];
    const others = callOnOtherThreads(taskFd, nr, args);
    if (others.length > 0) return others.map((line) => `landlock: ${line}`);
  }
  return [];
}
