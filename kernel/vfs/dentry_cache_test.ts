/** Tests of dentry_cache.ts: what is cached, revalidated, forgotten and pruned, on a tmpfs. */
import { TEST_ACCOUNT } from "../core/account_testing.ts";
import { assertEquals, assertNotStrictEquals, assertStrictEquals } from "@std/assert";
import { AT_FDCWD, O_RDONLY } from "../../ffi/abi/fcntl.ts";
import { SLICE_UNITS } from "../core/deferred_work.ts";
import { TMPFS_INODES } from "../core/quota.ts";
import { TmpfsFs } from "../fs/tmpfs/tmpfs.ts";
import { mkdirAt } from "./create.ts";
import type { Dentry, Path } from "./dentry.ts";
import type { Inode } from "./inode.ts";
import { addMount, unmount } from "./mount_operations.ts";
import { pathText } from "./pathname.ts";
import { rmdirAt, unlinkAt } from "./remove.ts";
import { renameAt } from "./rename.ts";
import { findAt, statAt } from "./status.ts";
import { errno, mustOpen, readText, type TestCaller, TestFiles, writeText } from "./vfs_testing.ts";
import type { Vfs } from "./vfs.ts";

/** A tmpfs whose tree changes behind the VFS: names must be looked up again. */
function unstable(): { t: TestFiles; c: TestCaller; root: Inode } {
  const t = new TestFiles(), c = t.root;
  t.tmpfs.isChangedBehind = true;
  writeText(c, "/f", "first");
  mkdirAt(c, AT_FDCWD, "/d", 0o755);
  return { t, c, root: t.tmpfs.root };
}

function dentry(c: TestCaller, path: string): Dentry {
  const found = findAt(c, AT_FDCWD, path, 0);
  if (typeof found === "number") throw new Error(`${path}: ${errno(found)}`);
  return found.dentry;
}

function place(c: TestCaller, path: string): Path {
  const found = findAt(c, AT_FDCWD, path, 0);
  if (typeof found === "number") throw new Error(`${path}: ${errno(found)}`);
  return found;
}

function child(dir: Inode, name: string): Inode {
  const inode = dir.lookup(name);
  if (typeof inode === "number") throw new Error(`no ${name}`);
  return inode;
}

Deno.test("a stable directory is asked once; answers are kept, also for missing names", () => {
  const t = new TestFiles(), c = t.root;
  let asked = 0;
  const lookup = t.tmpfs.root.lookup.bind(t.tmpfs.root);
  t.tmpfs.root.lookup = (name: string) => {
    asked++;
    return lookup(name);
  };
  mkdirAt(c, AT_FDCWD, "/d", 0o755);
  for (let i = 0; i < 5; i++) {
    statAt(c, AT_FDCWD, "/d", 0);
    statAt(c, AT_FDCWD, "/none", 0);
  }
  assertEquals(asked, 2);
  renameAt(c, AT_FDCWD, "/d", AT_FDCWD, "/none", 0);
  assertEquals([typeof statAt(c, AT_FDCWD, "/none", 0), errno(statAt(c, AT_FDCWD, "/d", 0))], [
    "object",
    "ENOENT",
  ]);
});

Deno.test("an unstable directory: names that came, went or were replaced are seen", () => {
  const { c, root } = unstable();
  assertEquals(errno(statAt(c, AT_FDCWD, "/new", 0)), "ENOENT");
  root.create("new", 0o100644, 0, 0, TEST_ACCOUNT);
  assertEquals(typeof statAt(c, AT_FDCWD, "/new", 0), "object");
  const same = dentry(c, "/f");
  assertStrictEquals(dentry(c, "/f"), same);
  root.unlink("f", child(root, "f"));
  assertEquals(errno(statAt(c, AT_FDCWD, "/f", 0)), "ENOENT");
  root.create("f", 0o100600, 0, 0, TEST_ACCOUNT);
  const other = dentry(c, "/f");
  assertNotStrictEquals(other, same);
  assertEquals([other.inode!.mode, same.isUnlinked], [0o100600, true]);
});

