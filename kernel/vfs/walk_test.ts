/** Tests of walk.ts: paths, links, mounts, RESOLVE_* and walks of several turns. */
import { TEST_ACCOUNT } from "../core/account_testing.ts";
import { assertEquals } from "@std/assert";
import {
  AT_FDCWD,
  O_CREAT,
  O_DIRECTORY,
  O_PATH,
  O_RDONLY,
  RESOLVE_BENEATH,
  RESOLVE_CACHED,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
} from "../../ffi/abi/fcntl.ts";
import { EAGAIN } from "../../ffi/abi/errno.ts";
import { Account } from "../core/account.ts";
import { BLOCK } from "../core/result.ts";
import { Progress } from "../task/progress.ts";
import { TmpfsFs } from "../fs/tmpfs/tmpfs.ts";
import { mkdirAt, symlinkAt } from "./create.ts";
import { addMount, bindMount, unmount } from "./mount_operations.ts";
import { openAt2 } from "./open.ts";
import { cwdText, pathText } from "./pathname.ts";
import { renameAt } from "./rename.ts";
import { rmdirAt } from "./remove.ts";
import { findAt, statAt } from "./status.ts";
import { errno, mustOpen, TestCaller, TestFiles, writeText } from "./vfs_testing.ts";
import {
  firstWalk,
  LOOKUP_DIRECTORY,
  LOOKUP_FOLLOW,
  LOOKUP_PARENT,
  STEPS_A_TURN,
  Walk,
} from "./walk.ts";
import type { Path } from "./dentry.ts";

function setUp(): TestFiles {
  const t = new TestFiles(), c = t.root;
  for (const d of ["/a", "/a/b", "/a/b/c", "/locked"]) mkdirAt(c, AT_FDCWD, d, 0o755);
  writeText(c, "/a/file", "hello");
  const links: [string, string][] = [
    ["file", "/a/rel"],
    ["/a/file", "/abs"],
    ["b", "/a/dirlink"],
    ["b/", "/a/dirlink2"],
    ["loop2", "/loop1"],
    ["loop1", "/loop2"],
    ["nothing", "/dangling"],
    ["/", "/rootlink"],
    ["../..", "/a/up"],
  ];
  for (const [to, at] of links) symlinkAt(c, to, AT_FDCWD, at);
  return t;
}

/** The text of the path that a walk ends at, or the name of the error. */
function go(c: TestCaller, text: string, flags = LOOKUP_FOLLOW, dirfd = AT_FDCWD): string | number {
  const walk = new Walk(c, 1);
  const r = walk.run(c, dirfd, text, flags);
  return r < 0 ? errno(r) : pathText(walk.path, c.fs.root);
}

function find(c: TestCaller, text: string): Path {
  const path = findAt(c, AT_FDCWD, text, 0);
  if (typeof path === "number") throw new Error(`${text}: ${errno(path)}`);
  return path;
}

Deno.test("plain paths, dots and slashes", () => {
  const c = setUp().root;
  const cases: [string, string][] = [
    ["/", "/"],
    ["//", "/"],
    ["/..", "/"],
    ["/../../..", "/"],
    ["/.", "/"],
    ["/a/./b/../b/c", "/a/b/c"],
    ["//a///b//c//", "/a/b/c"],
    ["a/b/c/.", "/a/b/c"],
    ["/a/b/c/..", "/a/b"],
    ["/a/file", "/a/file"],
    ["/a/file/", "ENOTDIR"],
    ["/a/file/.", "ENOTDIR"],
    ["/a/file/..", "ENOTDIR"],
    ["/a/file/x", "ENOTDIR"],
    ["/a/none", "ENOENT"],
    ["/a/none/", "ENOENT"],
    ["/a/none/x", "ENOENT"],
    ["/a/none/..", "ENOENT"],
    ["", "ENOENT"],
  ];
  for (const [text, expected] of cases) assertEquals([text, go(c, text)], [text, expected]);
});

Deno.test("names and paths that are too long", () => {
  const c = setUp().root;
  assertEquals(go(c, "/" + "x".repeat(255)), "ENOENT");
  assertEquals(go(c, "/" + "x".repeat(256)), "ENAMETOOLONG");
  assertEquals(go(c, "/a/file/" + "x".repeat(256)), "ENOTDIR");
  assertEquals(go(c, "/".repeat(4095)), "/");
  assertEquals(go(c, "/".repeat(4096)), "ENAMETOOLONG");
  assertEquals(go(c, "/none/" + "x".repeat(256)), "ENOENT");
});

