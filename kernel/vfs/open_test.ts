/**
 * Tests of open.ts: flags, creation, O_PATH, O_TMPFILE, special files, execve(2) and magic links.
 */
import { TEST_ACCOUNT } from "../core/account_testing.ts";
import type { Account } from "../core/account.ts";
import { assertEquals, assertStrictEquals } from "@std/assert";
import * as F from "../../ffi/abi/fcntl.ts";
import { S_IFCHR, S_IFDIR, S_IFIFO, S_IFMT, S_IFSOCK } from "../../ffi/abi/stat.ts";
import { BLOCK } from "../core/result.ts";
import { AnonFs } from "../fs/anonfd/anon_inode.ts";
import { PlainInode } from "./plain_inode.ts";
import { chmodAt, chownAt } from "./attributes.ts";
import { linkAt, mkdirAt, mknodAt, symlinkAt } from "./create.ts";
import type { Caller } from "./caller.ts";
import { type Dentry, Path } from "./dentry.ts";
import type { Inode } from "./inode.ts";
import { openAt, openAt2, openExec } from "./open.ts";
import { OpenFile } from "./open_file.ts";
import { pathText } from "./pathname.ts";
import { unlinkAt } from "./remove.ts";
import type { SpecialOpener } from "./special_files.ts";
import { findAt, statAt } from "./status.ts";
import { encodeAcl } from "./posix_acl.ts";
import { BufferCursor, errno, mustOpen, readText, TestFiles, writeText } from "./vfs_testing.ts";
import { setXattr } from "./xattr.ts";

const CWD = F.AT_FDCWD, CREATE = F.O_CREAT | F.O_RDWR;

function open(c: Caller, path: string, flags: number, mode = 0o644): string | number {
  const file = openAt(c, CWD, path, flags, mode);
  if (typeof file === "number") return errno(file);
  file.drop();
  return 0;
}

function modeOf(c: Caller, path: string): string {
  const i = statAt(c, CWD, path, 0x100);
  return typeof i === "number" ? `${errno(i)}` : i.mode.toString(8);
}

Deno.test("open: flags that exclude each other, and flags that stay", () => {
  const c = new TestFiles().root;
  writeText(c, "/f", "x");
  const cases: [number, string | number][] = [
    [F.O_CREAT | F.O_DIRECTORY, "EINVAL"],
    [F.O_TMPFILE & ~F.O_DIRECTORY | F.O_RDWR, "EINVAL"],
    [F.O_TMPFILE, "EINVAL"],
    [F.O_DIRECTORY, "ENOTDIR"],
    [F.O_CREAT | F.O_EXCL, "EEXIST"],
    [0x40000000, 0],
    [F.O_PATH | F.O_CREAT | F.O_TRUNC, 0],
    [3, 0],
  ];
  for (const [flags, e] of cases) assertEquals([flags, open(c, "/f", flags)], [flags, e]);
  assertEquals(readText(c, "/f"), "x");
  const file = mustOpen(c, "/f", F.O_WRONLY | F.O_CREAT | F.O_TRUNC | F.O_CLOEXEC | F.O_APPEND);
  assertEquals(file.flags, F.O_WRONLY | F.O_APPEND | F.O_LARGEFILE);
  const neither = mustOpen(c, "/f", 3);
  assertEquals([neither.canRead, neither.canWrite], [false, false]);
});

Deno.test("openat2 refuses flags that openat ignores", () => {
  const c = new TestFiles().root;
  writeText(c, "/f", "x");
  const go = (flags: number, mode: number, resolve = 0) =>
    errno(openAt2(c, CWD, "/f", flags, mode, resolve));
  assertEquals(go(0x40000000, 0), "EINVAL");
  assertEquals(go(2 ** 40, 0), "EINVAL");
  assertEquals(go(F.O_RDONLY, 0o644), "EINVAL");
  assertEquals(go(F.O_CREAT, 0o10000), "EINVAL");
  assertEquals(go(F.O_PATH | F.O_RDWR, 0), "EINVAL");
  assertEquals(go(F.O_CREAT, 0o644, F.RESOLVE_CACHED), "EAGAIN");
  assertEquals(go(F.O_RDONLY, 0, 2 ** 33), "EINVAL");
  assertEquals(go(F.O_CREAT, 0o644), "object");
});