Deno.test("an open file stays usable when the file system has lost its name", () => {
  const { t, c, root } = unstable();
  const file = mustOpen(c, "/f", O_RDONLY);
  root.unlink("f", child(root, "f"));
  assertEquals(errno(statAt(c, AT_FDCWD, "/f", 0)), "ENOENT");
  assertEquals([pathText(file.path!, c.fs.root), file.inode.size], ["/f (deleted)", 5]);
  assertEquals(t.tmpfs.usedPages, 1);
  file.drop();
  assertEquals(t.tmpfs.usedPages, 0);
});

Deno.test("a mount on a replaced directory stays reachable", () => {
  const { t, c, root } = unstable();
  const fs = new TmpfsFs(TEST_ACCOUNT, t.frames, t.vfs, {}), at = findAt(c, AT_FDCWD, "/d", 0);
  if (typeof at === "number") throw new Error("no /d");
  addMount(c, fs, at, 0, "tmpfs");
  writeText(c, "/d/inside", "mounted");
  root.rmdir("d", child(root, "d"));
  root.mkdir("d", 0o40755, 0, 0, TEST_ACCOUNT);
  assertEquals(readText(c, "/d/inside"), "mounted");
});

Deno.test("a mount below a replaced directory stays reachable", () => {
  const { t, c, root } = unstable();
  mkdirAt(c, AT_FDCWD, "/d/deep", 0o755);
  const fs = new TmpfsFs(TEST_ACCOUNT, t.frames, t.vfs, {}),
    at = findAt(c, AT_FDCWD, "/d/deep", 0);
  if (typeof at === "number") throw new Error("no /d/deep");
  addMount(c, fs, at, 0, "tmpfs");
  writeText(c, "/d/deep/inside", "mounted");
  const old = child(root, "d");
  old.rmdir("deep", child(old, "deep"));
  root.rmdir("d", old);
  root.mkdir("d", 0o40755, 0, 0, TEST_ACCOUNT);
  assertEquals(readText(c, "/d/deep/inside"), "mounted");
});

Deno.test("inodes are released with their names, their users and the last mount", () => {
  const t = new TestFiles(), c = t.root;
  mkdirAt(c, AT_FDCWD, "/d", 0o755);
  writeText(c, "/d/f", "x");
  const inode = child(child(t.tmpfs.root, "d"), "f");
  assertEquals(inode.refs, 1);
  const file = mustOpen(c, "/d/f", O_RDONLY);
  assertEquals(inode.refs, 1);
  unlinkAt(c, AT_FDCWD, "/d/f");
  assertEquals([inode.refs, inode.nlink], [1, 0]);
  file.drop();
  assertEquals(inode.refs, 0);
  assertEquals(errno(rmdirAt(c, AT_FDCWD, "/d")), 0);
  assertEquals([t.tmpfs.usedInodes, t.tmpfs.usedPages], [1, 0]);
  const before = t.vfs.dentries.count;
  t.vfs.dentries.forgetFileSystem(t.tmpfs)?.step(Infinity);
  assertEquals([before > 0, t.vfs.dentries.count], [true, 0]);
});