Deno.test("symbolic links: last, in the middle, with slashes, dangling, in circles", () => {
  const c = setUp().root;
  const cases: [string, string, string][] = [
    ["/a/rel", "/a/file", "/a/rel"],
    ["/abs", "/a/file", "/abs"],
    ["/a/dirlink", "/a/b", "/a/dirlink"],
    ["/a/dirlink/", "/a/b", "/a/b"],
    ["/a/dirlink2", "/a/b", "/a/dirlink2"],
    ["/a/dirlink/c", "/a/b/c", "/a/b/c"],
    ["/a/dirlink/.", "/a/b", "/a/b"],
    ["/a/dirlink/..", "/a", "/a"],
    ["/a/rel/", "ENOTDIR", "ENOTDIR"],
    ["/rootlink/a/up/a", "/a", "/a"],
    ["/rootlink", "/", "/rootlink"],
    ["/dangling", "ENOENT", "/dangling"],
    ["/dangling/", "ENOENT", "ENOENT"],
    ["/loop1", "ELOOP", "/loop1"],
    ["/loop1/", "ELOOP", "ELOOP"],
    ["/loop1/x", "ELOOP", "ELOOP"],
  ];
  for (const [text, followed, unfollowed] of cases) {
    assertEquals([text, go(c, text), go(c, text, 0)], [text, followed, unfollowed]);
  }
});

Deno.test("40 links are followed, the 41st is ELOOP", () => {
  const c = setUp().root;
  symlinkAt(c, "/a/file", AT_FDCWD, "/l1");
  for (let i = 2; i <= 41; i++) symlinkAt(c, `/l${i - 1}`, AT_FDCWD, `/l${i}`);
  assertEquals(go(c, "/l40"), "/a/file");
  assertEquals(go(c, "/l41"), "ELOOP");
  assertEquals(go(c, "/l41", 0), "/l41");
});

Deno.test("search permission is needed for every directory, and only for directories", () => {
  const t = setUp(), user = t.root.as(1000);
  assertEquals(go(user, "/a/b/c"), "/a/b/c");
  find(t.root, "/a").dentry.inode!.mode = 0o40700;
  assertEquals(go(user, "/a"), "/a");
  for (const text of ["/a/", "/a/b", "/a/.", "/a/none", "/a/file/x"]) {
    assertEquals([text, go(user, text)], [text, text === "/a/" ? "/a" : "EACCES"]);
  }
  assertEquals(go(t.root, "/a/b"), "/a/b");
});

Deno.test("LOOKUP_PARENT and LOOKUP_DIRECTORY", () => {
  const c = setUp().root, walk = firstWalk(c);
  const parents: [string, string, string, number, boolean][] = [
    ["/a/none", "/a", "none", 0, false],
    ["/a/none///", "/a", "none", 0, true],
    ["none", "/", "none", 0, false],
    ["/", "/", "", 1, false],
    ["/a/.", "/a", ".", 2, false],
    ["/a/../", "/a", "..", 3, true],
    ["/a/dirlink/x", "/a/b", "x", 0, false],
    ["/a/rel", "/a", "rel", 0, false],
  ];
  for (const [text, dir, last, type, slash] of parents) {
    assertEquals(walk.run(c, AT_FDCWD, text, LOOKUP_PARENT), 0);
    const got = [pathText(walk.path, c.fs.root), walk.last, walk.lastType, walk.hasTrailingSlash];
    assertEquals([text, ...got], [text, dir, last, type, slash]);
  }
  assertEquals(errno(walk.run(c, AT_FDCWD, "/a/file/x", LOOKUP_PARENT)), "ENOTDIR");
  assertEquals(go(c, "/a/file", LOOKUP_DIRECTORY), "ENOTDIR");
  assertEquals(go(c, "/a/dirlink", LOOKUP_DIRECTORY), "ENOTDIR");
  assertEquals(go(c, "/a/dirlink", LOOKUP_DIRECTORY | LOOKUP_FOLLOW), "/a/b");
});

Deno.test("paths relative to a descriptor", () => {
  const c = setUp().root;
  const dir = c.files.install(mustOpen(c, "/a/b", O_RDONLY | O_DIRECTORY), false, 1024);
  const file = c.files.install(mustOpen(c, "/a/file", O_RDONLY), false, 1024);
  const place = c.files.install(mustOpen(c, "/a", O_PATH), false, 1024);
  assertEquals(go(c, "c", 0, dir), "/a/b/c");
  assertEquals(go(c, "../file", 0, dir), "/a/file");
  assertEquals(go(c, "/a", 0, 77), "/a");
  assertEquals(go(c, "b", 0, place), "/a/b");
  assertEquals(go(c, "x", 0, file), "ENOTDIR");
  assertEquals(go(c, "x", 0, 77), "EBADF");
  assertEquals(go(c, "x", 0, -3), "EBADF");
  assertEquals(go(c, "", 0, file), "ENOENT");
  assertEquals(go(c, "", 4, file), "/a/file");
});

