/** Tests of mounts.ts, mount_operations.ts and mount_info.ts on a tmpfs. */
import { TEST_ACCOUNT } from "../core/account_testing.ts";
import { INITIAL_USER_NAMESPACE } from "../cred/user_namespace.ts";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { AT_FDCWD, O_RDONLY, O_RDWR, O_WRONLY } from "../../ffi/abi/fcntl.ts";
import * as M from "../../ffi/abi/mount.ts";
import { MOUNTS } from "../core/quota.ts";
import { TmpfsFs } from "../fs/tmpfs/tmpfs.ts";
import { chmodAt, truncateAt } from "./attributes.ts";
import { mkdirAt, symlinkAt } from "./create.ts";
import { Mount, type Path } from "./dentry.ts";
import { mountInfoRow, mountRow } from "./mount_info.ts";
import { MountPaths } from "./mount_paths.ts";
import {
  addMount,
  bindMount,
  changePropagation,
  changeRoot,
  mayMount,
  moveMount,
  pivotRoot,
  remount,
  unmount,
} from "./mount_operations.ts";
import { openAt } from "./open.ts";
import { cwdText } from "./pathname.ts";
import { rmdirAt, unlinkAt } from "./remove.ts";
import { renameAt } from "./rename.ts";
import { accessAt, findAt, statAt } from "./status.ts";
import {
  errno,
  listDir,
  mustOpen,
  readText,
  type TestCaller,
  TestFiles,
  writeText,
} from "./vfs_testing.ts";

function mountCount(): number {
  return MOUNTS.countOf(TEST_ACCOUNT);
}

function find(c: TestCaller, text: string): Path {
  const path = findAt(c, AT_FDCWD, text, 0);
  if (typeof path === "number") throw new Error(`${text}: ${errno(path)}`);
  return path;
}

function setUp(): { t: TestFiles; c: TestCaller; fs: TmpfsFs } {
  const t = new TestFiles(), c = t.root;
  for (const d of ["/a", "/a/sub", "/b", "/m"]) mkdirAt(c, AT_FDCWD, d, 0o755);
  writeText(c, "/a/file", "lower");
  const fs = new TmpfsFs(TEST_ACCOUNT, t.frames, t.vfs, { mode: 0o755, pages: 16 });
  return { t, c, fs };
}

function mount(c: TestCaller, fs: TmpfsFs, at: string, flags = 0): string | number {
  return errno(addMount(c, fs, find(c, at), flags, "tmpfs"));
}

/** The rows of the caller's mounts as one text. */
function rows({ fs }: TestCaller, row: (mount: Mount, places: MountPaths) => string): string {
  const places = new MountPaths(fs.root);
  let text = "";
  for (const mount of fs.namespace.mounts) text += row(mount, places);
  return text;
}

Deno.test("a mount covers a directory, stacks, and is unmounted", () => {
  const { t, c, fs } = setUp();
  assertEquals(mount(c, fs, "/a"), 0);
  assertEquals(listDir(c, "/a"), []);
  writeText(c, "/a/x", "first");
  const second = new TmpfsFs(TEST_ACCOUNT, t.frames, t.vfs, {});
  assertEquals(mount(c, second, "/a"), 0);
  assertEquals(listDir(c, "/a"), []);
  assertEquals(errno(unmount(c, find(c, "/a"), 0)), 0);
  assertEquals(readText(c, "/a/x"), "first");
  assertEquals(errno(unmount(c, find(c, "/a"), 0)), 0);
  assertEquals(readText(c, "/a/file"), "lower");
  assertEquals(fs.usedPages, 0);
  assertEquals(errno(unmount(c, find(c, "/a"), 0)), "EINVAL");
  assertEquals(errno(unmount(c, find(c, "/"), 0)), "EINVAL");
  assertEquals(errno(unmount(c, find(c, "/"), 0x10)), "EINVAL");
});

Deno.test("a mount point must be of the type of the mount's root", () => {
  const { t, c, fs } = setUp();
  assertEquals(mount(c, fs, "/a/file"), "ENOTDIR");
  assertEquals(mount(c, t.tmpfs as TmpfsFs, "/"), "EBUSY");
  assertEquals(errno(bindMount(c, find(c, "/a/file"), find(c, "/b"), false)), "ENOTDIR");
  assertEquals(errno(bindMount(c, find(c, "/a"), find(c, "/a/file"), false)), "ENOTDIR");
  writeText(c, "/b/target", "");
  assertEquals(errno(bindMount(c, find(c, "/a/file"), find(c, "/b/target"), false)), 0);
  assertEquals(readText(c, "/b/target"), "lower");
  assertEquals(errno(unlinkAt(c, AT_FDCWD, "/b/target")), "EBUSY");
  assertEquals(errno(renameAt(c, AT_FDCWD, "/a/file", AT_FDCWD, "/b/target", 0)), "EBUSY");
  assertEquals(errno(mayMount(c.as(1000))), "EPERM");
});