Deno.test("pruning keeps dentries in use, and happens only at the start of a call", () => {
  const t = new TestFiles(), c = t.root;
  for (let i = 0; i < 30; i++) mkdirAt(c, AT_FDCWD, `/d${i}`, 0o755);
  mkdirAt(c, AT_FDCWD, "/d0/deep", 0o755);
  const open = mustOpen(c, "/d1", O_RDONLY), held = open.path!.dentry, deep = dentry(c, "/d0/deep");
  const wd = findAt(c, AT_FDCWD, "/d0/deep", 0);
  if (typeof wd === "number") throw new Error("no /d0/deep");
  c.fs.setCwd(wd);
  t.vfs.dentries.maxUnused = 4;
  for (let i = 0; i < 50; i++) statAt(c, AT_FDCWD, `/d${i % 30}`, 0);
  assertStrictEquals(dentry(c, "/d1"), held);
  assertStrictEquals(dentry(c, "/d0/deep"), deep);
  // Both paths of a rename stay, although they exceed the bound.
  assertEquals(errno(renameAt(c, AT_FDCWD, "/d2", AT_FDCWD, "/d3/x", 0)), 0);
  assertEquals(errno(renameAt(c, AT_FDCWD, "/d3", AT_FDCWD, "/d3/x/y", 0)), "EINVAL");
  open.drop();
});

/** Runs the deferred work, and returns the largest decrease of `count` in one slice. */
function largestSlice({ deferred }: Vfs, count: () => number): number {
  let most = 0;
  for (let before = count(); !deferred.isEmpty; before = count()) {
    deferred.step();
    most = Math.max(most, before - count());
  }
  return most;
}

Deno.test("names that were missing in a removed directory are forgotten in slices", () => {
  const t = new TestFiles(), c = t.root, { dentries } = t.vfs;
  mkdirAt(c, AT_FDCWD, "/d", 0o755);
  const before = dentries.count, missing = 3 * SLICE_UNITS;
  for (let i = 0; i < missing; i++) findAt(c, AT_FDCWD, `/d/${i}`, 0);
  assertEquals(dentries.count, before + missing);
  assertEquals(errno(rmdirAt(c, AT_FDCWD, "/d")), 0);
  assertEquals(dentries.count > before + missing / 2, true);
  assertEquals(largestSlice(t.vfs, () => dentries.count) <= SLICE_UNITS, true);
  // The directory's own dentry may be a negative one now.
  assertEquals(dentries.count <= before, true);
});

Deno.test("the tree and the files of a tmpfs without mounts go in slices", () => {
  const t = new TestFiles(),
    c = t.root,
    { dentries } = t.vfs,
    used = TMPFS_INODES.countOf(TEST_ACCOUNT);
  mkdirAt(c, AT_FDCWD, "/m", 0o755);
  const before = dentries.count, fs = new TmpfsFs(TEST_ACCOUNT, t.frames, t.vfs, {});
  assertEquals(addMount(c, fs, place(c, "/m"), 0, "t"), 0);
  mkdirAt(c, AT_FDCWD, "/m/d", 0o755);
  for (let i = 0; i < 3 * SLICE_UNITS; i++) writeText(c, `/m/${i % 2 === 0 ? "d" : "."}/${i}`, "");
  assertEquals(errno(unmount(c, place(c, "/m"), 0)), 0);
  const left = () => dentries.count + TMPFS_INODES.countOf(TEST_ACCOUNT);
  assertEquals(largestSlice(t.vfs, left) <= SLICE_UNITS, true);
  assertEquals([dentries.count, TMPFS_INODES.countOf(TEST_ACCOUNT), fs.usedInodes], [
    before,
    used + 1,
    0,
  ]);
});

Deno.test("a small tmpfs is freed at the end of the call", () => {
  const t = new TestFiles(),
    c = t.root,
    used = TMPFS_INODES.countOf(TEST_ACCOUNT),
    bytes = t.frames.usedBytes;
  mkdirAt(c, AT_FDCWD, "/m", 0o755);
  assertEquals(
    addMount(c, new TmpfsFs(TEST_ACCOUNT, t.frames, t.vfs, {}), place(c, "/m"), 0, "t"),
    0,
  );
  writeText(c, "/m/f", "text");
  assertEquals(errno(unmount(c, place(c, "/m"), 0)), 0);
  assertEquals([
    t.vfs.deferred.isEmpty,
    TMPFS_INODES.countOf(TEST_ACCOUNT),
    t.frames.usedBytes,
  ], [
    true,
    used + 1,
    bytes,
  ]);
});
