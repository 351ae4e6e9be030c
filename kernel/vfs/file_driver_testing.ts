/**
 * One interface over files for tests that compare file systems (exerciser_testing.ts): `VfsDriver`
 * calls this kernel's VFS, `HostDriver` calls the host's kernel. Every method returns a string or
 * number: a result, or the name of an error.
 */

import { AT_FDCWD, AT_REMOVEDIR } from "../../ffi/abi/fcntl.ts";
import { Stat } from "../../ffi/abi/stat.ts";
import * as nr from "../../ffi/abi/syscall_numbers.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { bytesToString, stringToBytes } from "../core/bytes.ts";
import { userCredentials } from "../cred/credentials.ts";
import {
  chmodAt,
  chownAt,
  removePrivileges,
  truncateAt,
  truncateFile,
  utimensAt,
} from "./attributes.ts";
import { linkAt, mkdirAt, mknodAt, symlinkAt } from "./create.ts";
import { fallocateFile } from "./fallocate.ts";
import type { Inode } from "./inode.ts";
import { openAt } from "./open.ts";
import { rmdirAt, unlinkAt } from "./remove.ts";
import { renameAt } from "./rename.ts";
import { accessAt, findAt, readlinkAt, statAt } from "./status.ts";
import { BufferCursor, errno, readBytes, type TestCaller } from "./vfs_testing.ts";
import {
  checkXattrName,
  checkXattrSize,
  getXattr,
  listXattr,
  removeXattr,
  setXattr,
} from "./xattr.ts";

/** CAP_CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID, LINUX_IMMUTABLE, MKNOD. */
const FS_CAPS = 0x800021f | 0;

export type Answer = string | number;

export interface FileDriver {
  readonly name: string;
  /**
   * Makes the following calls as another user, without the file capabilities unless the user is 0.
   */
  setUser(uid: number): void;
  mkdir(path: string, mode: number): Answer;
  rmdir(path: string): Answer;
  unlink(path: string): Answer;
  mknod(path: string, mode: number, rdev: number): Answer;
  symlink(target: string, path: string): Answer;
  link(from: string, to: string, flags: number): Answer;
  rename(from: string, to: string, flags: number): Answer;
  chmod(path: string, mode: number): Answer;
  chown(path: string, uid: number, gid: number, flags: number): Answer;
  truncate(path: string, size: number): Answer;
  access(path: string, mode: number): Answer;
  touch(path: string, flags: number): Answer;
  /** Type, mode, owner, links, size (not of directories), device number. */
  stat(path: string, flags: number): Answer;
  readlink(path: string): Answer;
  /** Sorted names with types. */
  list(path: string): Answer;
  getxattr(path: string, name: string): Answer;
  setxattr(path: string, name: string, value: string, flags: number): Answer;
  removexattr(path: string, name: string): Answer;
  listxattr(path: string): Answer;
  /** A handle (a small number) or an error. */
  open(path: string, flags: number, mode: number): Answer;
  close(handle: number): Answer;
  pread(handle: number, offset: number, len: number): Answer;
  pwrite(handle: number, offset: number, text: string): Answer;
  ftruncate(handle: number, size: number): Answer;
  fallocate(handle: number, mode: number, offset: number, len: number): Answer;
  fstat(handle: number): Answer;
  destroy(): void;
}

function statText(
  mode: number,
  uid: number,
  gid: number,
  nlink: number,
  size: number,
  rdev: number,
): string {
  const isDir = (mode & 0o170000) === 0o40000;
  return `${mode.toString(8)} ${uid}:${gid} links ${isDir ? "-" : nlink} size ${
    isDir ? "-" : size
  } rdev ${rdev}`;
}

function ofInode(i: Inode): string {
  return statText(i.mode, i.uid, i.gid, i.nlink, i.size, i.rdev);
}

/** Makes the calls through the VFS, relative to the caller's working directory. */
export class VfsDriver implements FileDriver {
  readonly name: string;
  private root: TestCaller;
  private caller: TestCaller;
  protected uid: number = 0;

  constructor(name: string, root: TestCaller) {
    this.name = name;
    this.root = root;
    this.caller = root;
  }

  /** Sets the protections of /proc/sys/fs as on the host, to compare with it. */
  likeHost(): this {
    const vfs = this.root.fs.namespace.vfs;
    const level = (name: string) => Number(Deno.readTextFileSync(`/proc/sys/fs/${name}`));
    vfs.protectedHardlinks = level("protected_hardlinks") > 0;
    vfs.protectedSymlinks = level("protected_symlinks") > 0;
    vfs.protectedRegular = level("protected_regular");
    vfs.protectedFifos = level("protected_fifos");
    return this;
  }