Deno.test("mounts are crossed downwards and upwards, and hide the files below", () => {
  const t = setUp(), c = t.root;
  const fs = new TmpfsFs(TEST_ACCOUNT, t.frames, t.vfs, { mode: 0o755 });
  assertEquals(addMount(c, fs, find(c, "/a/b"), 0, "tmpfs"), 0);
  assertEquals(go(c, "/a/b/c"), "ENOENT");
  mkdirAt(c, AT_FDCWD, "/a/b/inner", 0o755);
  assertEquals(go(c, "/a/b/inner/../.."), "/a");
  assertEquals(find(c, "/a/b").mount.fs, fs);
  assertEquals(go(c, "/a/b/inner"), "/a/b/inner");
  assertEquals(rmdirAt(c, AT_FDCWD, "/a/b"), -16);
  assertEquals(renameAt(c, AT_FDCWD, "/a/b", AT_FDCWD, "/x", 0), -16);
  assertEquals(unmount(c, find(c, "/a/b"), 0), 0);
  assertEquals(go(c, "/a/b/c"), "/a/b/c");
});

Deno.test("a bind mount: its root is the root, and moving out of it leads nowhere", () => {
  const t = setUp(), c = t.root;
  mkdirAt(c, AT_FDCWD, "/m", 0o755);
  mkdirAt(c, AT_FDCWD, "/a/b/c/d", 0o755);
  assertEquals(bindMount(c, find(c, "/a/b"), find(c, "/m"), false), 0);
  assertEquals(go(c, "/m/c/.."), "/m");
  assertEquals(go(c, "/m/.."), "/");
  c.fs.setCwd(find(c, "/m/c/d"));
  assertEquals(go(c, "../.."), "/m");
  assertEquals(renameAt(c, AT_FDCWD, "/a/b/c/d", AT_FDCWD, "/out", 0), 0);
  assertEquals(go(c, ".."), "ENOENT");
  assertEquals(cwdText(c.fs), "(unreachable)/out");
});

Deno.test("chroot: `..` and absolute links stay inside", () => {
  const t = setUp(), c = t.root;
  symlinkAt(c, "/b", AT_FDCWD, "/a/inside");
  c.fs.setRoot(find(c, "/a"));
  assertEquals(go(c, "/../../b"), "/b");
  assertEquals(go(c, "/inside/c"), "/b/c");
  assertEquals(go(c, "/a"), "ENOENT");
});

Deno.test("a removed working directory: `..` still works, names do not", () => {
  const c = setUp().root;
  mkdirAt(c, AT_FDCWD, "/a/gone", 0o755);
  c.fs.setCwd(find(c, "/a/gone"));
  assertEquals(rmdirAt(c, AT_FDCWD, "/a/gone"), 0);
  assertEquals(go(c, "."), "/a/gone (deleted)");
  assertEquals(go(c, ".."), "/a");
  assertEquals(go(c, "x"), "ENOENT");
  assertEquals(errno(mkdirAt(c, AT_FDCWD, "x", 0o755)), "ENOENT");
  assertEquals(errno(cwdText(c.fs)), "ENOENT");
});