Deno.test("umount is EBUSY while used; MNT_DETACH detaches at once and frees later", () => {
  const { c, fs } = setUp();
  mount(c, fs, "/a");
  writeText(c, "/a/x", "still here");
  const file = mustOpen(c, "/a/x", O_RDONLY);
  assertEquals(errno(unmount(c, find(c, "/a"), 0)), "EBUSY");
  assertEquals(errno(unmount(c, find(c, "/a"), M.MNT_DETACH)), 0);
  assertEquals(readText(c, "/a/file"), "lower");
  assertEquals(fs.usedPages, 1);
  file.drop();
  assertEquals(fs.usedPages, 0);
});

Deno.test("a working directory and a mount below keep a mount busy", () => {
  const { t, c, fs } = setUp();
  mount(c, fs, "/a");
  mkdirAt(c, AT_FDCWD, "/a/in", 0o755);
  c.fs.setCwd(find(c, "/a/in"));
  assertEquals(errno(unmount(c, find(c, "/a"), 0)), "EBUSY");
  c.fs.setCwd(find(c, "/"));
  const inner = new TmpfsFs(TEST_ACCOUNT, t.frames, t.vfs, {});
  mount(c, inner, "/a/in");
  assertEquals(errno(unmount(c, find(c, "/a"), 0)), "EBUSY");
  assertEquals(errno(unmount(c, find(c, "/a"), M.MNT_EXPIRE)), "EBUSY");
  assertEquals(errno(unmount(c, find(c, "/a/in"), M.MNT_EXPIRE | M.MNT_DETACH)), "EINVAL");
  const at = find(c, "/a/in");
  assertEquals(errno(unmount(c, at, M.MNT_EXPIRE)), "EAGAIN");
  assertEquals(errno(unmount(c, find(c, "/a/in"), M.MNT_EXPIRE)), "EAGAIN", "it was used");
  assertEquals(errno(unmount(c, at, M.MNT_EXPIRE)), 0);
  assertEquals(errno(unmount(c, find(c, "/a"), M.MNT_DETACH)), 0);
});

Deno.test("bind shows one tree twice; rbind takes mounts below along", () => {
  const { c, fs } = setUp();
  mount(c, fs, "/a/sub");
  writeText(c, "/a/sub/deep", "deep");
  assertEquals(errno(bindMount(c, find(c, "/a"), find(c, "/m"), false)), 0);
  assertEquals(listDir(c, "/m/sub"), []);
  assertEquals(readText(c, "/m/file"), "lower");
  writeText(c, "/m/file", "changed");
  assertEquals(readText(c, "/a/file"), "changed");
  assertEquals(errno(bindMount(c, find(c, "/a"), find(c, "/b"), true)), 0);
  assertEquals(readText(c, "/b/sub/deep"), "deep");
  // The whole tree is bound into itself.
  mkdirAt(c, AT_FDCWD, "/all", 0o755);
  assertEquals(errno(bindMount(c, find(c, "/"), find(c, "/all"), true)), 0);
  assertEquals(readText(c, "/all/b/sub/deep"), "deep");
  assertEquals(listDir(c, "/all/all"), []);
});

Deno.test("a read-only mount: EROFS after the errors that Linux looks for first", () => {
  const { c } = setUp();
  bindMount(c, find(c, "/a"), find(c, "/m"), false);
  assertEquals(errno(remount(c, find(c, "/m"), M.MS_RDONLY, true, "")), 0);
  const cases: [string, string | number, string | number][] = [
    ["open write", errno(openAt(c, AT_FDCWD, "/m/file", O_WRONLY, 0)), "EROFS"],
    ["open creat old", errno(openAt(c, AT_FDCWD, "/m/file", O_RDONLY | 0o100, 0)), "object"],
    ["open creat", errno(openAt(c, AT_FDCWD, "/m/new", O_RDWR | 0o100, 0o644)), "EROFS"],
    ["open trunc", errno(openAt(c, AT_FDCWD, "/m/file", O_RDONLY | 0o1000, 0)), "EROFS"],
    ["open dir", errno(openAt(c, AT_FDCWD, "/m/sub", O_WRONLY, 0)), "EISDIR"],
    ["mkdir", errno(mkdirAt(c, AT_FDCWD, "/m/new", 0o755)), "EROFS"],
    ["mkdir old", errno(mkdirAt(c, AT_FDCWD, "/m/sub", 0o755)), "EEXIST"],
    ["symlink", errno(symlinkAt(c, "x", AT_FDCWD, "/m/new/")), "ENOENT"],
    ["unlink", errno(unlinkAt(c, AT_FDCWD, "/m/none")), "EROFS"],
    ["rmdir", errno(rmdirAt(c, AT_FDCWD, "/m/sub/.")), "EINVAL"],
    ["rename", errno(renameAt(c, AT_FDCWD, "/m/file", AT_FDCWD, "/m/x", 0)), "EROFS"],
    ["chmod", errno(chmodAt(c, AT_FDCWD, "/m/file", 0o600, 0)), "EROFS"],
    ["truncate", errno(truncateAt(c, AT_FDCWD, "/m/file", 0)), "EROFS"],
    ["truncate dir", errno(truncateAt(c, AT_FDCWD, "/m/sub", 0)), "EISDIR"],
    ["access w", errno(accessAt(c, AT_FDCWD, "/m/file", 2, 0)), "EROFS"],
    ["access r", errno(accessAt(c, AT_FDCWD, "/m/file", 4, 0)), 0],
  ];
  for (const [what, got, expected] of cases) assertEquals([what, got], [what, expected]);
  // The other mount of the same tree is not read-only.
  assertEquals(errno(chmodAt(c, AT_FDCWD, "/a/file", 0o600, 0)), 0);
});

