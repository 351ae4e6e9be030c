/** Tests of tmpfs.ts, regular.ts, memfd.ts and secret.ts: bytes, holes, limits, mappings, seals. */
import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { TEST_ACCOUNT } from "../../core/account_testing.ts";
import { assertEquals } from "@std/assert";
import * as F from "../../../ffi/abi/fcntl.ts";
import { SEEK_DATA, SEEK_HOLE } from "../../../ffi/abi/fs.ts";
import { load8, store8 } from "../../../ffi/mem/native_memory.ts";
import type { FileMapping } from "../../mm/backing.ts";
import { type Quota, TMPFS_BYTES, TMPFS_INODES } from "../../core/quota.ts";
import { setTimes } from "../../vfs/attributes.ts";
import { linkAt, mkdirAt, symlinkAt } from "../../vfs/create.ts";
import { fallocateFile } from "../../vfs/fallocate.ts";
import { emptyStatFs } from "../../vfs/inode.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { rmdirAt, unlinkAt } from "../../vfs/remove.ts";
import { ACL_USER, ACL_USER_OBJ, encodeAcl } from "../../vfs/posix_acl.ts";
import { renameAt } from "../../vfs/rename.ts";
import { findAt } from "../../vfs/status.ts";
import {
  BufferCursor,
  errno,
  listDir,
  mustOpen,
  readBytes,
  TestFiles,
  writeText,
} from "../../vfs/vfs_testing.ts";
import { addSeals, getSeals, MemfdStore } from "./memfd.ts";
import { parseTmpfsOptions } from "./options.ts";
import { SecretStore } from "./secret.ts";
import { TmpfsFs } from "./tmpfs.ts";
import { TmpfsRegular } from "./regular.ts";

const RDWR = F.O_RDWR | F.O_CREAT, CWD = F.AT_FDCWD;

function bytes(len: number, start = 0): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: len }, (_, i) => (start + i * 7) & 255);
}

function write(file: OpenFile, at: number, data: Uint8Array<ArrayBuffer>, faultAt = Infinity) {
  return errno(file.write(new BufferCursor(data, faultAt), at));
}

function node(file: OpenFile): TmpfsRegular {
  if (file.inode instanceof TmpfsRegular) return file.inode;
  throw new Error("not a regular file of a tmpfs");
}

Deno.test("bytes come back over any offsets, with holes as zeros", () => {
  const t = new TestFiles(), file = mustOpen(t.root, "/f", RDWR);
  const model = new Uint8Array(3 << 20);
  let seed = 5, size = 0;
  const next = (n: number) => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) % n;
  for (let i = 0; i < 300; i++) {
    const at = next(2 << 20), data = bytes(1 + next(i % 10 === 0 ? 300000 : 9000), i);
    if (next(4) === 0) {
      const end = at + data.length;
      assertEquals(fallocateFile(t.root, file, 3, at, data.length), 0);
      model.fill(0, at, Math.min(end, size));
    } else {
      assertEquals(write(file, at, data), data.length);
      model.set(data, at);
      size = Math.max(size, at + data.length);
    }
    assertEquals(file.inode.size, size);
    const from = next(size), len = next(100000);
    assertEquals(readBytes(file, from, len), model.slice(from, Math.min(size, from + len)));
  }
  assertEquals(readBytes(file, 0, size + 10), model.slice(0, size));
  assertEquals(node(file).blocks, t.tmpfs.usedPages * 8);
});

Deno.test("a fault in the middle of a read or write gives the bytes so far, then EFAULT", () => {
  const t = new TestFiles(), file = mustOpen(t.root, "/f", RDWR);
  assertEquals(write(file, 0, bytes(10), 0), "EFAULT");
  assertEquals([file.inode.size, t.tmpfs.usedPages], [0, 0]);
  assertEquals(write(file, 100, bytes(20000), 10000), 10000);
  assertEquals([file.inode.size, t.tmpfs.usedPages], [10100, 3]);
  assertEquals(errno(file.read(new BufferCursor(new Uint8Array(9000), 5000), 0)), 5000);
  assertEquals(errno(file.read(new BufferCursor(new Uint8Array(9000), 0), 0)), "EFAULT");
  assertEquals(errno(file.read(new BufferCursor(new Uint8Array(9)), 10100)), 0);
  assertEquals(errno(file.read(new BufferCursor(new Uint8Array(0), 0), 0)), 0);
});

