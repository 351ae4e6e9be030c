import { assertEquals } from "@std/assert";
import { AT_EMPTY_PATH, AT_FDCWD, O_CLOEXEC, O_CREAT, O_RDWR } from "../../../ffi/abi/fcntl.ts";
import { MS_BIND } from "../../../ffi/abi/mount.ts";
import { makedev, Stat, Statx } from "../../../ffi/abi/stat.ts";
import { Statfs } from "../../../ffi/abi/statfs.ts";
import { CallLab, LabTmpfs } from "../../testing/call_lab.ts";
import * as attributes from "./attributes.ts";
import * as directory from "./directory.ts";
import { sysMemfdCreate } from "./memfd.ts";
import * as mount from "./mount.ts";
import * as names from "./names.ts";
import * as open from "./open.ts";
import * as stat from "./stat.ts";
import * as xattr from "./xattr.ts";

const BAD = 0x10;
const CWD = AT_FDCWD + 2 ** 32;

Deno.test("openat makes a file and returns the lowest fd; its struct stat is Linux's", () => {
  const lab = new CallLab();
  assertEquals(lab.call(open.sysOpenat, CWD, "/f", O_RDWR | O_CREAT | O_CLOEXEC, 0o666), 0);
  assertEquals(lab.task.files.isCloexec(0), true);
  assertEquals(lab.call(open.sysOpen, "/none", 0, 0), "ENOENT");
  assertEquals(lab.call(open.sysOpen, BAD, 0, 0), "EFAULT");
  assertEquals(lab.call(open.sysOpen, "", 0, 0), "ENOENT");
  assertEquals(lab.call(open.sysOpen, "x".repeat(4096), 0, 0), "ENAMETOOLONG");
  assertEquals(lab.call(attributes.sysTruncate, "/f", 2 ** 33 + 5), 0);
  assertEquals(lab.call(stat.sysStat, "/f", lab.memory), 0);
  const v = lab.view(0, Stat.size), inode = lab.task.files.get(0)!.inode;
  assertEquals(v.getBigUint64(Stat.at.size, true), 2n ** 33n + 5n);
  assertEquals(v.getUint32(Stat.at.mode, true), 0o100644);
  assertEquals(v.getUint32(Stat.at.nlink, true), 1);
  assertEquals(v.getUint32(Stat.at.ino, true), inode.ino);
  assertEquals(v.getUint32(Stat.at.dev, true), inode.dev);
  assertEquals(lab.call(stat.sysFstat, 0, lab.memory + 1000), 0);
  assertEquals(lab.bytes(1000, Stat.size), lab.bytes(0, Stat.size));
  assertEquals(lab.call(stat.sysNewfstatat, 0, "", lab.memory + 2000, AT_EMPTY_PATH), 0);
  assertEquals(lab.bytes(2000, Stat.size), lab.bytes(0, Stat.size));
  assertEquals(lab.call(stat.sysNewfstatat, 0, 0, lab.memory + 2000, AT_EMPTY_PATH), 0);
  assertEquals(lab.call(stat.sysNewfstatat, 0, "", lab.memory, 0), "ENOENT");
  assertEquals(lab.call(stat.sysNewfstatat, 0, "", lab.memory, 0x8000), "EINVAL");
  assertEquals(lab.call(stat.sysNewfstatat, 0, "x", lab.memory, 0), "ENOTDIR");
  assertEquals(lab.call(stat.sysFstat, 7, lab.memory), "EBADF");
  assertEquals(lab.call(stat.sysFstat, 0, BAD), "EFAULT");
});

Deno.test("no file is made when there is no fd for it", () => {
  const lab = new CallLab();
  lab.task.group.limits.set(7, 0, 0);
  assertEquals(lab.call(open.sysOpen, "/f", O_RDWR | O_CREAT, 0o666), "EMFILE");
  assertEquals(lab.call(stat.sysStat, "/f", lab.memory), "ENOENT");
});

