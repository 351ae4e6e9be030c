/**
 * Landlock: the host closes every file to the Gofer that is not below a root, whatever descriptor
 * the Gofer has.
 *
 * Behind private clones of the roots and an empty root directory (confine.ts) it is a second
 * confinement. In a process of an ordinary user, which has neither, it is the only one; it is
 * weaker, since it does not cover reading attributes. landlock(7).
 *
 * A rule applies to an inode. Mounts below a root, also later ones, are covered, since the way from
 * a file to the root leads through mounts. Connecting to a UNIX socket by its name needs no right.
 */

import {
  LANDLOCK_ACCESS_FS_EXECUTE,
  LANDLOCK_ACCESS_FS_IOCTL_DEV,
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

/** The first version in which files can move between directories. */
export const VERSION_MIN = 2;
/** The first version that confines signals. */
const SCOPES_MIN = 6;

const READ = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
const WRITE = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
  LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |
  LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
  LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER |
  LANDLOCK_ACCESS_FS_TRUNCATE;
/** The rights of READ and WRITE that a rule for a single file can have. */
const FILE_RIGHTS = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
  LANDLOCK_ACCESS_FS_TRUNCATE;

/** The host's version; below 0 where it has no Landlock or does not use it. */
export function landlockVersion(): number {
  return syscall(N.SYS_landlock_create_ruleset, 0, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

/** What a ruleset denies: LANDLOCK_ACCESS_FS_*, LANDLOCK_ACCESS_NET_*, LANDLOCK_SCOPE_*. */
interface Denied {
  readonly files: number;
  readonly network: number;
  readonly scopes: number;
}

/** All that a ruleset can deny of files: execve(2) and requests to devices too. */
const FILES = READ | WRITE | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_IOCTL_DEV;

const SCOPES = LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LANDLOCK_SCOPE_SIGNAL;
const TCP = LANDLOCK_ACCESS_NET_BIND_TCP | LANDLOCK_ACCESS_NET_CONNECT_TCP;

/**
 * Creates a ruleset without rules. It denies what is listed, as far as `version` can. Returns a
 * descriptor or -errno.
 */
function createRuleset(version: number, { files, network, scopes }: Denied): number {
  const at = scratch.areaOffset(0), { dv } = scratch, fields = LandlockRulesetAttr.at;
  const known = BigInt(files & knownRights(version));
  dv.setBigUint64(at + fields.handledAccessFs, known, true);
  dv.setBigUint64(at + fields.handledAccessNet, BigInt(network), true);
  dv.setBigUint64(at + fields.scoped, BigInt(scopes), true);
  const size = version >= SCOPES_MIN
    ? LandlockRulesetAttr.size
    : version >= 4
    ? fields.scoped
    : fields.handledAccessNet;
  return syscall(N.SYS_landlock_create_ruleset, scratch.area(0), size, 0);
}

/** The mask of the rights to files that `version` has. */
function knownRights(version: number): number {
  const unknown = (version >= 3 ? 0 : LANDLOCK_ACCESS_FS_TRUNCATE) |
    (version >= 5 ? 0 : LANDLOCK_ACCESS_FS_IOCTL_DEV);
  return ~unknown;
}

/** Adds a rule: `rights` to the file or directory `fd` and all below it. 0 or -errno. */
function allowBelow(ruleset: number, fd: number, rights: number): number {
  let r = statxFd(fd);
  if (r < 0) return r;
  const access = typeOf(statMode()) === S_IFDIR ? rights : rights & FILE_RIGHTS;
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
 * Leaves this process, on all threads, only the files below the roots; in `removing` (a directory's
 * descriptor or -1) names can still be removed. `taskFd`: /proc/self/task, open. Needs version
 * VERSION_MIN. Returns what the host refused, a line each.
 */
export function restrictFiles(
  roots: readonly ExportRoot[],
  removing: number,
  taskFd: number,
): string[] {
  const version = landlockVersion();
  const ruleset = createRuleset(version, { files: FILES, network: TCP, scopes: SCOPES });
  if (ruleset < 0) return [`landlock: ${errnoName(ruleset)}`];
  const problems: string[] = [];
  for (const root of roots) {
    const rights = (root.isReadOnly ? READ : READ | WRITE) & knownRights(version);
    const r = allowBelow(ruleset, root.fd, rights);
    if (r < 0) problems.push(`landlock: ${root.label}: ${errnoName(r)}`);
  }
  if (removing >= 0) allowBelow(ruleset, removing, LANDLOCK_ACCESS_FS_REMOVE_FILE);
  // A root without its rule could not be opened, so the ruleset is enforced with all rules or not.
  if (problems.length === 0) problems.push(...enforceRuleset(ruleset, taskFd));
  syscall(N.SYS_close, ruleset);
  return problems;
}

/**
 * Closes all files to this process, on all threads, and TCP unless it has a network. Signals are
 * for `keepSignalsInside`, because children may be older than this ruleset.
 *
 * @param taskFd as for `restrictFiles`
 * @returns what the host refused, a line each
 */
export function forbidFiles(taskFd: number, hasNetwork: boolean): string[] {
  const version = landlockVersion();
  if (version < VERSION_MIN) return [`landlock: version ${version}, not ${VERSION_MIN}`];
  const network = hasNetwork ? 0 : TCP;
  return deny(version, { files: FILES, network, scopes: 0 }, taskFd);
}

/**
 * Keeps signals, and connections to abstract sockets, among this process and the children that it
 * starts from now on. Does nothing on a host whose Landlock cannot.
 *
 * @returns what the host refused, a line each
 */
export function keepSignalsInside(taskFd: number): string[] {
  const version = landlockVersion();
  if (version < SCOPES_MIN) return [];
  return deny(version, { files: 0, network: 0, scopes: SCOPES }, taskFd);
}

function deny(version: number, denied: Denied, taskFd: number): string[] {
  const ruleset = createRuleset(version, denied);
  if (ruleset < 0) return [`landlock: ${errnoName(ruleset)}`];
  const problems = enforceRuleset(ruleset, taskFd);
  syscall(N.SYS_close, ruleset);
  return problems;
}

/** Applies the ruleset to all threads, for good. Returns what the host refused, a line each. */
function enforceRuleset(ruleset: number, taskFd: number): string[] {
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