Deno.test("remounting read-only is EBUSY while a file is open for writing", () => {
  const { c, fs } = setUp();
  mount(c, fs, "/a");
  const file = mustOpen(c, "/a/w", O_RDWR | 0o100);
  assertEquals(errno(remount(c, find(c, "/a"), M.MS_RDONLY, false, "")), "EBUSY");
  assertEquals(errno(remount(c, find(c, "/a"), M.MS_RDONLY, true, "")), "EBUSY");
  file.drop();
  assertEquals(errno(remount(c, find(c, "/a"), M.MS_RDONLY, false, "")), 0);
  assertEquals(errno(mkdirAt(c, AT_FDCWD, "/a/d", 0o755)), "EROFS");
  assertEquals(errno(remount(c, find(c, "/a"), 0, false, "size=bogus")), "EINVAL");
  assertEquals(errno(remount(c, find(c, "/a"), 0, false, "size=1m")), 0);
  assertEquals(fs.maxPages, 256);
  assertEquals(errno(remount(c, find(c, "/a/w"), 0, false, "")), "EINVAL");
});

Deno.test("moving a mount: not the root, not below itself", () => {
  const { c, fs } = setUp();
  mount(c, fs, "/a");
  mkdirAt(c, AT_FDCWD, "/a/in", 0o755);
  assertEquals(errno(moveMount(c, find(c, "/a"), find(c, "/a/in"))), "ELOOP");
  assertEquals(errno(moveMount(c, find(c, "/"), find(c, "/m"))), "EINVAL");
  assertEquals(errno(moveMount(c, find(c, "/a/in"), find(c, "/m"))), "EINVAL");
  assertEquals(errno(moveMount(c, find(c, "/a"), find(c, "/m"))), 0);
  assertEquals(listDir(c, "/m"), ["in"]);
  assertEquals(readText(c, "/a/file"), "lower");
});

Deno.test("noexec, nodev and the flags that remount keeps", () => {
  const { c, fs } = setUp();
  mount(c, fs, "/a", M.MS_NOEXEC | M.MS_NOSUID | M.MS_NODEV | M.MS_NOATIME);
  writeText(c, "/a/x", "");
  chmodAt(c, AT_FDCWD, "/a/x", 0o755, 0);
  assertEquals(errno(accessAt(c, AT_FDCWD, "/a/x", 1, 0)), "EACCES");
  remount(c, find(c, "/a"), M.MS_NOSUID, true, "");
  assertEquals(errno(accessAt(c, AT_FDCWD, "/a/x", 1, 0)), 0);
  assertEquals(find(c, "/a").mount.flags, M.MS_NOSUID | M.MS_NOATIME);
});

Deno.test("the texts of /proc/PID/mountinfo and mounts", () => {
  const { c, fs } = setUp();
  mkdirAt(c, AT_FDCWD, "/with space", 0o755);
  addMount(c, fs, find(c, "/with space"), M.MS_NOSUID | M.MS_RDONLY, "a#b");
  bindMount(c, find(c, "/a/sub"), find(c, "/m"), false);
  changePropagation(c, find(c, "/m"), M.MS_SHARED);
  const lines = rows(c, mountInfoRow).trim().split("\n");
  assertEquals(lines.length, 3);
  assertEquals(
    lines[1]!.replace(/^\d+ \d+ 0:\d+/, "N"),
    "N / /with\\040space ro,nosuid,relatime - tmpfs a\\043b rw,size=64k,mode=755,inode64",
  );
  assertEquals(lines[2]!.replace(/^\d+ \d+ 0:\d+/, "N").split(" - ")[0], "N /a/sub /m rw shared:1");
  assertStringIncludes(
    rows(c, mountRow),
    "a\\043b /with\\040space tmpfs ro,nosuid,relatime,size=64k,mode=755,inode64 0 0\n",
  );
  changeRoot(c, find(c, "/with space"));
  assertEquals(rows(c, mountInfoRow).split(" ")[4], "/");
});

