/**
 * A file system that is configured step by step: fsopen(2), fspick(2), fsconfig(2), fsmount(2).
 * Parameters are collected, and checked when a command comes.
 *
 * DIFFERS: Linux refuses an unknown parameter when it is set. Neighbours: mount_tree.ts (attaches
 * mounts), mount.ts.
 */

import type { Account } from "../../core/account.ts";
import {
  EBADF,
  EBUSY,
  EFAULT,
  EINVAL,
  ENODATA,
  ENODEV,
  ENOMEM,
  ENOSPC,
  EOPNOTSUPP,
} from "../../../ffi/abi/errno.ts";
import { AT_FDCWD, O_PATH, O_RDWR } from "../../../ffi/abi/fcntl.ts";
import * as M from "../../../ffi/abi/mount.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { flatString } from "../../core/bytes.ts";
import { MOUNTS, TEXT_BYTES } from "../../core/quota.ts";
import type { UserNamespace } from "../../cred/user_namespace.ts";
import { AnonFile, type AnonFiles } from "../../fs/anonfd/anon_inode.ts";
import type { FsType } from "../../fs/fs_types.ts";
import type { Task } from "../../task/task.ts";
import type { Path } from "../../vfs/dentry.ts";
import { dropPath, holdPath } from "../../vfs/dentry.ts";
import { rootDentryOf } from "../../vfs/dentry_cache.ts";
import type { FileSystem } from "../../vfs/inode.ts";
import { newMount } from "../../vfs/mount_links.ts";
import { mayMount, remount } from "../../vfs/mount_operations.ts";
import { locksOfNewMount } from "../../vfs/revealing.ts";
import { installNew } from "../io/install.ts";
import { findAt } from "./arguments.ts";
import { MountFile } from "./mount_file.ts";
import { makeFileSystem, ownerOf } from "./new_file_system.ts";
import { flagsOfAttributes } from "./mount_attributes.ts";

/** LIMIT: bytes of a parameter's name and value. */
const TEXT_MAX = 256, BLOB_MAX = 1 << 20;
/** LIMIT: bytes of all parameters together: those of mount(2). */
const OPTIONS_MAX = 4096;
/** Bytes of an option in the kernel's heap beside its characters. */
const OPTION_BYTES = 100;

/** Phases of a context. */
const PARAMETERS = 0, MADE = 1, CHANGES = 2, FAILED = 3;

export class ContextFile extends AnonFile {
  readonly type: FsType | null;
  /**
   * User namespace of the task that opened the context, which owns the file system, whatever task
   * continues.
   */
  readonly userNs: UserNamespace;
  /** The mount to reconfigure (fspick), with a reference. */
  readonly picked: Path | null;
  phase: number;
  source: string | null = null;
  isReadOnly: boolean | null = null;
  readonly options: string[] = [];
  made: FileSystem | null = null;
  private optionBytes: number = 0;
  /** Its charge to TEXT_BYTES. */
  private charged: number = 0;

  constructor(
    account: Account,
    anon: AnonFiles,
    type: FsType | null,
    picked: Path | null,
    userNs: UserNamespace,
  ) {
    super(account, anon, O_RDWR);
    this.type = type;
    this.userNs = userNs.hold();
    this.picked = picked === null ? null : holdPath(picked);
    this.phase = picked === null ? PARAMETERS : CHANGES;
  }

  override describe(): string {
    return "anon_inode:[fscontext]";
  }
  /** read(2) returns messages about errors: there are none. */
  override read(): number {
    return -ENODATA;
  }

  protected override release(): void {
    if (this.picked !== null) dropPath(this.picked);
    this.discard();
    this.userNs.drop();
    TEXT_BYTES.give(this.charged, this.account);
  }