Deno.test("openat2 checks the size of its struct, and bytes beyond the known fields", () => {
  const lab = new CallLab(), how = lab.memory;
  assertEquals(lab.call(open.sysOpenat2, CWD, "/", how, 23), "EINVAL");
  assertEquals(lab.call(open.sysOpenat2, CWD, "/", how, 4097), "E2BIG");
  assertEquals(lab.call(open.sysOpenat2, CWD, "/", how, 24), 0);
  assertEquals(lab.call(open.sysOpenat2, CWD, "/", how, 32), 1);
  lab.poke64(24, 1);
  assertEquals(lab.call(open.sysOpenat2, CWD, "/", how, 32), "E2BIG");
  lab.poke64(0, 2 ** 40);
  assertEquals(lab.call(open.sysOpenat2, CWD, "/", how, 24), "EINVAL");
  lab.poke64(0, 0);
  lab.poke64(16, 0x80);
  assertEquals(lab.call(open.sysOpenat2, CWD, "/", how, 24), "EINVAL");
  assertEquals(lab.call(open.sysOpenat2, CWD, "/", BAD, 24), "EFAULT");
});

Deno.test("statx fills times, device and mount id", () => {
  const lab = new CallLab();
  assertEquals(lab.call(names.sysMknod, "/null", 0o20666, makedev(1, 3)), 0);
  assertEquals(lab.call(stat.sysStatx, CWD, "/null", 0, 0xfff, lab.memory), 0);
  const v = lab.view(0, Statx.size);
  assertEquals(v.getUint16(Statx.at.mode, true), 0o20644);
  assertEquals([v.getUint32(Statx.at.rdevMajor, true), v.getUint32(Statx.at.rdevMinor, true)], [
    1,
    3,
  ]);
  assertEquals(v.getUint32(Statx.at.mntId, true), lab.namespace.root.id);
  assertEquals(lab.call(stat.sysStatx, CWD, "/", 0, 0xfff, lab.memory), 0);
  assertEquals(lab.view(0, Statx.size).getUint32(Statx.at.attributes, true), 0x2000);
  assertEquals(lab.call(stat.sysStatx, CWD, "/", 0, 0x80000000, lab.memory), "EINVAL");
  assertEquals(lab.call(stat.sysStatx, CWD, "/", 0x6000, 0, lab.memory), "EINVAL");
});

/** Names, types and d_off of what getdents64 put at the start of memory. */
function dirents(lab: CallLab, len: number): [string, number, number][] {
  const v = lab.view(0, len), out: [string, number, number][] = [];
  for (let at = 0; at < len; at += v.getUint16(at + 16, true)) {
    let name = "";
    for (let i = at + 19; v.getUint8(i) !== 0; i++) name += String.fromCharCode(v.getUint8(i));
    out.push([name, v.getUint8(at + 18), v.getUint32(at + 8, true)]);
  }
  return out;
}

Deno.test("getdents64 returns each entry once, however small the buffer", () => {
  const lab = new CallLab();
  for (let i = 0; i < 30; i++) lab.call(names.sysMkdir, "/d" + "x".repeat(i), 0o755);
  const fd = lab.call(open.sysOpen, "/", 0, 0);
  const seen: string[] = [];
  for (;;) {
    const n = lab.call(directory.sysGetdents64, Number(fd), lab.memory, 64);
    if (typeof n === "string") throw new Error(n);
    if (n === 0) break;
    for (const [name, type] of dirents(lab, n)) {
      seen.push(name);
      assertEquals(type, 4);
    }
  }
  assertEquals(seen.length, 32);
  assertEquals(new Set(seen).size, 32);
  lab.task.files.get(Number(fd))!.pos = 0;
  assertEquals(lab.call(directory.sysGetdents64, Number(fd), lab.memory, 8), "EINVAL");
  assertEquals(lab.call(directory.sysGetdents64, Number(fd), BAD, 4096), "EFAULT");
  const whole = lab.call(directory.sysGetdents64, Number(fd), lab.memory, 65536);
  assertEquals(dirents(lab, Number(whole)).length, 32);
  lab.task.files.get(Number(fd))!.pos = 0;
  const old = Number(lab.call(directory.sysGetdents, Number(fd), lab.memory, 65536));
  const v = lab.view(0, old);
  const first = v.getUint16(16, true);
  assertEquals([lab.textAt(18, 2), v.getUint8(first - 1)], [".\0", 4]);
  assertEquals(lab.call(directory.sysGetdents64, 99, lab.memory, 64), "EBADF");
});