Deno.test("the size limit: short writes, then ENOSPC; freed space can be used", () => {
  const t = new TestFiles({ mode: 0o755, pages: 10 }), file = mustOpen(t.root, "/f", RDWR);
  assertEquals(write(file, 0, bytes(8 * PAGE_SIZE)), 8 * PAGE_SIZE);
  assertEquals(write(file, 8 * PAGE_SIZE, bytes(5 * PAGE_SIZE)), 2 * PAGE_SIZE);
  assertEquals(write(file, 10 * PAGE_SIZE, bytes(1)), "ENOSPC");
  assertEquals(write(file, 0, bytes(10 * PAGE_SIZE)), 10 * PAGE_SIZE);
  assertEquals(errno(fallocateFile(t.root, file, 0, 0, 11 * PAGE_SIZE)), "ENOSPC");
  assertEquals([file.inode.size, t.tmpfs.usedPages], [10 * PAGE_SIZE, 10]);
  assertEquals(errno(fallocateFile(t.root, file, 3, PAGE_SIZE + 1, 3 * PAGE_SIZE)), 0);
  assertEquals(t.tmpfs.usedPages, 8);
  const out = emptyStatFs();
  t.tmpfs.statfs(out);
  assertEquals([out.blocks, out.blocksFree], [10, 2]);
});

Deno.test("the inode limit counts names of files too", () => {
  const t = new TestFiles({ mode: 0o755, inodes: 4 }), c = t.root;
  writeText(c, "/a", "");
  assertEquals(errno(linkAt(c, CWD, "/a", CWD, "/b", 0)), 0);
  assertEquals(errno(mkdirAt(c, CWD, "/d", 0o755)), 0);
  assertEquals(errno(mkdirAt(c, CWD, "/e", 0o755)), "ENOSPC");
  assertEquals(errno(linkAt(c, CWD, "/a", CWD, "/c", 0)), "ENOSPC");
  assertEquals(errno(symlinkAt(c, "x", CWD, "/s")), "ENOSPC");
  assertEquals(errno(renameAt(c, CWD, "/a", CWD, "/c", F.RENAME_WHITEOUT)), "ENOSPC");
  for (const name of ["/a", "/b"]) unlinkAt(c, CWD, name);
  rmdirAt(c, CWD, "/d");
  assertEquals(t.tmpfs.usedInodes, 1);
});

Deno.test("an unlinked file lives as long as it is open, then its pages go", () => {
  const t = new TestFiles(), file = mustOpen(t.root, "/f", RDWR);
  write(file, 0, bytes(3 * PAGE_SIZE));
  unlinkAt(t.root, CWD, "/f");
  assertEquals([file.inode.nlink, t.tmpfs.usedPages, t.tmpfs.usedInodes], [0, 3, 2]);
  assertEquals(readBytes(file, 0, 5), bytes(5));
  const usedBytes = t.frames.usedBytes;
  file.drop();
  assertEquals([t.tmpfs.usedPages, t.tmpfs.usedInodes], [0, 1]);
  assertEquals(usedBytes - t.frames.usedBytes, 3 * PAGE_SIZE);
});

Deno.test("holes: SEEK_DATA and SEEK_HOLE, truncation leaves zeros behind", () => {
  const t = new TestFiles(), file = mustOpen(t.root, "/f", RDWR);
  write(file, 5 * PAGE_SIZE, bytes(PAGE_SIZE));
  write(file, 3000 * PAGE_SIZE, bytes(10));
  const size = file.inode.size;
  const seek = (at: number, whence: number) => errno(file.seek(at, whence));
  assertEquals(seek(0, SEEK_DATA), 5 * PAGE_SIZE);
  assertEquals(seek(5 * PAGE_SIZE + 7, SEEK_DATA), 5 * PAGE_SIZE + 7);
  assertEquals(seek(6 * PAGE_SIZE, SEEK_DATA), 3000 * PAGE_SIZE);
  assertEquals(seek(5 * PAGE_SIZE, SEEK_HOLE), 6 * PAGE_SIZE);
  assertEquals(seek(17, SEEK_HOLE), 17);
  assertEquals(seek(3000 * PAGE_SIZE, SEEK_HOLE), size);
  assertEquals(seek(size, SEEK_DATA), "ENXIO");
  assertEquals(seek(-1, SEEK_HOLE), "ENXIO");
  assertEquals(file.truncate(5 * PAGE_SIZE + 3), 0);
  assertEquals(file.truncate(6 * PAGE_SIZE), 0);
  assertEquals(readBytes(file, 5 * PAGE_SIZE, PAGE_SIZE).slice(2, 5), Uint8Array.of(14, 0, 0));
  assertEquals(t.tmpfs.usedPages, 1);
});