  /** Goes on in another kernel of files, as the same user. */
  protected moveTo(root: TestCaller): void {
    this.root = root;
    this.setUser(this.uid);
  }

  setUser(uid: number): void {
    this.uid = uid;
    if (uid === 0) {
      this.caller = this.root;
      return;
    }
    // setfsuid(2) leaves root all capabilities but those for files.
    this.caller = this.root.as(uid);
    this.caller.cred = userCredentials(uid, uid, [], { lo: ~FS_CAPS >>> 0, hi: 0x1fe });
  }
  mkdir(path: string, mode: number): Answer {
    return errno(mkdirAt(this.caller, AT_FDCWD, path, mode));
  }
  rmdir(path: string): Answer {
    return errno(rmdirAt(this.caller, AT_FDCWD, path));
  }
  unlink(path: string): Answer {
    return errno(unlinkAt(this.caller, AT_FDCWD, path));
  }
  mknod(path: string, mode: number, rdev: number): Answer {
    return errno(mknodAt(this.caller, AT_FDCWD, path, mode, rdev));
  }
  symlink(target: string, path: string): Answer {
    return errno(symlinkAt(this.caller, target, AT_FDCWD, path));
  }
  link(from: string, to: string, flags: number): Answer {
    return errno(linkAt(this.caller, AT_FDCWD, from, AT_FDCWD, to, flags));
  }
  rename(from: string, to: string, flags: number): Answer {
    return errno(renameAt(this.caller, AT_FDCWD, from, AT_FDCWD, to, flags));
  }
  chmod(path: string, mode: number): Answer {
    return errno(chmodAt(this.caller, AT_FDCWD, path, mode, 0));
  }
  chown(path: string, uid: number, gid: number, flags: number): Answer {
    return errno(chownAt(this.caller, AT_FDCWD, path, uid, gid, flags));
  }
  truncate(path: string, size: number): Answer {
    return errno(truncateAt(this.caller, AT_FDCWD, path, size));
  }
  access(path: string, mode: number): Answer {
    return errno(accessAt(this.caller, AT_FDCWD, path, mode, 0x200));
  }
  touch(path: string, flags: number): Answer {
    return errno(utimensAt(this.caller, AT_FDCWD, path, null, flags));
  }
  stat(path: string, flags: number): Answer {
    const i = statAt(this.caller, AT_FDCWD, path, flags);
    return typeof i === "number" ? errno(i) : ofInode(i);
  }
  readlink(path: string): Answer {
    const r = readlinkAt(this.caller, AT_FDCWD, path);
    return typeof r === "number" ? errno(r) : `-> ${r}`;
  }
  list(path: string): Answer {
    const file = openAt(this.caller, AT_FDCWD, path, 0o200000, 0);
    if (typeof file === "number") return errno(file);
    const names: string[] = [];
    const r = file.readdir((name, _ino, type) => names.push(`${name}:${type}`) > 0);
    file.drop();
    return r < 0 ? errno(r) : names.sort().join(" ");
  }
  getxattr(path: string, name: string): Answer {
    const r = checkXattrName(name);
    if (r < 0) return errno(r);
    const p = findAt(this.caller, AT_FDCWD, path, 0);
    if (typeof p === "number") return errno(p);
    const v = getXattr(this.caller, p.dentry.inode!, name);
    return typeof v === "number" ? errno(v) : `= ${bytesToString(v, 0, v.length)}`;
  }
  setxattr(path: string, name: string, value: string, flags: number): Answer {
    const r = checkXattrSize(value.length, flags) || checkXattrName(name);
    if (r < 0) return errno(r);
    const p = findAt(this.caller, AT_FDCWD, path, 0);
    if (typeof p === "number") return errno(p);
    return errno(setXattr(this.caller, p, name, stringToBytes(value), flags));
  }
  removexattr(path: string, name: string): Answer {
    const r = checkXattrName(name);
    if (r < 0) return errno(r);
    const p = findAt(this.caller, AT_FDCWD, path, 0);
    return errno(typeof p === "number" ? p : removeXattr(this.caller, p, name));
  }
  listxattr(path: string): Answer {
    const p = findAt(this.caller, AT_FDCWD, path, 0);
    if (typeof p === "number") return errno(p);
    const names = listXattr(this.caller, p.dentry.inode!);
    return typeof names === "number" ? errno(names) : names.sort().join(" ");
  }
  open(path: string, flags: number, mode: number): Answer {
    const file = openAt(this.caller, AT_FDCWD, path, flags, mode);
    return typeof file === "number" ? errno(file) : this.caller.files.install(file, false, 1024);
  }
  private file(handle: number) {
    const file = this.caller.files.get(handle);
    if (file === null) throw new Error(`handle ${handle} is closed`);
    return file;
  }
  close(handle: number): Answer {
    return errno(this.caller.files.close(handle));
  }
  pread(handle: number, offset: number, len: number): Answer {
    const file = this.file(handle);
    if (!file.canRead) return "EBADF";
    const r = file.read(new BufferCursor(new Uint8Array(len)), offset);
    if (r < 0) return errno(r);
    return digest(readBytes(file, offset, len));
  }
  pwrite(handle: number, offset: number, text: string): Answer {
    const file = this.file(handle);
    if (!file.canWrite) return "EBADF";
    if (text !== "") removePrivileges(this.caller, file);
    return errno(file.write(new BufferCursor(stringToBytes(text)), offset));
  }
  ftruncate(handle: number, size: number): Answer {
    return errno(truncateFile(this.caller, this.file(handle), size));
  }
  fallocate(handle: number, mode: number, offset: number, len: number): Answer {
    return errno(fallocateFile(this.caller, this.file(handle), mode, offset, len));
  }
  fstat(handle: number): Answer {
    return ofInode(this.file(handle).inode);
  }
  destroy(): void {
    for (const fd of this.root.files.openFds()) this.root.files.close(fd);
  }
}