Deno.test("working directory, links and their texts", () => {
  const lab = new CallLab();
  lab.call(names.sysMkdir, "/a", 0o755);
  lab.call(names.sysMkdir, "/a/b", 0o755);
  assertEquals(lab.call(directory.sysChdir, "/a/b"), 0);
  assertEquals(lab.call(directory.sysGetcwd, lab.memory, 5), 5);
  assertEquals(lab.textAt(0, 5), "/a/b\0");
  assertEquals(lab.call(directory.sysGetcwd, lab.memory, 4), "ERANGE");
  assertEquals(lab.call(names.sysSymlink, "../target", "l"), 0);
  assertEquals(lab.call(directory.sysReadlink, "l", lab.memory, 4), 4);
  assertEquals(lab.textAt(0, 4), "../t");
  assertEquals(lab.call(directory.sysReadlink, "l", lab.memory, 0), "EINVAL");
  assertEquals(lab.call(directory.sysReadlink, ".", lab.memory, 9), "EINVAL");
  assertEquals(lab.call(directory.sysUmask, 0o7777), 0o022);
  assertEquals(lab.call(directory.sysUmask, 0o22), 0o777);
  assertEquals(lab.call(names.sysUnlinkat, CWD, "l", 1), "EINVAL");
  assertEquals(lab.call(names.sysUnlinkat, CWD, "/a/b", 0x200), "ENOTEMPTY");
  assertEquals(lab.call(names.sysUnlinkat, CWD, "/a/b/l", 0), 0);
  assertEquals(lab.call(names.sysUnlinkat, CWD, "/a/b", 0x200), 0);
  assertEquals(lab.call(directory.sysGetcwd, lab.memory, 99), "ENOENT");
});

Deno.test("times: now, given, omitted, and out of range", () => {
  const lab = new CallLab();
  lab.call(open.sysCreat, "/f", 0o644);
  const inode = lab.task.files.get(0)!.inode;
  lab.poke64(0, 1000);
  lab.poke64(8, 5);
  lab.poke64(16, -1);
  lab.poke64(24, 0x3ffffffe);
  const before = inode.mtimeSec;
  assertEquals(lab.call(attributes.sysUtimensat, CWD, "/f", lab.memory, 0), 0);
  assertEquals([inode.atimeSec, inode.atimeNsec, inode.mtimeSec], [1000, 5, before]);
  lab.poke64(24, 7);
  assertEquals(lab.call(attributes.sysUtimensat, 0, 0, lab.memory, 0), 0);
  assertEquals([inode.mtimeSec, inode.mtimeNsec], [-1, 7]);
  assertEquals(lab.call(attributes.sysUtimensat, 0, 0, lab.memory, 0x100), "EINVAL");
  lab.poke64(24, 1e9);
  assertEquals(lab.call(attributes.sysUtimensat, CWD, "/f", lab.memory, 0), "EINVAL");
  assertEquals(lab.call(attributes.sysUtimes, "/f", lab.memory), "EINVAL");
  assertEquals(lab.call(attributes.sysUtimensat, CWD, "/f", BAD, 0), "EFAULT");
  assertEquals(lab.call(attributes.sysUtimensat, CWD, "/f", 0, 0), 0);
});