  /** Adds a parameter: 0, -EINVAL when all are too long together, or -ENOMEM. */
  add(option: string): number {
    this.optionBytes += option.length + 1;
    if (this.optionBytes > OPTIONS_MAX) return -EINVAL;
    if (!TEXT_BYTES.take(option.length + OPTION_BYTES, this.account)) return -ENOMEM;
    this.charged += option.length + OPTION_BYTES;
    this.options.push(flatString(option));
    return 0;
  }

  /** Destroys a file system that was made and not mounted. */
  discard(): void {
    const fs = this.made;
    this.made = null;
    if (fs !== null && fs.mounts === 0) fs.destroy();
  }
}

export function sysFsopen(t: Task, a: SyscallArgs): number {
  const may = mayMount(t);
  if (may < 0) return may;
  const flags = a.u32(1);
  if ((flags & ~M.FSOPEN_CLOEXEC) !== 0) return -EINVAL;
  const name = t.mm.cstring(a.u64(0), 4096);
  if (typeof name === "number") return name;
  const type = t.kernel.fsTypes.find(name);
  if (type === null) return -ENODEV;
  return installNew(
    t,
    new ContextFile(t.account, t.kernel.anon, type, null, ownerOf(t, type)),
    (flags & M.FSOPEN_CLOEXEC) !== 0,
  );
}

export function sysFspick(t: Task, a: SyscallArgs): number {
  const may = mayMount(t), flags = a.u32(2);
  if (may < 0) return may;
  const known = M.FSPICK_CLOEXEC | M.FSPICK_SYMLINK_NOFOLLOW | M.FSPICK_NO_AUTOMOUNT |
    M.FSPICK_EMPTY_PATH;
  if ((flags & ~known) !== 0) return -EINVAL;
  const path = findAt(t, a.i32(0), a.u64(1), {
    follows: (flags & M.FSPICK_SYMLINK_NOFOLLOW) === 0,
    mayBeEmpty: (flags & M.FSPICK_EMPTY_PATH) !== 0,
  });
  if (typeof path === "number") return path;
  if (path.dentry !== path.mount.root) return -EINVAL;
  return installNew(
    t,
    new ContextFile(t.account, t.kernel.anon, null, path, t.cred.userNs),
    (flags & M.FSPICK_CLOEXEC) !== 0,
  );
}

export function sysFsconfig(t: Task, a: SyscallArgs): number {
  const command = a.u32(1), key = a.u64(2), value = a.u64(3), aux = a.i32(4);
  if (a.i32(0) < 0) return -EINVAL;
  const r = checkArguments(command, key !== 0, value !== 0, aux);
  if (r < 0) return r;
  const file = t.files.get(a.i32(0));
  if (file === null) return -EBADF;
  if (!(file instanceof ContextFile)) return -EINVAL;
  switch (command) {
    case M.FSCONFIG_CMD_CREATE:
      return file.phase === PARAMETERS ? createFileSystem(t, file) : -EBUSY;
    case M.FSCONFIG_CMD_RECONFIGURE:
      return file.phase === CHANGES ? changePicked(t, file) : -EBUSY;
    case M.FSCONFIG_SET_FLAG:
    case M.FSCONFIG_SET_STRING:
      return setParameter(t, file, key, command === M.FSCONFIG_SET_FLAG ? 0 : value);
    default:
      // No file system here has parameters of these kinds.
      return file.phase === PARAMETERS || file.phase === CHANGES ? -EINVAL : -EBUSY;
  }
}

/** Checks the arguments of a command (fsconfig(2)). */
function checkArguments(command: number, hasKey: boolean, hasValue: boolean, aux: number): number {
  const ok = (isRight: boolean) => isRight ? 0 : -EINVAL;
  switch (command) {
    case M.FSCONFIG_SET_FLAG:
      return ok(hasKey && !hasValue && aux === 0);
    case M.FSCONFIG_SET_STRING:
      return ok(hasKey && hasValue && aux === 0);
    case M.FSCONFIG_SET_BINARY:
      return ok(hasKey && hasValue && aux > 0 && aux <= BLOB_MAX);
    case M.FSCONFIG_SET_PATH:
    case M.FSCONFIG_SET_PATH_EMPTY:
      return ok(hasKey && hasValue && (aux === AT_FDCWD || aux >= 0));
    case M.FSCONFIG_SET_FD:
      return ok(hasKey && !hasValue && aux >= 0);
    case M.FSCONFIG_CMD_CREATE:
    case M.FSCONFIG_CMD_RECONFIGURE:
      return ok(!hasKey && !hasValue && aux === 0);
    default:
      return -EOPNOTSUPP;
  }
}