Deno.test("fallocate: zero, collapse and insert move bytes as they say", () => {
  const t = new TestFiles(), file = mustOpen(t.root, "/f", RDWR);
  const go = (mode: number, at: number, len: number) =>
    errno(fallocateFile(t.root, file, mode, at, len));
  write(file, 0, bytes(6 * PAGE_SIZE));
  const first = readBytes(file, 0, 6 * PAGE_SIZE);
  assertEquals(go(F.FALLOC_FL_COLLAPSE_RANGE, PAGE_SIZE, 2 * PAGE_SIZE), 0);
  assertEquals(file.inode.size, 4 * PAGE_SIZE);
  assertEquals(readBytes(file, PAGE_SIZE, 3 * PAGE_SIZE), first.slice(3 * PAGE_SIZE));
  assertEquals(go(F.FALLOC_FL_INSERT_RANGE, PAGE_SIZE, 600 * PAGE_SIZE), 0);
  assertEquals(file.inode.size, 604 * PAGE_SIZE);
  assertEquals(readBytes(file, PAGE_SIZE, PAGE_SIZE), new Uint8Array(PAGE_SIZE));
  assertEquals(readBytes(file, 601 * PAGE_SIZE, 3 * PAGE_SIZE), first.slice(3 * PAGE_SIZE));
  assertEquals(go(F.FALLOC_FL_ZERO_RANGE, 601 * PAGE_SIZE + 5, 10), 0);
  assertEquals(readBytes(file, 601 * PAGE_SIZE + 4, 12).slice(1, 11), new Uint8Array(10));
  assertEquals(go(F.FALLOC_FL_ZERO_RANGE, 604 * PAGE_SIZE, PAGE_SIZE), 0);
  assertEquals(file.inode.size, 605 * PAGE_SIZE);
  const cases: [number, number, number, string][] = [
    [F.FALLOC_FL_COLLAPSE_RANGE, 1, PAGE_SIZE, "EINVAL"],
    [F.FALLOC_FL_COLLAPSE_RANGE, 0, 605 * PAGE_SIZE, "EINVAL"],
    [F.FALLOC_FL_INSERT_RANGE, 605 * PAGE_SIZE, PAGE_SIZE, "EINVAL"],
    [F.FALLOC_FL_INSERT_RANGE, 0, 100, "EINVAL"],
    [F.FALLOC_FL_INSERT_RANGE | F.FALLOC_FL_KEEP_SIZE, 0, PAGE_SIZE, "EOPNOTSUPP"],
    [F.FALLOC_FL_PUNCH_HOLE, 0, PAGE_SIZE, "EOPNOTSUPP"],
    [0, -1, PAGE_SIZE, "EINVAL"],
    [0, 0, 0, "EINVAL"],
    [0, Number.MAX_SAFE_INTEGER - 10, 100, "EFBIG"],
    [0x80, 0, PAGE_SIZE, "EOPNOTSUPP"],
  ];
  for (const [mode, at, len, e] of cases) {
    assertEquals([mode, at, go(mode, at, len)], [mode, at, e]);
  }
  assertEquals(t.tmpfs.usedPages, node(file).data.pages.count);
});

