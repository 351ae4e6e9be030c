/**
 * landlock_create_ruleset(2), landlock_add_rule(2), landlock_restrict_self(2): version 6 of the
 * interface, landlock(7).
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import type { Account } from "../../core/account.ts";
import { CAP_SYS_ADMIN } from "../../../ffi/abi/capability.ts";
import {
  E2BIG,
  EBADF,
  EBADFD,
  EFAULT,
  EINVAL,
  ENOMEM,
  ENOMSG,
  EPERM,
} from "../../../ffi/abi/errno.ts";
import { O_RDWR } from "../../../ffi/abi/fcntl.ts";
import {
  LANDLOCK_ACCESS_NET_BIND_TCP,
  LANDLOCK_ACCESS_NET_CONNECT_TCP,
  LANDLOCK_CREATE_RULESET_VERSION,
  LANDLOCK_RULE_NET_PORT,
  LANDLOCK_RULE_PATH_BENEATH,
  LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET,
  LANDLOCK_SCOPE_SIGNAL,
  LandlockNetPortAttr,
  LandlockPathBeneathAttr,
  LandlockRulesetAttr,
} from "../../../ffi/abi/landlock.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { hasOwnCap } from "../../cred/credentials.ts";
import { Domain, type Handled, MAX_LAYERS, RuleTable } from "../domain.ts";
import { AnonFile, type AnonFiles } from "../../fs/anonfd/anon_inode.ts";
import type { Task } from "../../task/task.ts";
import { isDirectory } from "../../vfs/access.ts";
import { ACCESS_FILE, ACCESS_FS } from "../file_access.ts";
import { copyInStruct } from "../../syscalls/copy_struct.ts";
import { installNew } from "../../syscalls/io/install.ts";

const VERSION = 6;
const ACCESS_NET = LANDLOCK_ACCESS_NET_BIND_TCP | LANDLOCK_ACCESS_NET_CONNECT_TCP;
const SCOPES = LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LANDLOCK_SCOPE_SIGNAL;
const TWO32 = 0x100000000;

/** A ruleset that is not in force yet. */
export class RulesetFile extends AnonFile {
  readonly handled: Handled;
  readonly rules: RuleTable;

  constructor(account: Account, anon: AnonFiles, handled: Handled) {
    super(account, anon, O_RDWR);
    this.handled = handled;
    this.rules = new RuleTable(account);
  }

  override describe(): string {
    return "anon_inode:[landlock-ruleset]";
  }
  protected override release(): void {
    this.rules.clear();
  }
}

export function sysLandlockCreateRuleset(t: Task, a: SyscallArgs): number {
  const addr = a.u64(0), size = a.u64(1), flags = a.u32(2);
  if (flags !== 0) {
    const asks = flags === LANDLOCK_CREATE_RULESET_VERSION && addr === 0 && size === 0;
    return asks ? VERSION : -EINVAL;
  }
  if (addr === 0) return -EFAULT;
  if (size < LandlockRulesetAttr.sizeOf.handledAccessFs) return -EINVAL;
  if (size > PAGE_SIZE) return -E2BIG;
  const r = copyInStruct(t, addr, size, LandlockRulesetAttr.size);
  if (r < 0) return r;
  const { at } = LandlockRulesetAttr;
  const fs = maskAt(t, at.handledAccessFs, ACCESS_FS);
  const net = maskAt(t, at.handledAccessNet, ACCESS_NET), scoped = maskAt(t, at.scoped, SCOPES);
  if (fs < 0 || net < 0 || scoped < 0) return -EINVAL;
  if (fs === 0 && net === 0 && scoped === 0) return -ENOMSG;
  return installNew(t, new RulesetFile(t.account, t.kernel.anon, { fs, net, scoped }), true);
}

/** The mask in the scratch buffer, of which only the bits in `valid` are permitted, or -1. */
function maskAt(t: Task, at: number, valid: number): number {
  const { dv } = t.kernel.scratch, lo = dv.getUint32(at, true);
  return dv.getUint32(at + 4, true) !== 0 || (lo & ~valid) !== 0 ? -1 : lo;
}

function rulesetOf(t: Task, fd: number): RulesetFile | number {
  const file = t.files.get(fd);
  if (file === null) return -EBADF;
  return file instanceof RulesetFile ? file : -EBADFD;
}

export function sysLandlockAddRule(t: Task, a: SyscallArgs): number {
  const type = a.i32(1), addr = a.u64(2);
  if (a.u32(3) !== 0) return -EINVAL;
  const ruleset = rulesetOf(t, a.i32(0));
  if (typeof ruleset === "number") return ruleset;
  if (type === LANDLOCK_RULE_PATH_BENEATH) return addPath(t, ruleset, addr);
  return type === LANDLOCK_RULE_NET_PORT ? addPort(t, ruleset, addr) : -EINVAL;
}

/** The rights of a rule: -ENOMSG for none, -EINVAL for rights that the ruleset does not handle. */
function rightsIn(t: Task, handled: number): number {
  const access = maskAt(t, 0, handled);
  return access === 0 ? -ENOMSG : access < 0 ? -EINVAL : access;
}

function addPath(t: Task, ruleset: RulesetFile, addr: number): number {
  const { u8, dv } = t.kernel.scratch, { size, at } = LandlockPathBeneathAttr;
  if (t.mm.copyIn(u8, 0, addr, size) !== 0) return -EFAULT;
  const access = rightsIn(t, ruleset.handled.fs);
  if (access < 0) return access;
  const file = t.files.getAny(dv.getInt32(at.parentFd, true));
  if (file === null) return -EBADF;
  if (file.path === null || file.path.dentry.fs.isInternal) return -EBADFD;
  const { inode } = file.path.dentry;
  if (inode === null) return -EBADFD;
  if (!isDirectory(inode) && (access & ~ACCESS_FILE) !== 0) return -EINVAL;
  return ruleset.rules.allowFile(inode, access) ? 0 : -ENOMEM;
}

function addPort(t: Task, ruleset: RulesetFile, addr: number): number {
  const { u8, dv } = t.kernel.scratch, { size, at } = LandlockNetPortAttr;
  if (t.mm.copyIn(u8, 0, addr, size) !== 0) return -EFAULT;
  const access = rightsIn(t, ruleset.handled.net);
  if (access < 0) return access;
  const port = dv.getUint32(at.port, true) + dv.getUint32(at.port + 4, true) * TWO32;
  if (port > 65535) return -EINVAL;
  return ruleset.rules.allowPort(port, access) ? 0 : -ENOMEM;
}

export function sysLandlockRestrictSelf(t: Task, a: SyscallArgs): number {
  if (!t.cred.noNewPrivs && !hasOwnCap(t.cred, CAP_SYS_ADMIN)) return -EPERM;
  if (a.u32(1) !== 0) return -EINVAL;
  const ruleset = rulesetOf(t, a.i32(0));
  if (typeof ruleset === "number") return ruleset;
  const { domain } = t.cred;
  if (domain !== null && domain.level + 1 >= MAX_LAYERS) return -E2BIG;
  const rules = ruleset.rules.copy(t.account);
  if (rules === null) return -ENOMEM;
  t.cred = { ...t.cred, domain: new Domain(domain, ruleset.handled, rules) };
  // The new domain holds it.
  domain?.drop();
  return 0;
}