Deno.test("creation: umask, set-group-ID directories, links on the way", () => {
  const t = new TestFiles(), c = t.root, user = c.as(1000, 1000, []);
  mkdirAt(c, CWD, "/pub", 0o777);
  chmodAt(c, CWD, "/pub", 0o2777, 0);
  chownAt(c, CWD, "/pub", 0, 50, 0);
  assertEquals(open(user, "/pub/a", CREATE | F.O_EXCL, 0o2777), 0);
  assertEquals(modeOf(c, "/pub/a"), "100755");
  mkdirAt(user, CWD, "/pub/d", 0o777);
  assertEquals(modeOf(c, "/pub/d"), "42755");
  const a = statAt(c, CWD, "/pub/a", 0), d = statAt(c, CWD, "/pub/d", 0);
  if (typeof a === "number" || typeof d === "number") throw new Error("not created");
  assertEquals([a.uid, a.gid, d.gid], [1000, 50, 50]);
  symlinkAt(c, "pub/made", CWD, "/dangling");
  symlinkAt(c, "pub/slash/", CWD, "/slashed");
  assertEquals(open(c, "/dangling", CREATE | F.O_EXCL), "EEXIST");
  assertEquals(open(c, "/dangling", CREATE | F.O_NOFOLLOW), "ELOOP");
  assertEquals(open(c, "/dangling", CREATE), 0);
  assertEquals(modeOf(c, "/pub/made"), "100644");
  assertEquals(open(c, "/slashed", CREATE), "EISDIR");
  assertEquals(open(c, "/new/", CREATE), "EISDIR");
  assertEquals(open(c, "/pub/..", CREATE), "EISDIR");
  assertEquals(open(c, "/pub/..", CREATE | F.O_EXCL), "EEXIST");
  assertEquals(open(user, "/x", CREATE), "EACCES");
  assertEquals(open(user, "/pub/a", F.O_RDONLY | F.O_NOATIME), 0);
  assertEquals(open(c.as(7), "/pub/a", F.O_RDONLY | F.O_NOATIME), "EPERM");
});

Deno.test("a default ACL is inherited instead of the umask", () => {
  const c = new TestFiles().root;
  mkdirAt(c, CWD, "/d", 0o755);
  const acl = encodeAcl([
    { tag: 1, perm: 7, id: 0 },
    { tag: 2, perm: 7, id: 1000 },
    { tag: 4, perm: 5, id: 0 },
    { tag: 0x10, perm: 7, id: 0 },
    { tag: 0x20, perm: 0, id: 0 },
  ]);
  const at = findAt(c, CWD, "/d", 0);
  if (typeof at === "number") throw new Error("no /d");
  assertEquals(setXattr(c, at, "system.posix_acl_default", acl, 0), 0);
  open(c, "/d/f", CREATE, 0o666);
  mkdirAt(c, CWD, "/d/sub", 0o777);
  assertEquals([modeOf(c, "/d/f"), modeOf(c, "/d/sub")], ["100660", "40770"]);
  assertEquals(open(c.as(1000), "/d/f", F.O_RDWR), 0);
  assertEquals(open(c.as(1001), "/d/f", F.O_RDONLY), "EACCES");
  mkdirAt(c, CWD, "/d/sub/deeper", 0o777);
  assertEquals(open(c.as(1000), "/d/sub/deeper/mine", CREATE, 0o600), 0);
});

Deno.test("O_PATH: no permission on the file, a symbolic link itself with O_NOFOLLOW", () => {
  const c = new TestFiles().root;
  writeText(c, "/f", "secret");
  chmodAt(c, CWD, "/f", 0, 0);
  symlinkAt(c, "f", CWD, "/l");
  assertEquals(open(c.as(1000), "/f", F.O_RDONLY), "EACCES");
  const file = mustOpen(c.as(1000), "/l", F.O_PATH | F.O_NOFOLLOW);
  assertEquals(pathText(file.path!, c.fs.root), "/l");
  assertEquals(errno(file.read(new BufferCursor(new Uint8Array(1)), 0)), "EBADF");
  const fd = c.files.install(file, false, 10);
  assertEquals(errno(statAt(c, fd, "", F.AT_EMPTY_PATH)), "object");
  assertEquals(open(c, "/l", F.O_NOFOLLOW), "ELOOP");
  assertEquals(open(c, "/l", F.O_PATH | F.O_NOFOLLOW | F.O_DIRECTORY), "ENOTDIR");
});