Deno.test("ranges of petabytes: refused, or done as fast as there are pages", () => {
  const t = new TestFiles(), file = mustOpen(t.root, "/f", RDWR), far = 2 ** 50;
  const go = (mode: number, at: number, len: number) =>
    errno(fallocateFile(t.root, file, mode, at, len));
  write(file, 0, bytes(PAGE_SIZE));
  write(file, far, bytes(2 * PAGE_SIZE));
  const { usedPages } = t.tmpfs, zero = F.FALLOC_FL_ZERO_RANGE | F.FALLOC_FL_KEEP_SIZE;
  assertEquals(go(0, 0, 2 ** 52), "ENOSPC");
  assertEquals(go(zero, 3 * PAGE_SIZE, far - 5 * PAGE_SIZE), "ENOSPC");
  assertEquals(t.tmpfs.usedPages, usedPages);
  assertEquals(node(file).data.pages.run(1, 2 ** 40), far / PAGE_SIZE - 1);
  assertEquals(node(file).data.pages.run(far / PAGE_SIZE + 2, 2 ** 30), 2 ** 30);
  assertEquals(file.seek(PAGE_SIZE, SEEK_DATA), far);
  assertEquals(go(F.FALLOC_FL_INSERT_RANGE, PAGE_SIZE, far), 0);
  assertEquals(
    readBytes(file, 2 * far + PAGE_SIZE, PAGE_SIZE),
    bytes(2 * PAGE_SIZE).slice(PAGE_SIZE),
  );
  assertEquals(go(F.FALLOC_FL_COLLAPSE_RANGE, PAGE_SIZE, 2 * far - 2 * PAGE_SIZE), 0);
  assertEquals(readBytes(file, 2 * PAGE_SIZE, 2 * PAGE_SIZE), bytes(2 * PAGE_SIZE));
  assertEquals(go(3, 0, 2 ** 52), 0);
  assertEquals(t.tmpfs.usedPages, 0);
});

Deno.test("O_APPEND writes at the end and moves the position there", () => {
  const t = new TestFiles(), a = mustOpen(t.root, "/f", RDWR);
  const b = mustOpen(t.root, "/f", F.O_WRONLY | F.O_APPEND);
  write(a, 0, bytes(100));
  assertEquals(write(b, 0, bytes(10)), 10);
  assertEquals([a.inode.size, b.pos], [110, 110]);
});

class Mapping implements FileMapping {
  readonly gone: string[] = [];
  private readonly file: OpenFile;
  constructor(file: OpenFile) {
    this.file = file;
  }
  onPagesGone(from: number, to: number): void {
    this.gone.push(`${from / PAGE_SIZE}-${to / PAGE_SIZE} size ${this.file.inode.size}`);
  }
}

Deno.test("mappings: the same bytes, frames for holes, notified before pages are freed", () => {
  const t = new TestFiles(), file = mustOpen(t.root, "/dir", RDWR);
  write(file, 0, bytes(2 * PAGE_SIZE + 50));
  const backing = file.mmap(true, true);
  if (typeof backing === "number") throw new Error(errno(backing) as string);
  assertEquals(file.mmap(false, true), backing);
  const mapping = new Mapping(file);
  backing.mappings.add(mapping);
  backing.hold();
  const base = t.frames.arena.base, frame = backing.frame(PAGE_SIZE, false);
  assertEquals(load8(base + frame + 3), bytes(PAGE_SIZE + 4)[PAGE_SIZE + 3]);
  store8(base + frame + 3, 99);
  assertEquals(readBytes(file, PAGE_SIZE + 3, 1)[0], 99);
  file.truncate(10 * PAGE_SIZE);
  assertEquals(backing.frame(5 * PAGE_SIZE, false), -1);
  const filled = backing.frame(5 * PAGE_SIZE, true);
  assertEquals([filled >= 0, backing.frame(5 * PAGE_SIZE, false) === filled], [true, true]);
  assertEquals(errno(backing.frame(10 * PAGE_SIZE, true)), "EFAULT");
  assertEquals(backing.contiguous(0, backing.frame(0, false), 8) >= 1, true);
  fallocateFile(t.root, file, 3, PAGE_SIZE - 10, 3 * PAGE_SIZE);
  file.truncate(PAGE_SIZE + 1);
  assertEquals(mapping.gone, [`1-3 size ${10 * PAGE_SIZE}`, `2-Infinity size ${PAGE_SIZE + 1}`]);
  // The mapping holds the description, and so the file.
  unlinkAt(t.root, CWD, "/dir");
  assertEquals(backing.describe(), "/dir (deleted)");
  file.drop();
  assertEquals(t.tmpfs.usedPages, 1);
  backing.drop();
  assertEquals(t.tmpfs.usedPages, 0);
});