Deno.test("propagation types: exactly one, on the root of a mount", () => {
  const { c } = setUp();
  assertEquals(errno(changePropagation(c, find(c, "/"), M.MS_SHARED | M.MS_PRIVATE)), "EINVAL");
  assertEquals(errno(changePropagation(c, find(c, "/a"), M.MS_PRIVATE)), "EINVAL");
  assertEquals(errno(changePropagation(c, find(c, "/"), M.MS_UNBINDABLE | M.MS_REC)), 0);
  assertEquals(errno(bindMount(c, find(c, "/a"), find(c, "/m"), false)), "EINVAL");
  assertEquals(errno(changePropagation(c, find(c, "/"), M.MS_PRIVATE)), 0);
  assertEquals(errno(bindMount(c, find(c, "/a"), find(c, "/m"), false)), 0);
});

Deno.test("pivot_root, also onto itself, and letting the old root go", () => {
  const { c, fs } = setUp();
  mount(c, fs, "/m");
  mkdirAt(c, AT_FDCWD, "/m/old", 0o755);
  writeText(c, "/m/new", "new root");
  assertEquals(errno(pivotRoot(c, find(c, "/a"), find(c, "/a/sub"), [c.fs])), "EBUSY");
  assertEquals(errno(pivotRoot(c, find(c, "/m/old"), find(c, "/m/old"), [c.fs])), "EINVAL");
  assertEquals(errno(pivotRoot(c, find(c, "/m"), find(c, "/a"), [c.fs])), "EBUSY");
  c.fs.setCwd(find(c, "/m"));
  // As container runtimes do it: the old root ends up on top of the new one.
  assertEquals(errno(pivotRoot(c, find(c, "."), find(c, "."), [c.fs])), 0);
  assertEquals(errno(unmount(c, find(c, "."), M.MNT_DETACH)), 0);
  assertEquals(readText(c, "/new"), "new root");
  assertEquals(listDir(c, "/"), ["old", "new"]);
  assertEquals(c.fs.namespace.mounts.size, 1);
});

Deno.test("a copied namespace is the same tree with its own mounts", () => {
  const { t, c, fs } = setUp();
  mount(c, fs, "/a");
  mkdirAt(c, AT_FDCWD, "/a/in", 0o755);
  const inner = new TmpfsFs(TEST_ACCOUNT, t.frames, t.vfs, {});
  mount(c, inner, "/a/in");
  c.fs.setCwd(find(c, "/a/in"));
  const other = c.fs.copy(), copy = c.fs.namespace.copy(INITIAL_USER_NAMESPACE, TEST_ACCOUNT);
  if (typeof copy === "number") throw new Error(String(errno(copy)));
  other.enter(copy.namespace, copy.translate(other.root), copy.translate(other.cwd));
  assertEquals(cwdText(other), "/a/in");
  assertEquals(copy.namespace.mounts.size, 3);
  c.fs.setCwd(find(c, "/"));
  assertEquals(errno(unmount(c, find(c, "/a"), M.MNT_DETACH)), 0);
  assertEquals(cwdText(other), "/a/in");
  assertEquals([fs.mounts, inner.mounts], [1, 1]);
  other.drop();
  assertEquals([fs.mounts, inner.mounts, t.tmpfs.mounts], [0, 0, 1]);
});

Deno.test("statistics of a mount stay right: pins come back to zero", () => {
  const { c, fs } = setUp();
  mount(c, fs, "/a");
  const m = find(c, "/a").mount;
  const file = mustOpen(c, "/a/x", O_RDWR | 0o100);
  assertEquals([m instanceof Mount, m.pins, m.writers, fs.writers], [true, 1, 1, 1]);
  file.hold();
  file.drop();
  file.drop();
  assertEquals([m.pins, m.writers, fs.writers], [0, 0, 0]);
  assertEquals(typeof statAt(c, AT_FDCWD, "/a/x", 0), "object");
});

Deno.test("each mount goes once with its namespace, also one moved onto a later one", () => {
  const before = mountCount(), { t, c, fs } = setUp();
  assertEquals(mount(c, fs, "/a"), 0);
  assertEquals(mount(c, new TmpfsFs(TEST_ACCOUNT, t.frames, t.vfs, {}), "/b"), 0);
  mkdirAt(c, AT_FDCWD, "/b/in", 0o755);
  assertEquals(errno(moveMount(c, find(c, "/a"), find(c, "/b/in"))), 0);
  c.files.drop();
  c.fs.drop();
  assertEquals([mountCount(), fs.mounts], [before, 0]);
});