Deno.test("openat2: where RESOLVE_* forbids to go", () => {
  const t = setUp(), c = t.root;
  const dirfd = c.files.install(mustOpen(c, "/a", O_PATH), false, 1024);
  const fs = new TmpfsFs(TEST_ACCOUNT, t.frames, t.vfs, {});
  mkdirAt(c, AT_FDCWD, "/a/mnt", 0o755);
  addMount(c, fs, find(c, "/a/mnt"), 0, "tmpfs");
  symlinkAt(c, "/b", AT_FDCWD, "/a/toB");
  symlinkAt(c, "../a/b", AT_FDCWD, "/a/out");
  const tryOpen = (text: string, resolve: number): string | number => {
    const file = openAt2(c, dirfd, text, O_RDONLY, 0, resolve);
    if (typeof file === "number") return errno(file);
    const where = pathText(file.path!, c.fs.root);
    file.drop();
    return where;
  };
  const cases: [string, number, string][] = [
    ["b/c", RESOLVE_BENEATH, "/a/b/c"],
    ["b/..", RESOLVE_BENEATH, "/a"],
    ["..", RESOLVE_BENEATH, "EXDEV"],
    ["b/../..", RESOLVE_BENEATH, "EXDEV"],
    ["/a/b", RESOLVE_BENEATH, "EXDEV"],
    ["toB", RESOLVE_BENEATH, "EXDEV"],
    ["out", RESOLVE_BENEATH, "EXDEV"],
    ["rel", RESOLVE_BENEATH, "/a/file"],
    ["..", RESOLVE_IN_ROOT, "/a"],
    ["/b", RESOLVE_IN_ROOT, "/a/b"],
    ["toB/c", RESOLVE_IN_ROOT, "/a/b/c"],
    ["mnt", RESOLVE_NO_XDEV, "EXDEV"],
    ["b", RESOLVE_NO_XDEV, "/a/b"],
    ["rel", RESOLVE_NO_SYMLINKS, "ELOOP"],
    ["dirlink/c", RESOLVE_NO_SYMLINKS, "ELOOP"],
    ["rel", RESOLVE_NO_MAGICLINKS, "/a/file"],
    ["b", RESOLVE_CACHED, "/a/b"],
    ["b", RESOLVE_BENEATH | RESOLVE_IN_ROOT, "EINVAL"],
    ["b", 0x40, "EINVAL"],
  ];
  for (const [text, resolve, expected] of cases) {
    assertEquals([text, resolve, tryOpen(text, resolve)], [text, resolve, expected]);
  }
});

Deno.test("the cache forgets unused names beyond its bound and keeps those in use", () => {
  const t = setUp(), c = t.root;
  t.vfs.dentries.maxUnused = 50;
  const pinned = mustOpen(c, "/a/b/c", O_RDONLY);
  const dentry = pinned.path!.dentry;
  for (let i = 0; i < 2000; i++) {
    statAt(c, AT_FDCWD, `/none${i}`, 0);
    assertEquals(t.vfs.dentries.count <= 90, true);
  }
  assertEquals(find(c, "/a/b/c").dentry, dentry);
  pinned.drop();
});

/** A caller that can give up its turn of the loop, as a task can. */
class Walker extends TestCaller {
  readonly progress = new Progress();
  uninterruptible = false;
  /** The number of turns that it gave up. */
  yielded = 0;

  waitFor(): number {
    return BLOCK;
  }
  yieldTurn(): number {
    this.yielded++;
    return BLOCK;
  }
  /** Runs a call until it does not give up its turn. */
  call(run: () => number): number {
    this.yielded = 0;
    for (;;) {
      const r = run();
      if (r !== BLOCK) return r;
    }
  }
}

/**
 * Makes `count` links, each with a page of components; the first leads to /d. Returns the name of
 * the last.
 */
function chain(t: TestFiles, count: number): string {
  mkdirAt(t.root, AT_FDCWD, "/d", 0o755);
  for (let i = 0; i < count; i++) {
    symlinkAt(t.root, "d/../".repeat(800) + (i === 0 ? "d" : `l${i - 1}`), AT_FDCWD, `/l${i}`);
  }
  return `/l${count - 1}`;
}

function walkerOf({ root: { files, fs, cred } }: TestFiles, account = TEST_ACCOUNT): Walker {
  return new Walker(files, fs, cred, account);
}

Deno.test("a path of 40 long links is walked in several turns, to the same end", () => {
  const t = new TestFiles(), last = chain(t, 39), c = walkerOf(t), walk = firstWalk(c);
  assertEquals(c.call(() => walk.run(c, AT_FDCWD, last, LOOKUP_FOLLOW)), 0);
  assertEquals(pathText(walk.path, c.fs.root), "/d");
  const steps = 39 * (1601 + 16);
  assertEquals(c.yielded >= Math.floor(steps / STEPS_A_TURN), true);
  assertEquals(c.uninterruptible, true);
});

Deno.test("the longest path without links is walked in one turn", () => {
  const t = new TestFiles(), c = walkerOf(t), walk = firstWalk(c);
  assertEquals(c.call(() => walk.run(c, AT_FDCWD, "./".repeat(2047), LOOKUP_FOLLOW)), 0);
  assertEquals([c.yielded, c.progress.walks], [0, null]);
});

Deno.test("a call with two long paths comes to its end", () => {
  const t = new TestFiles(), last = chain(t, 20), c = walkerOf(t);
  mkdirAt(t.root, AT_FDCWD, "/d/from", 0o755);
  assertEquals(c.call(() => renameAt(c, AT_FDCWD, `${last}/from`, AT_FDCWD, `${last}/to`, 0)), 0);
  assertEquals(c.yielded >= 2 * Math.floor(20 * 1600 / STEPS_A_TURN), true);
  assertEquals(go(t.root, "/d/to"), "/d/to");
});