Deno.test("readdir: an entry that stays is read once, whatever is added and removed", () => {
  const t = new TestFiles(), c = t.root;
  mkdirAt(c, CWD, "/d", 0o755);
  for (let i = 0; i < 200; i++) mkdirAt(c, CWD, `/d/keep${i}`, 0o755);
  for (let i = 0; i < 200; i++) mkdirAt(c, CWD, `/d/gone${i}`, 0o755);
  const dir = mustOpen(c, "/d", F.O_RDONLY), seen: string[] = [];
  for (let round = 0, more = true; more; round++) {
    let room = 7;
    more = false;
    dir.readdir((name, _ino, _type, offset) => {
      if (room-- === 0) return !(more = true);
      seen.push(name);
      dir.pos = offset;
      return true;
    });
    rmdirAt(c, CWD, `/d/gone${round}`);
    renameAt(c, CWD, `/d/gone${199 - round}`, CWD, `/d/renamed${round}`, 0);
    mkdirAt(c, CWD, `/d/new${round}`, 0o755);
  }
  for (let i = 0; i < 200; i++) assertEquals(seen.filter((n) => n === `keep${i}`).length, 1);
  assertEquals(seen.slice(0, 2), [".", ".."]);
  dir.drop();
});

Deno.test("a reader that renames every entry it reads reaches the end", () => {
  const t = new TestFiles(), c = t.root;
  for (let i = 0; i < 5; i++) writeText(c, `/f${i}`, "");
  const dir = mustOpen(c, "/", F.O_RDONLY);
  let count = 0;
  dir.readdir((name) => {
    if (!name.startsWith(".")) renameAt(c, CWD, `/${name}`, CWD, `/x${count}`, 0);
    return ++count < 1000;
  });
  assertEquals(count, 7);
  dir.pos = 0;
  assertEquals(listDir(c, "/").length, 5);
  dir.drop();
});

Deno.test("times: calls that change each of them, and relatime", () => {
  const t = new TestFiles(), c = t.root, file = mustOpen(c, "/f", RDWR), i = file.inode;
  const times = () => [i.atimeNsec, i.mtimeNsec, i.ctimeNsec];
  t.host.tick();
  write(file, 0, bytes(10));
  assertEquals(times(), [0, 1000, 1000]);
  t.host.tick();
  readBytes(file, 0, 1);
  assertEquals(times(), [2000, 1000, 1000]);
  c.fs.namespace.root.flags |= 0x200000;
  t.host.tick();
  readBytes(file, 0, 1);
  assertEquals(times(), [2000, 1000, 1000]);
  t.host.sec += 86401;
  readBytes(file, 0, 1);
  assertEquals(times(), [3000, 1000, 1000]);
  const path = findAt(c, CWD, "/f", 0);
  if (typeof path === "number") throw new Error("no /f");
  const set = { atimeSec: -5, atimeNsec: 999999999, mtimeSec: 2 ** 33, mtimeNsec: 0x3ffffffe };
  assertEquals(setTimes(c, path, set), 0);
  assertEquals([i.atimeSec, i.atimeNsec, i.mtimeNsec, i.ctimeNsec], [-5, 999999999, 1000, 3000]);
  assertEquals(errno(setTimes(c, path, { ...set, atimeNsec: 1e9 })), "EINVAL");
  assertEquals(errno(setTimes(c.as(5), path, null)), "EACCES");
  assertEquals(errno(setTimes(c.as(5), path, set)), "EPERM");
});