Deno.test("O_TMPFILE has no name until linkat gives it one", () => {
  const t = new TestFiles(), c = t.root;
  const file = mustOpen(c, "/", F.O_TMPFILE | F.O_RDWR, 0o640);
  assertEquals([file.inode.nlink, pathText(file.path!, c.fs.root)], [
    0,
    `/#${file.inode.ino} (deleted)`,
  ]);
  file.write(new BufferCursor(new TextEncoder().encode("later")), 0);
  const fd = c.files.install(file, false, 10);
  assertEquals(errno(linkAt(c, fd, "", CWD, "/named", 0)), "ENOENT");
  assertEquals(errno(linkAt(c.as(5), fd, "", CWD, "/named", F.AT_EMPTY_PATH)), "ENOENT");
  assertEquals(errno(linkAt(c, fd, "", CWD, "/named", F.AT_EMPTY_PATH)), 0);
  assertEquals([readText(c, "/named"), file.inode.nlink], ["later", 1]);
  const lost = mustOpen(c, "/", F.O_TMPFILE | F.O_RDWR | F.O_EXCL);
  const fd2 = c.files.install(lost, false, 10);
  assertEquals(errno(linkAt(c, fd2, "", CWD, "/lost", F.AT_EMPTY_PATH)), "ENOENT");
  assertEquals(t.tmpfs.usedInodes, 3);
  c.files.close(fd2);
  assertEquals(t.tmpfs.usedInodes, 2);
  assertEquals(open(c, "/named", F.O_TMPFILE | F.O_RDWR), "ENOTDIR");
  assertEquals(open(c.as(5), "/", F.O_TMPFILE | F.O_RDWR), "EACCES");
});

class Opener implements SpecialOpener {
  answer: OpenFile | number = -6;
  seen: Path | null = null;
  open(_caller: Caller, path: Path): OpenFile | number {
    this.seen = path;
    return this.answer;
  }
}

class AnyFile extends OpenFile {
  readonly inode: Inode;
  constructor(account: Account, inode: Inode) {
    super(account, 0);
    this.inode = inode;
  }
}

Deno.test("special files: by number, by type, behind nodev, blocking FIFOs", () => {
  const opener = new Opener(), t = new TestFiles({ mode: 0o755 }, opener), c = t.root;
  mknodAt(c, CWD, "/null", S_IFCHR | 0o666, 0x103);
  mknodAt(c, CWD, "/other", S_IFCHR | 0o666, 0x107);
  mknodAt(c, CWD, "/fifo", S_IFIFO | 0o666, 0);
  mknodAt(c, CWD, "/sock", S_IFSOCK | 0o666, 0);
  for (const p of ["/null", "/fifo", "/sock"]) assertEquals([p, open(c, p, 0)], [p, "ENXIO"]);
  t.vfs.special.registerCharacter(1, 3, opener);
  opener.answer = BLOCK;
  assertEquals(openAt(c, CWD, "/fifo", F.O_RDONLY, 0), BLOCK);
  const node = statAt(c, CWD, "/null", 0);
  if (typeof node === "number") throw new Error("no /null");
  opener.answer = new AnyFile(TEST_ACCOUNT, node);
  const file = openAt(c, CWD, "/null", F.O_RDWR | F.O_NOCTTY | F.O_TRUNC, 0);
  assertStrictEquals(file, opener.answer);
  assertEquals(opener.answer.flags, F.O_RDWR | F.O_LARGEFILE);
  assertEquals([open(c, "/other", 0), open(c, "/sock", 0)], ["ENXIO", "ENXIO"]);
  t.vfs.special.registerCharacter(1, -1, opener);
  opener.answer = new AnyFile(TEST_ACCOUNT, node);
  assertEquals(open(c, "/other", 0), 0);
  c.fs.namespace.root.flags |= 4;
  assertEquals(open(c, "/null", 0), "EACCES");
  assertEquals(errno(mknodAt(c.as(1000), CWD, "/n", S_IFCHR, 0x103)), "EACCES");
  chmodAt(c, CWD, "/", 0o777, 0);
  assertEquals(errno(mknodAt(c.as(1000), CWD, "/n", S_IFCHR, 0x103)), "EPERM");
  assertEquals(errno(mknodAt(c.as(1000), CWD, "/whiteout", S_IFCHR, 0)), 0);
  assertEquals(errno(mknodAt(c, CWD, "/n", S_IFDIR, 0)), "EPERM");
  assertEquals(errno(mknodAt(c, CWD, "/n", 0o30000, 0)), "EINVAL");
});