Deno.test("O_CREAT through links that need several turns", () => {
  const t = new TestFiles(), last = chain(t, 20), c = walkerOf(t);
  symlinkAt(t.root, `${last}/new`, AT_FDCWD, "/made");
  const open = () => {
    const file = openAt2(c, AT_FDCWD, "/made", O_RDONLY | O_CREAT, 0o644, 0);
    return typeof file === "number" ? file : 0;
  };
  assertEquals(c.call(open), 0);
  assertEquals([c.yielded > 0, go(t.root, "/made")], [true, "/d/new"]);
});

Deno.test("a long walk holds its position until the call ends", () => {
  const t = new TestFiles(), last = chain(t, 20), c = walkerOf(t), walk = firstWalk(c);
  const { mount } = t.namespace.rootPath(), pins = mount.pins;
  assertEquals(walk.run(c, AT_FDCWD, last, LOOKUP_FOLLOW), BLOCK);
  assertEquals(mount.pins > pins, true);
  c.call(() => walk.run(c, AT_FDCWD, last, LOOKUP_FOLLOW));
  c.progress.reset();
  assertEquals(mount.pins, pins);
});

Deno.test("a walk of cached names alone gives up instead of its turn", () => {
  const t = new TestFiles(), last = chain(t, 20), c = walkerOf(t), walk = firstWalk(c);
  c.call(() => walk.run(c, AT_FDCWD, last, LOOKUP_FOLLOW));
  c.progress.reset();
  const r = c.call(() => walk.run(c, AT_FDCWD, last, LOOKUP_FOLLOW, RESOLVE_CACHED));
  assertEquals([errno(r), c.yielded], ["EAGAIN", 0]);
});

Deno.test("a long scoped walk ends where another task moved it out of its scope", () => {
  const t = new TestFiles(), { root } = t, c = walkerOf(t), walk = firstWalk(c);
  for (const d of ["/r", "/r/d"]) mkdirAt(root, AT_FDCWD, d, 0o755);
  for (let i = 0; i < 10; i++) {
    symlinkAt(root, "./".repeat(1500) + (i === 0 ? ".." : `l${i - 1}`), AT_FDCWD, `/r/d/l${i}`);
  }
  const dirfd = root.files.install(mustOpen(root, "/r", O_PATH), false, 1024);
  for (const resolve of [RESOLVE_BENEATH, RESOLVE_IN_ROOT]) {
    const go = () => walk.run(c, dirfd, "d/l9", LOOKUP_FOLLOW, resolve);
    assertEquals([c.call(go), c.yielded > 1], [0, true]);
    c.progress.reset();
    assertEquals(go(), BLOCK);
    assertEquals(renameAt(root, AT_FDCWD, "/r/d", AT_FDCWD, "/d", 0), 0);
    assertEquals(go(), -EAGAIN);
    c.progress.reset();
    assertEquals(renameAt(root, AT_FDCWD, "/d", AT_FDCWD, "/r/d", 0), 0);
  }
});

Deno.test("the remaining text of a long walk is charged until the call is over", () => {
  const t = new TestFiles(), last = chain(t, 39), account = new Account(null, 1);
  const c = walkerOf(t, account), other = walkerOf(t, account);
  const run = (caller: Walker) => firstWalk(caller).run(caller, AT_FDCWD, last, LOOKUP_FOLLOW);
  assertEquals(run(c), BLOCK);
  const bytes = account.bytes;
  assertEquals(bytes > 4000, true);
  account.bytesMax = bytes + 4000;
  assertEquals(errno(other.call(() => run(other))), "ENOMEM");
  other.progress.reset();
  assertEquals(account.bytes, bytes);
  account.bytesMax = Infinity;
  assertEquals(c.call(() => run(c)), 0);
  c.progress.reset();
  assertEquals(account.bytes, 0);
});

Deno.test("long access control lists make a walk longer", () => {
  const t = new TestFiles(), c = walkerOf(t);
  mkdirAt(t.root, AT_FDCWD, "/d", 0o750);
  find(t.root, "/d").dentry.inode!.accessAcl = new Array(8000).fill({ tag: 8, perm: 7, id: 5 });
  const path = "/d" + "/.".repeat(40);
  assertEquals(c.call(() => firstWalk(c).run(c, AT_FDCWD, path, LOOKUP_FOLLOW)), 0);
  assertEquals(c.yielded > 5, true);
});