Deno.test("memfd: flags, names, seals", () => {
  const t = new TestFiles(), c = t.root;
  const store = new MemfdStore(
    TEST_ACCOUNT,
    t.vfs,
    new TmpfsFs(TEST_ACCOUNT, t.frames, t.vfs, { pages: 0, inodes: 0 }),
  );
  const make = (flags: number, name = "x") => store.create(name, flags, c.cred, c.account);
  assertEquals(errno(make(0x20)), "EINVAL");
  assertEquals(errno(make(F.MFD_EXEC | F.MFD_NOEXEC_SEAL)), "EINVAL");
  assertEquals(errno(make(0, "n".repeat(250))), "EINVAL");
  const plain = make(F.MFD_CLOEXEC), sealable = make(F.MFD_ALLOW_SEALING);
  const data = make(F.MFD_NOEXEC_SEAL);
  if (typeof plain === "number" || typeof sealable === "number" || typeof data === "number") {
    throw new Error("no memfd");
  }
  assertEquals([getSeals(plain), getSeals(sealable), getSeals(data)], [1, 0, F.F_SEAL_EXEC]);
  assertEquals([plain.inode.mode & 0o777, data.inode.mode & 0o777], [0o777, 0o666]);
  assertEquals(errno(addSeals(plain, F.F_SEAL_GROW)), "EPERM");
  write(sealable, 0, bytes(100));
  const mapped = sealable.mmap(true, true);
  if (typeof mapped === "number") throw new Error("cannot be mapped");
  mapped.hold();
  assertEquals(errno(addSeals(sealable, F.F_SEAL_WRITE)), "EBUSY");
  mapped.drop();
  assertEquals(errno(addSeals(sealable, F.F_SEAL_GROW | F.F_SEAL_SHRINK)), 0);
  assertEquals(write(sealable, 90, bytes(20)), "EPERM");
  assertEquals(write(sealable, 90, bytes(10)), 10);
  assertEquals([errno(sealable.truncate(99)), errno(sealable.truncate(101))], ["EPERM", "EPERM"]);
  assertEquals(errno(addSeals(sealable, F.F_SEAL_WRITE | F.F_SEAL_SEAL)), 0);
  assertEquals(write(sealable, 0, bytes(1)), "EPERM");
  assertEquals(errno(fallocateFile(c, sealable, 3, 0, 10)), "EPERM");
  assertEquals([errno(sealable.mmap(true, true)), errno(sealable.mmap(true, false))], [
    "EPERM",
    "object",
  ]);
  assertEquals(errno(addSeals(sealable, F.F_SEAL_WRITE)), "EPERM");
  assertEquals(errno(addSeals(sealable, 0x1000)), "EINVAL");
  assertEquals(errno(getSeals(mustOpen(c, "/", F.O_RDONLY))), "EINVAL");
});

Deno.test("mount options: sizes with suffixes and percent, nonsense is EINVAL", () => {
  const parse = (text: string) => parseTmpfsOptions(text, 1 << 30);
  assertEquals(parse("size=64k,mode=755,uid=5,gid=6,nr_inodes=1k"), {
    pages: 16,
    mode: 0o755,
    uid: 5,
    gid: 6,
    inodes: 1024,
  });
  assertEquals(parse("size=50%"), { pages: 131072 });
  assertEquals(parse("size=4097,,huge=never"), { pages: 2 });
  assertEquals(parse("size=0"), { pages: 0 });
  for (const bad of ["size=", "size=x", "size=1q", "mode=9", "uid=-1", "uid=4294967295", "what"]) {
    assertEquals([bad, parse(bad)], [bad, -22]);
  }
});

Deno.test("unmounting gives all frames back", () => {
  const t = new TestFiles(), before = t.frames.usedBytes;
  const fs = new TmpfsFs(TEST_ACCOUNT, t.frames, t.vfs, {});
  for (const name of ["a", "b"]) {
    const dir = fs.root.mkdir(name, 0o40755, 0, 0, TEST_ACCOUNT);
    if (typeof dir === "number") throw new Error("no directory");
    const file = dir.create("f", 0o100644, 0, 0, TEST_ACCOUNT);
    if (!(file instanceof TmpfsRegular)) throw new Error("no file");
    file.data.write(new BufferCursor(bytes(50000)), 1 << 20, 50000);
  }
  assertEquals(fs.usedPages, 26);
  fs.destroy();
  assertEquals([fs.usedPages, t.frames.usedBytes], [0, before]);
});

function countOf(quota: Quota): number {
  return quota.countOf(TEST_ACCOUNT);
}