Deno.test("a program that runs cannot be written, one that is written cannot run", () => {
  const c = new TestFiles().root;
  writeText(c, "/prog", "x");
  const exec = (path: string, follow = true) => openExec(c, CWD, path, follow, false);
  assertEquals(errno(exec("/prog")), "EACCES");
  chmodAt(c, CWD, "/prog", 0o755, 0);
  symlinkAt(c, "prog", CWD, "/link");
  const running = exec("/link");
  if (typeof running === "number") throw new Error("not opened");
  assertEquals(open(c, "/prog", F.O_RDWR), "ETXTBSY");
  assertEquals(open(c, "/prog", F.O_RDONLY), 0);
  const twice = exec("/prog");
  if (typeof twice === "number") throw new Error("not opened");
  running.drop();
  assertEquals(open(c, "/prog", F.O_WRONLY), "ETXTBSY");
  twice.drop();
  const writer = mustOpen(c, "/prog", F.O_WRONLY);
  assertEquals(errno(exec("/prog")), "ETXTBSY");
  writer.drop();
  assertEquals(errno(exec("/link", false)), "ELOOP");
  mkdirAt(c, CWD, "/dir", 0o755);
  assertEquals([errno(exec("/dir")), errno(exec("/none")), errno(exec("/prog/x"))], [
    "EACCES",
    "ENOENT",
    "ENOTDIR",
  ]);
  c.fs.namespace.root.flags |= 8;
  assertEquals(errno(exec("/prog")), "EACCES");
});

/** A magic link as in /proc: it leads to a path that its text does not name. */
class MagicLink extends PlainInode {
  private readonly to: Path | number;
  constructor(fs: AnonFs, to: Path | number) {
    super(fs, 99, 0o120777);
    this.to = to;
  }
  override followMagic(): Path | number {
    return this.to;
  }
  override setattr(): number {
    return -1;
  }
  override open(_dentry: Dentry): number {
    return -1;
  }
}

Deno.test("magic links jump, also to a file without a name", () => {
  const t = new TestFiles(), c = t.root, anon = new AnonFs(t.vfs.devices, "anon_inodefs");
  writeText(c, "/f", "kept");
  mkdirAt(c, CWD, "/d", 0o755);
  writeText(c, "/d/in", "inside");
  const file = mustOpen(c, "/f", F.O_RDONLY), dir = mustOpen(c, "/d", F.O_RDONLY);
  unlinkAt(c, CWD, "/f");
  const put = (name: string, to: Path | number) => {
    const at = findAt(c, CWD, "/", 0);
    if (typeof at === "number") throw new Error("no /");
    t.vfs.dentries.addFound(at.dentry, name, new MagicLink(anon, to));
  };
  put("tofile", file.path!);
  put("todir", dir.path!);
  put("broken", -3);
  assertEquals(readText(c, "/tofile"), "kept");
  assertEquals(readText(c, "/todir/in"), "inside");
  assertEquals(open(c, "/tofile", F.O_CREAT), 0);
  assertEquals([open(c, "/tofile/", 0), open(c, "/broken", 0)], ["ENOTDIR", "ESRCH"]);
  const beneath = errno(openAt2(c, CWD, "tofile", 0, 0, F.RESOLVE_BENEATH));
  const none = errno(openAt2(c, CWD, "tofile", 0, 0, F.RESOLVE_NO_MAGICLINKS));
  assertEquals([beneath, none], ["EXDEV", "ELOOP"]);
  assertEquals(file.inode.mode & S_IFMT, 0o100000);
});