/** The length and a checksum of bytes, so that a failure of a long read is readable. */
export function digest(bytes: Uint8Array): string {
  let h = 17;
  for (const b of bytes) h = (Math.imul(h, 31) + b) | 0;
  return `${bytes.length} bytes ${h}`;
}

const BASE = "/dev/shm";

/** Whether the host has a tmpfs that this process may use as root. */
export function hasHostTmpfs(): boolean {
  try {
    return Deno.uid() === 0 && Deno.statSync(BASE).isDirectory &&
      Deno.readTextFileSync("/proc/self/mounts").includes(`tmpfs ${BASE} tmpfs`);
  } catch {
    return false;
  }
}

/**
 * Makes the calls on the host's tmpfs, in a new directory four levels down, so that some ".." stay
 * inside.
 */
export class HostDriver implements FileDriver {
  readonly name = "host";
  readonly dir: string;
  private readonly cwd: number;
  private readonly before: string;

  constructor(umask: number) {
    this.dir = Deno.makeTempDirSync({ dir: BASE, prefix: "dvisor-vfs-" });
    Deno.chmodSync(this.dir, 0o755);
    Deno.umask(umask);
    for (const d of ["t1", "t1/t2", "t1/t2/t3", "t1/t2/t3/t4"]) Deno.mkdirSync(`${this.dir}/${d}`);
    this.cwd = syscall(
      nr.SYS_openat,
      AT_FDCWD,
      scratch.cstr(`${this.dir}/t1/t2/t3/t4`),
      0o200000,
    );
    syscall(nr.SYS_setgroups, 0, 0);
    // The working directory serves the calls without a dirfd. Other users may not be able to come
    // back to it by name.
    this.before = Deno.cwd();
    syscall(nr.SYS_fchdir, this.cwd);
  }