Deno.test("inodes and bytes of all file systems are counted, and uncounted at the end", () => {
  const t = new TestFiles(), counted = () => [countOf(TMPFS_INODES), countOf(TMPFS_BYTES)];
  const before = counted(),
    fs = new TmpfsFs(TEST_ACCOUNT, t.frames, t.vfs, { inodes: 0 }),
    { root } = fs;
  // So many values do not fit on the stack as arguments of one call.
  for (let i = 0; i < 150_000; i++) {
    assertEquals(typeof root.mknod(`n${i}`, 0o100644, 0, 0, 0, TEST_ACCOUNT), "object");
  }
  const file = root.create("file", 0o100644, 0, 0, TEST_ACCOUNT),
    dir = root.mkdir("dir", 0o40755, 0, 0, TEST_ACCOUNT);
  if (!(file instanceof TmpfsRegular) || typeof dir === "number") throw new Error("no file");
  for (const name of ["second", "third"]) assertEquals(dir.link(name, file), 0);
  assertEquals(countOf(TMPFS_INODES) - before[0]!, 150_005);
  root.symlink("link", "t".repeat(100), 0, 0, TEST_ACCOUNT);
  assertEquals(file.setxattr("user.a", bytes(1000), 0), 0);
  assertEquals(file.setxattr("user.a", bytes(500), 0), 0);
  assertEquals(countOf(TMPFS_BYTES) - before[1]!, 606);
  const acl = [{ tag: ACL_USER_OBJ, perm: 7, id: 0 }, { tag: ACL_USER, perm: 7, id: 5 }];
  assertEquals(dir.setxattr("system.posix_acl_default", encodeAcl(acl), 0), 0);
  assertEquals(countOf(TMPFS_BYTES) - before[1]!, 686);
  assertEquals(dir.removexattr("system.posix_acl_default"), 0);
  assertEquals(file.removexattr("user.a"), 0);
  assertEquals(countOf(TMPFS_BYTES) - before[1]!, 100);
  TMPFS_BYTES.add(TMPFS_BYTES.limit, TEST_ACCOUNT);
  assertEquals(errno(file.setxattr("user.b", bytes(1), 0)), "ENOSPC");
  assertEquals(errno(root.symlink("more", "t", 0, 0, TEST_ACCOUNT)), "ENOSPC");
  TMPFS_BYTES.give(TMPFS_BYTES.limit, TEST_ACCOUNT);
  fs.destroy();
  assertEquals(counted(), before);
});

Deno.test("secret memory is given back with its last descriptor", () => {
  const t = new TestFiles(), store = new SecretStore(TEST_ACCOUNT, t.vfs, t.frames);
  const before = [countOf(TMPFS_INODES), t.frames.usedBytes];
  const file = store.create(0, t.root.cred, TEST_ACCOUNT);
  if (typeof file === "number") throw new Error("no file");
  assertEquals([file.truncate(2 * PAGE_SIZE), file.inode!.nlink], [0, 1]);
  const backing = file.mmap(true, true);
  if (typeof backing === "number") throw new Error("no mapping");
  assertEquals(backing.frame(0, true) >= 0, true);
  file.drop();
  assertEquals([countOf(TMPFS_INODES), t.frames.usedBytes], before);
});

Deno.test("frames that a snapshot holds are not written, whatever is done with the file", () => {
  const t = new TestFiles(), { pool } = t.frames, file = mustOpen(t.root, "/f", RDWR);
  const held: { frame: number; byte: number }[] = [], { pages } = node(file).data;
  const base = t.frames.arena.base, model = new Uint8Array(4 << 20);
  let seed = 11, size = 0;
  const next = (n: number) => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) % n;
  for (let i = 0; i < 400; i++) {
    if (i % 20 === 0) {
      for (let page = 0; page * PAGE_SIZE < size; page++) {
        const frame = pages.get(page) * PAGE_SIZE;
        if (frame < 0) continue;
        pool.hold(frame / PAGE_SIZE, 1);
        held.push({ frame, byte: load8(base + frame + 100) });
      }
    }
    const at = next(1 << 20), data = bytes(1 + next(20_000), i), end = at + data.length;
    const kind = next(6);
    if (kind === 0) {
      assertEquals(fallocateFile(t.root, file, F.FALLOC_FL_PUNCH_HOLE | 1, at, data.length), 0);
      model.fill(0, at, Math.min(end, size));
    } else if (kind === 1) {
      assertEquals(node(file).truncate(at), 0);
      model.fill(0, at);
      size = at;
    } else if (kind === 2 && at < size) {
      const from = at - at % PAGE_SIZE;
      assertEquals(fallocateFile(t.root, file, F.FALLOC_FL_INSERT_RANGE, from, PAGE_SIZE), 0);
      model.copyWithin(from + PAGE_SIZE, from, size);
      model.fill(0, from, from + PAGE_SIZE);
      size += PAGE_SIZE;
    } else {
      assertEquals(write(file, at, data), data.length);
      model.set(data, at);
      size = Math.max(size, end);
    }
  }
  assertEquals(readBytes(file, 0, size), model.subarray(0, size));
  for (const { frame, byte } of held) {
    assertEquals(load8(base + frame + 100), byte);
    pool.drop(frame / PAGE_SIZE, 1);
  }
  file.drop();
  assertEquals([unlinkAt(t.root, CWD, "/f"), t.frames.usedBytes, pool.heldBytes], [0, 0, 0]);
});