/** @param value 0 for a parameter that is a word alone */
function setParameter(t: Task, file: ContextFile, key: number, value: number): number {
  const name = t.mm.cstring(key, TEXT_MAX);
  if (typeof name === "number") return name === -EFAULT ? name : -EINVAL;
  const text = value === 0 ? null : t.mm.cstring(value, TEXT_MAX);
  if (typeof text === "number") return text === -EFAULT ? text : -EINVAL;
  if (file.phase !== PARAMETERS && file.phase !== CHANGES) return -EBUSY;
  if (name === "source") {
    if (text === null || file.source !== null) return -EINVAL;
    file.source = flatString(text);
  } else if (text === null && (name === "ro" || name === "rw")) file.isReadOnly = name === "ro";
  else if (name === "" || name.includes(",") || (text ?? "").includes(",")) return -EINVAL;
  else return file.add(text === null ? name : `${name}=${text}`);
  return 0;
}

function createFileSystem(t: Task, file: ContextFile): number {
  const { type } = file;
  if (type === null) return -EBUSY;
  file.phase = FAILED;
  const may = mayMount(t);
  if (may < 0) return may;
  const source = file.source ?? "none", options = file.options.join(",");
  const fs = makeFileSystem(t, type, file.userNs, source, options);
  if (typeof fs === "number") return fs;
  if (file.isReadOnly === true) fs.readOnly = true;
  file.made = fs;
  file.phase = MADE;
  return 0;
}

function changePicked(t: Task, file: ContextFile): number {
  const { picked } = file;
  if (picked === null) return -EBUSY;
  const may = mayMount(t);
  if (may < 0) return may;
  const isReadOnly = file.isReadOnly ?? picked.mount.fs.readOnly;
  // Changes the flags of the file system; those of the mount stay.
  const { flags } = picked.mount;
  const wanted = (flags & ~M.MS_RDONLY) | (isReadOnly ? M.MS_RDONLY : 0);
  const r = remount(t, picked, wanted, false, file.options.join(","));
  if (r < 0) return r;
  picked.mount.flags = flags;
  file.options.length = 0;
  file.isReadOnly = null;
  return 0;
}

export function sysFsmount(t: Task, a: SyscallArgs): number {
  const may = mayMount(t), flags = a.u32(1);
  if (may < 0) return may;
  if ((flags & ~M.FSMOUNT_CLOEXEC) !== 0) return -EINVAL;
  const mountFlags = flagsOfAttributes(a.u32(2));
  if (mountFlags < 0) return mountFlags;
  const file = t.files.get(a.i32(0));
  if (file === null) return -EBADF;
  if (!(file instanceof ContextFile)) return -EINVAL;
  if (file.phase === PARAMETERS) return -EINVAL;
  const fs = file.made;
  if (file.phase !== MADE || fs === null) return -EBUSY;
  const { namespace } = t.fs;
  const locks = locksOfNewMount(namespace, fs, mountFlags);
  if (typeof locks === "number") return locks;
  if (!MOUNTS.hasRoom(1, t.account)) return -ENOSPC;
  const mount = newMount(t.account, namespace.vfs, fs, rootDentryOf(fs), mountFlags, fs.source);
  mount.lockFlags(locks.flags, locks.hasAtime);
  file.made = null;
  file.phase = FAILED;
  const root = MountFile.open(t, mount, O_PATH, namespace);
  return installNew(t, root, (flags & M.FSMOUNT_CLOEXEC) !== 0);
}