Deno.test("owner and mode, of files without a name too", () => {
  const lab = new CallLab();
  assertEquals(lab.call(sysMemfdCreate, "m", 0), 0);
  assertEquals(lab.call(attributes.sysFchmod, 0, 0o600), 0);
  assertEquals(lab.task.files.get(0)!.inode.mode & 0o7777, 0o600);
  assertEquals(lab.call(attributes.sysFchown, 0, 5, 0xffffffff), 0);
  assertEquals(lab.task.files.get(0)!.inode.uid, 5);
  assertEquals(lab.call(attributes.sysFchmod, 9, 0), "EBADF");
  assertEquals(lab.call(sysMemfdCreate, "m".repeat(250), 0), "EINVAL");
  assertEquals(lab.call(sysMemfdCreate, "m", 0x100), "EINVAL");
  assertEquals(lab.call(attributes.sysFaccessat2, CWD, "/", 8, 0), "EINVAL");
  assertEquals(lab.call(attributes.sysAccess, "/", 7), 0);
});

Deno.test("attributes: sizes, missing ones, lists", () => {
  const lab = new CallLab();
  lab.call(open.sysCreat, "/f", 0o644);
  lab.poke(0, new Uint8Array([1, 2, 3]));
  assertEquals(lab.call(xattr.sysSetxattr, "/f", "user.x", lab.memory, 3, 0), 0);
  assertEquals(lab.call(xattr.sysFgetxattr, 0, "user.x", lab.memory + 100, 0), 3);
  assertEquals(lab.call(xattr.sysFgetxattr, 0, "user.x", lab.memory + 100, 2), "ERANGE");
  assertEquals(lab.call(xattr.sysGetxattr, "/f", "user.x", lab.memory + 100, 9), 3);
  assertEquals(lab.bytes(100, 3), new Uint8Array([1, 2, 3]));
  assertEquals(lab.call(xattr.sysListxattr, "/f", lab.memory, 99), 7);
  assertEquals(lab.textAt(0, 7), "user.x\0");
  assertEquals(lab.call(xattr.sysGetxattr, "/f", "", lab.memory, 9), "ERANGE");
  assertEquals(lab.call(xattr.sysGetxattr, "/f", "user." + "y".repeat(255), 0, 0), "ERANGE");
  assertEquals(lab.call(xattr.sysSetxattr, "/f", "user.y", lab.memory, 65537, 0), "E2BIG");
  assertEquals(lab.call(xattr.sysRemovexattr, "/f", "user.x"), 0);
  assertEquals(lab.call(xattr.sysRemovexattr, "/f", "user.x"), "ENODATA");
});

Deno.test("mount, bind, umount; unknown types and missing rights", () => {
  const lab = new CallLab();
  lab.kernel.fsTypes.register(new LabTmpfs(lab.kernel));
  lab.call(names.sysMkdir, "/m", 0o755);
  lab.call(names.sysMkdir, "/n", 0o755);
  assertEquals(lab.call(mount.sysMount, "x", "/m", "nofs", 0, 0), "ENODEV");
  assertEquals(lab.call(mount.sysMount, "x", "/m", 0, 0, 0), "EINVAL");
  assertEquals(lab.call(mount.sysMount, "x", "/m", "tmpfs", 1, 0), 0);
  assertEquals(lab.call(names.sysMkdir, "/m/d", 0o755), "EROFS");
  assertEquals(lab.call(stat.sysStatfs, "/m", lab.memory), 0);
  const v = lab.view(0, Statfs.size);
  assertEquals(v.getUint32(Statfs.at.type, true), 0x1021994);
  assertEquals(v.getUint32(Statfs.at.flags, true) & 1, 1);
  assertEquals(lab.call(mount.sysMount, "/m", "/n", 0, MS_BIND, 0), 0);
  assertEquals(lab.call(mount.sysUmount2, "/n", 0), 0);
  assertEquals(lab.call(mount.sysUmount2, "/m", 0x100), "EINVAL");
  assertEquals(lab.call(mount.sysUmount2, "/m", 0), 0);
  assertEquals(lab.call(mount.sysUmount2, "/m", 0), "EINVAL");
  assertEquals(lab.kernel.fsTypes.list(), "nodev\ttmpfs\n");
});