  setUser(uid: number): void {
    syscall(nr.SYS_setfsgid, uid);
    syscall(nr.SYS_setfsuid, uid);
  }
  private path(path: string, slot: 0 | 1 = 0): number {
    return scratch.cstr(path, slot);
  }
  mkdir(path: string, mode: number): Answer {
    return errno(syscall(nr.SYS_mkdirat, this.cwd, this.path(path), mode));
  }
  rmdir(path: string): Answer {
    return errno(syscall(nr.SYS_unlinkat, this.cwd, this.path(path), AT_REMOVEDIR));
  }
  unlink(path: string): Answer {
    return errno(syscall(nr.SYS_unlinkat, this.cwd, this.path(path), 0));
  }
  mknod(path: string, mode: number, rdev: number): Answer {
    return errno(syscall(nr.SYS_mknodat, this.cwd, this.path(path), mode, rdev));
  }
  symlink(target: string, path: string): Answer {
    const to = this.path(target, 1);
    return errno(syscall(nr.SYS_symlinkat, to, this.cwd, this.path(path)));
  }
  link(from: string, to: string, flags: number): Answer {
    const a = this.path(from), b = this.path(to, 1);
    return errno(syscall(nr.SYS_linkat, this.cwd, a, this.cwd, b, flags));
  }
  rename(from: string, to: string, flags: number): Answer {
    const a = this.path(from), b = this.path(to, 1);
    return errno(syscall(nr.SYS_renameat2, this.cwd, a, this.cwd, b, flags));
  }
  chmod(path: string, mode: number): Answer {
    return errno(syscall(nr.SYS_fchmodat, this.cwd, this.path(path), mode));
  }
  chown(path: string, uid: number, gid: number, flags: number): Answer {
    return errno(syscall(nr.SYS_fchownat, this.cwd, this.path(path), uid, gid, flags));
  }
  truncate(path: string, size: number): Answer {
    return errno(syscall(nr.SYS_truncate, this.path(path), size));
  }
  access(path: string, mode: number): Answer {
    return errno(syscall(nr.SYS_faccessat2, this.cwd, this.path(path), mode, 0x200));
  }
  touch(path: string, flags: number): Answer {
    return errno(syscall(nr.SYS_utimensat, this.cwd, this.path(path), 0, flags));
  }
  stat(path: string, flags: number): Answer {
    const at = scratch.area(0);
    const r = syscall(nr.SYS_newfstatat, this.cwd, this.path(path), at, flags);
    return r < 0 ? errno(r) : this.statAnswer();
  }
  private statAnswer(): string {
    const o = scratch.areaOffset(0), dv = scratch.dv, at = Stat.at;
    const low = (f: number) => dv.getUint32(o + f, true);
    const size = Number(dv.getBigInt64(o + at.size, true));
    return statText(low(at.mode), low(at.uid), low(at.gid), low(at.nlink), size, low(at.rdev));
  }
  readlink(path: string): Answer {
    const at = scratch.area(0), o = scratch.areaOffset(0);
    const r = syscall(nr.SYS_readlinkat, this.cwd, this.path(path), at, 4096);
    return r < 0 ? errno(r) : `-> ${bytesToString(scratch.u8, o, o + r)}`;
  }
  list(path: string): Answer {
    const fd = syscall(nr.SYS_openat, this.cwd, this.path(path), 0o200000);
    if (fd < 0) return errno(fd);
    const names: string[] = [], o = scratch.areaOffset(0);
    for (;;) {
      const n = syscall(nr.SYS_getdents64, fd, scratch.area(0), 65536);
      if (n <= 0) break;
      for (let i = o; i < o + n;) {
        const len = scratch.dv.getUint16(i + 16, true), type = scratch.u8[i + 18];
        const end = scratch.u8.indexOf(0, i + 19);
        names.push(`${bytesToString(scratch.u8, i + 19, end)}:${type}`);
        i += len;
      }
    }
    syscall(nr.SYS_close, fd);
    return names.sort().join(" ");
  }
  getxattr(path: string, name: string): Answer {
    const at = scratch.area(0), o = scratch.areaOffset(0);
    const r = syscall(nr.SYS_getxattr, this.path(path), this.path(name, 1), at, 65536);
    return r < 0 ? errno(r) : `= ${bytesToString(scratch.u8, o, o + r)}`;
  }
  setxattr(path: string, name: string, value: string, flags: number): Answer {
    scratch.u8.set(stringToBytes(value), scratch.areaOffset(0));
    const at = scratch.area(0);
    return errno(
      syscall(nr.SYS_setxattr, this.path(path), this.path(name, 1), at, value.length, flags),
    );
  }
  removexattr(path: string, name: string): Answer {
    return errno(
      syscall(nr.SYS_removexattr, this.path(path), this.path(name, 1)),
    );
  }
  listxattr(path: string): Answer {
    const at = scratch.area(0), o = scratch.areaOffset(0);
    const r = syscall(nr.SYS_listxattr, this.path(path), at, 65536);
    if (r < 0) return errno(r);
    return bytesToString(scratch.u8, o, o + r).split("\0").filter((n) => n !== "").sort().join(" ");
  }
  open(path: string, flags: number, mode: number): Answer {
    return errno(syscall(nr.SYS_openat, this.cwd, this.path(path), flags | 0o4000, mode));
  }
  close(handle: number): Answer {
    return errno(syscall(nr.SYS_close, handle));
  }
  pread(handle: number, offset: number, len: number): Answer {
    const r = syscall(nr.SYS_pread64, handle, scratch.area(0), len, offset);
    const o = scratch.areaOffset(0);
    return r < 0 ? errno(r) : digest(scratch.u8.subarray(o, o + r));
  }
  pwrite(handle: number, offset: number, text: string): Answer {
    scratch.u8.set(stringToBytes(text), scratch.areaOffset(0));
    return errno(syscall(nr.SYS_pwrite64, handle, scratch.area(0), text.length, offset));
  }
  ftruncate(handle: number, size: number): Answer {
    return errno(syscall(nr.SYS_ftruncate, handle, size));
  }
  fallocate(handle: number, mode: number, offset: number, len: number): Answer {
    return errno(syscall(nr.SYS_fallocate, handle, mode, offset, len));
  }
  fstat(handle: number): Answer {
    const r = syscall(nr.SYS_fstat, handle, scratch.area(0));
    return r < 0 ? errno(r) : this.statAnswer();
  }
  destroy(): void {
    this.setUser(0);
    Deno.chdir(this.before);
    syscall(nr.SYS_close, this.cwd);
    Deno.removeSync(this.dir, { recursive: true });
  }
}
