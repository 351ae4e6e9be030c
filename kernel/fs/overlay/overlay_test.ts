/** Tests of overlays: copy-up, whiteouts, renames, mount options, the end of an overlay. */
import { Account } from "../../core/account.ts";
import { TEST_ACCOUNT } from "../../core/account_testing.ts";
import { assertEquals, assertStrictEquals } from "@std/assert";
import { AT_FDCWD, O_CREAT, O_RDONLY, O_RDWR, O_TRUNC } from "../../../ffi/abi/fcntl.ts";
import { S_IFCHR } from "../../../ffi/abi/stat.ts";
import { EAGAIN } from "../../../ffi/abi/errno.ts";
import { rootCredentials } from "../../cred/credentials.ts";
import { chmodAt, chownAt, truncateAt, utimensAt } from "../../vfs/attributes.ts";
import { linkAt, mkdirAt, mknodAt, symlinkAt } from "../../vfs/create.ts";
import { FdTable } from "../../vfs/fd_table.ts";
import { FsContext } from "../../vfs/fs_context.ts";
import type { Inode } from "../../vfs/inode.ts";
import { addMount } from "../../vfs/mount_operations.ts";
import { MountNamespace } from "../../vfs/mounts.ts";
import { rmdirAt, unlinkAt } from "../../vfs/remove.ts";
import { renameAt } from "../../vfs/rename.ts";
import { findAt, statAt } from "../../vfs/status.ts";
import {
  BufferCursor,
  errno,
  listDir,
  mustOpen,
  readBytes,
  readText,
  TestCaller,
  TestFiles,
  writeText,
} from "../../vfs/vfs_testing.ts";
import { getXattr, listXattr, setXattr } from "../../vfs/xattr.ts";
import { TmpfsFs } from "../tmpfs/tmpfs.ts";
import { ENTRIES_A_TURN } from "./dir_file.ts";
import { memoryOverlay } from "./memory_overlay.ts";
import { overlayFromOptions } from "./options.ts";
import { OverlayFs } from "./overlay_fs.ts";
import { OverlayInode } from "./overlay_inode.ts";

const CWD = AT_FDCWD;

/** Makes a lower tree with a few files, and a caller on an overlay over it. */
function setUp(): { t: TestFiles; lower: TestCaller; c: TestCaller; fs: OverlayFs } {
  const t = new TestFiles(), lower = t.root;
  for (const d of ["/dir", "/dir/sub", "/empty"]) mkdirAt(lower, CWD, d, 0o755);
  writeText(lower, "/dir/file", "lower file");
  writeText(lower, "/dir/sub/deep", "deep");
  writeText(lower, "/top", "top");
  linkAt(lower, CWD, "/top", CWD, "/dir/toplink", 0);
  symlinkAt(lower, "dir/file", CWD, "/link");
  t.host.sec += 100;
  const fs = memoryOverlay(TEST_ACCOUNT, t.tmpfs.root, t.frames, t.vfs, "lowerdir=/");
  return { t, lower, c: on(t, fs), fs };
}

Deno.test("the caller pays for whiteouts and copies, the mounter without a call", () => {
  const { t } = setUp(), user = new Account(null, 1), mounter = new Account(null, 1);
  const payers: { current: { account: Account } | null } = { current: { account: user } };
  const { frames, vfs, tmpfs } = t;
  const c = on(t, memoryOverlay(mounter, tmpfs.root, frames, vfs, "", undefined, payers));
  const before = mounter.bytes;
  assertEquals(unlinkAt(c, CWD, "/dir/file"), 0);
  assertEquals(chmodAt(c, CWD, "/dir/sub/deep", 0o600, 0), 0);
  assertEquals([user.bytes > 0, mounter.bytes], [true, before]);
  payers.current = null;
  assertEquals(unlinkAt(c, CWD, "/top"), 0);
  assertEquals(mounter.bytes > before, true);
});

function on(t: TestFiles, fs: OverlayFs): TestCaller {
  const namespace = MountNamespace.of(TEST_ACCOUNT, t.vfs, fs, 0, "overlay"),
    at = namespace.rootPath();
  return new TestCaller(
    new FdTable(TEST_ACCOUNT),
    new FsContext(namespace, at, at, 0o022),
    rootCredentials(),
    TEST_ACCOUNT,
  );
}

function inode(c: TestCaller, path: string): Inode {
  const i = statAt(c, CWD, path, 0x100);
  if (typeof i === "number") throw new Error(`${path}: ${errno(i)}`);
  return i;
}

function layers(c: TestCaller, path: string): string {
  const i = inode(c, path);
  if (!(i instanceof OverlayInode)) throw new Error("not of an overlay");
  return `${i.upper === null ? "" : "upper"} ${i.lower === null ? "" : "lower"}${
    i.isDataLower ? " data below" : ""
  }`;
}

Deno.test("reading copies nothing up; the first write copies bytes and attributes", () => {
  const { t, lower, c } = setUp();
  chownAt(lower, CWD, "/dir/file", 7, 8, 0);
  chmodAt(lower, CWD, "/dir/file", 0o640, 0);
  const before = inode(c, "/dir/file"), { ino, dev, mtimeSec } = before;
  assertEquals(readText(c, "/dir/file"), "lower file");
  assertEquals([layers(c, "/dir/file"), layers(c, "/dir")], [" lower", " lower"]);
  mustOpen(c, "/dir/file", O_RDWR).drop();
  assertEquals([layers(c, "/dir/file"), layers(c, "/dir")], ["upper lower", "upper lower"]);
  const i = inode(c, "/dir/file");
  assertStrictEquals(i, before);
  assertEquals([i.ino, i.dev, i.mtimeSec, i.uid, i.gid, i.mode], [
    ino,
    dev,
    mtimeSec,
    7,
    8,
    0o100640,
  ]);
  assertEquals(readText(c, "/dir/file"), "lower file");
  writeText(c, "/dir/file", "changed");
  assertEquals([readText(c, "/dir/file"), readText(lower, "/dir/file")], ["changed", "lower file"]);
  assertEquals(inode(c, "/dir/file").mtimeSec, t.host.sec);
  assertEquals(inode(c, "/dir").mtimeSec, mtimeSec);
});

Deno.test("attribute changes copy attributes only, until bytes are written", () => {
  const { lower, c } = setUp();
  const big = mustOpen(lower, "/big", O_RDWR | O_CREAT);
  big.write(new BufferCursor(new Uint8Array(200000).fill(5)), 0);
  big.drop();
  const pages = () => (inode(c, "/big") as OverlayInode).upper?.blocks;
  assertEquals(errno(chownAt(c, CWD, "/big", 3, 3, 0)), 0);
  assertEquals(errno(chmodAt(c, CWD, "/big", 0o600, 0)), 0);
  assertEquals([layers(c, "/big"), pages(), inode(c, "/big").size], [
    "upper lower data below",
    0,
    200000,
  ]);
  assertEquals(inode(c, "/big").blocks, inode(lower, "/big").blocks);
  const reader = mustOpen(c, "/big", O_RDONLY);
  assertEquals(readBytes(reader, 199999, 10), Uint8Array.of(5));
  const writer = mustOpen(c, "/big", O_RDWR);
  assertEquals(layers(c, "/big"), "upper lower");
  writer.write(new BufferCursor(Uint8Array.of(9)), 0);
  // A description from before the copy reads what was written.
  assertEquals(readBytes(reader, 0, 2), Uint8Array.of(9, 5));
  assertEquals(readBytes(mustOpen(lower, "/big", O_RDONLY), 0, 1), Uint8Array.of(5));
  reader.drop();
  writer.drop();
});

Deno.test("truncating copies no bytes", () => {
  const { c } = setUp();
  mustOpen(c, "/top", O_RDWR | O_TRUNC).drop();
  assertEquals([inode(c, "/top").size, readText(c, "/dir/toplink")], [0, ""]);
  assertEquals(errno(truncateAt(c, CWD, "/dir/file", 0)), 0);
  assertEquals(errno(truncateAt(c, CWD, "/dir/sub/deep", 2)), 0);
  assertEquals([readText(c, "/dir/file"), readText(c, "/dir/sub/deep")], ["", "de"]);
});

Deno.test("a copy keeps holes, xattrs and times", () => {
  const { t, lower, c } = setUp();
  const sparse = mustOpen(lower, "/sparse", O_RDWR | O_CREAT);
  sparse.write(new BufferCursor(Uint8Array.of(1, 2, 3)), 8 << 20);
  sparse.drop();
  const at = findAt(lower, CWD, "/sparse", 0), value = Uint8Array.of(1, 2);
  if (typeof at === "number") throw new Error("no /sparse");
  setXattr(lower, at, "user.a", value, 0);
  const caps = new Uint8Array(20);
  caps[3] = 2;
  setXattr(lower, at, "security.capability", caps, 0);
  setXattr(lower, at, "trusted.overlay.opaque", value, 0);
  t.host.sec += 50;
  const before = inode(c, "/sparse");
  const { mtimeSec, atimeSec, size } = before;
  t.host.sec += 50;
  mustOpen(c, "/sparse", O_RDWR).drop();
  const i = inode(c, "/sparse");
  assertEquals([i.blocks, i.size, i.mtimeSec, i.atimeSec], [8, size, mtimeSec, atimeSec]);
  assertEquals(listXattr(c, i), ["security.capability", "user.a"]);
  assertEquals(getXattr(c, i, "user.a"), value);
  assertEquals(errno(getXattr(c, i, "trusted.overlay.opaque")), "EOPNOTSUPP");
});

Deno.test("removed names stay away, and may be used again", () => {
  const { t, lower, c, fs } = setUp();
  assertEquals(errno(unlinkAt(c, CWD, "/dir/file")), 0);
  assertEquals(errno(statAt(c, CWD, "/dir/file", 0)), "ENOENT");
  assertEquals(errno(statAt(c, CWD, "/link", 0)), "ENOENT");
  assertEquals(listDir(c, "/dir").sort(), ["sub", "toplink"]);
  assertEquals(errno(rmdirAt(c, CWD, "/dir")), "ENOTEMPTY");
  writeText(c, "/dir/file", "new");
  assertEquals(readText(c, "/link"), "new");
  unlinkAt(c, CWD, "/dir/file");
  for (const p of ["/dir/sub/deep", "/dir/toplink"]) assertEquals(errno(unlinkAt(c, CWD, p)), 0);
  assertEquals(errno(rmdirAt(c, CWD, "/dir/sub")), 0);
  assertEquals(errno(rmdirAt(c, CWD, "/dir")), 0);
  assertEquals(listDir(c, "/").sort(), ["empty", "link", "top"]);
  // A new directory does not show the contents of the old one.
  assertEquals(errno(mkdirAt(c, CWD, "/dir", 0o755)), 0);
  assertEquals(listDir(c, "/dir"), []);
  t.vfs.dentries.forgetFileSystem(fs)?.step(Infinity);
  assertEquals(listDir(lower, "/dir").sort(), ["file", "sub", "toplink"]);
});

Deno.test("hard links of the lower layer stay one file", () => {
  const { c } = setUp();
  const a = inode(c, "/top"), b = inode(c, "/dir/toplink");
  assertStrictEquals(a, b);
  assertEquals(a.nlink, 2);
  writeText(c, "/top", "both");
  assertEquals([readText(c, "/dir/toplink"), inode(c, "/top").nlink], ["both", 2]);
  assertEquals(errno(linkAt(c, CWD, "/dir/toplink", CWD, "/third", 0)), 0);
  assertEquals(inode(c, "/third").nlink, 3);
  unlinkAt(c, CWD, "/top");
  unlinkAt(c, CWD, "/third");
  assertEquals([readText(c, "/dir/toplink"), inode(c, "/dir/toplink").nlink], ["both", 1]);
  assertEquals(errno(unlinkAt(c, CWD, "/dir/toplink")), 0);
});

Deno.test("a directory is renamed with all that is in it", () => {
  const { c } = setUp();
  writeText(c, "/dir/added", "upper");
  unlinkAt(c, CWD, "/dir/toplink");
  const ino = inode(c, "/dir").ino;
  assertEquals(errno(renameAt(c, CWD, "/dir", CWD, "/empty/moved", 0)), 0);
  assertEquals(listDir(c, "/empty/moved").sort(), ["added", "file", "sub"]);
  assertEquals(inode(c, "/empty/moved").ino, ino);
  assertEquals(readText(c, "/empty/moved/sub/deep"), "deep");
  writeText(c, "/empty/moved/sub/deep", "changed there");
  assertEquals(readText(c, "/empty/moved/sub/deep"), "changed there");
  assertEquals(errno(statAt(c, CWD, "/dir", 0)), "ENOENT");
  mkdirAt(c, CWD, "/dir", 0o755);
  assertEquals(listDir(c, "/dir"), []);
  // A directory can be renamed onto an empty directory of the lower layer, not onto a full one.
  assertEquals(errno(renameAt(c, CWD, "/dir", CWD, "/empty", 0)), "ENOTEMPTY");
  assertEquals(errno(renameAt(c, CWD, "/empty/moved", CWD, "/dir", 0)), 0);
  assertEquals(errno(renameAt(c, CWD, "/dir", CWD, "/empty", 0)), 0);
  assertEquals(listDir(c, "/empty").sort(), ["added", "file", "sub"]);
});

Deno.test("an open file that was removed can still be changed", () => {
  const { c } = setUp();
  const file = mustOpen(c, "/dir/file", O_RDONLY);
  unlinkAt(c, CWD, "/dir/file");
  const change = utimensAt(c, CWD, "/dir/file", null, 0);
  assertEquals(errno(change), "ENOENT");
  assertEquals(file.inode.nlink, 0);
  const path = file.path!;
  assertEquals(errno(setXattr(c, path, "user.x", Uint8Array.of(1), 0)), 0);
  assertEquals(listDir(c, "/dir").includes("file"), false);
  assertEquals(readBytes(file, 0, 5), new TextEncoder().encode("lower"));
  file.drop();
});

Deno.test("no space in the upper layer: ENOSPC, and the lower file is unchanged", () => {
  const t = new TestFiles(), lower = t.root;
  const big = mustOpen(lower, "/big", O_RDWR | O_CREAT);
  big.write(new BufferCursor(new Uint8Array(100000).fill(7)), 0);
  const c = on(t, memoryOverlay(TEST_ACCOUNT, t.tmpfs.root, t.frames, t.vfs, "", 40960));
  assertEquals(errno(chmodAt(c, CWD, "/big", 0o600, 0)), 0);
  let opened: unknown = 0;
  try {
    opened = mustOpen(c, "/big", O_RDWR);
  } catch (error) {
    opened = error instanceof Error ? error.message : error;
  }
  assertEquals(opened, "open /big: ENOSPC");
  const reader = mustOpen(c, "/big", O_RDONLY);
  assertEquals(readBytes(reader, 0, 200000), new Uint8Array(100000).fill(7));
  assertEquals([inode(c, "/big").size, inode(c, "/big").mode & 0o777], [100000, 0o600]);
  reader.drop();
  writeText(c, "/small", "fits");
});

Deno.test("special files and links live in either layer", () => {
  const { lower, c } = setUp();
  mknodAt(lower, CWD, "/null", S_IFCHR | 0o666, 0x103);
  mknodAt(lower, CWD, "/whiteout", S_IFCHR, 0);
  assertEquals(errno(statAt(c, CWD, "/whiteout", 0)), "ENOENT");
  assertEquals(listDir(c, "/").includes("whiteout"), false);
  assertEquals(errno(chmodAt(c, CWD, "/null", 0o600, 0)), 0);
  assertEquals([inode(c, "/null").rdev, inode(c, "/null").mode], [0x103, S_IFCHR | 0o600]);
  assertEquals(errno(chownAt(c, CWD, "/link", 9, 9, 0x100)), 0);
  assertEquals([inode(c, "/link").uid, inode(lower, "/link").uid], [9, 0]);
  assertEquals(errno(mknodAt(c, CWD, "/hide", S_IFCHR, 0)), "EPERM");
});

for (const inside of [false, true]) {
  const where = inside ? ", inside of an overlay" : "";
  Deno.test(`mount -t overlay: several lower layers, options, mounted again${where}`, () => {
    const t = new TestFiles();
    mountTwice(
      t,
      inside ? on(t, memoryOverlay(TEST_ACCOUNT, t.tmpfs.root, t.frames, t.vfs, "")) : t.root,
    );
  });
}

function mountTwice(t: TestFiles, c: TestCaller): void {
  for (const d of ["/l1", "/l1/d", "/l2", "/l2/d", "/up", "/work", "/m"]) mkdirAt(c, CWD, d, 0o755);
  writeText(c, "/l1/d/one", "1");
  writeText(c, "/l2/d/two", "2");
  writeText(c, "/l2/d/one", "hidden");
  const make = (text: string) => overlayFromOptions(c, text, t.frames);
  const bad: [string, string][] = [
    ["", "EINVAL"],
    ["lowerdir=/l1,what=1", "EINVAL"],
    ["lowerdir=/l1,upperdir=/up", "EINVAL"],
    ["lowerdir=/none", "ENOENT"],
    ["lowerdir=/l1/d/one", "ENOTDIR"],
    ["lowerdir=/l1::/l2", "EINVAL"],
    ["lowerdir=/l1,upperdir=/up,workdir=/up", "EINVAL"],
  ];
  for (const [text, e] of bad) assertEquals([text, errno(make(text))], [text, e]);
  const text = "lowerdir=/l1:/l2,upperdir=/up,workdir=/work";
  const mount = () => {
    const fs = make(text), at = findAt(c, CWD, "/m", 0);
    if (typeof fs === "number" || typeof at === "number") throw new Error("cannot mount");
    assertEquals(addMount(c, fs, at, 0, "overlay"), 0);
  };
  mount();
  assertEquals([readText(c, "/m/d/one"), readText(c, "/m/d/two")], ["1", "2"]);
  assertEquals(listDir(c, "/m/d").sort(), ["one", "two"]);
  // As without redirect_dir: mv(1) copies instead.
  assertEquals(errno(renameAt(c, CWD, "/m/d", CWD, "/m/e", 0)), "EXDEV");
  chmodAt(c, CWD, "/m/d/one", 0o600, 0);
  unlinkAt(c, CWD, "/m/d/two");
  assertEquals(readText(c, "/up/d/one"), "1");
  if (c === t.root) assertEquals(inode(c, "/up/d/two").rdev, 0);
  writeText(c, "/up/direct", "seen at once");
  assertEquals(readText(c, "/m/direct"), "seen at once");
  for (const p of ["/m/d/one"]) unlinkAt(c, CWD, p);
  rmdirAt(c, CWD, "/m/d");
  mkdirAt(c, CWD, "/m/d", 0o755);
  mount();
  assertEquals([listDir(c, "/m/d"), listDir(c, "/m").sort()], [[], ["d", "direct"]]);
}

Deno.test("without an upper layer nothing can be changed", () => {
  const t = new TestFiles(), c0 = t.root;
  writeText(c0, "/f", "x");
  const text = "", { frames, account } = t;
  const options = {
    devices: t.vfs.devices,
    isPersistent: true,
    account,
    stackDepth: 1,
    text,
    frames,
    owned: null,
    pinned: [],
  };
  const c = on(t, new OverlayFs(t.tmpfs.root, null, options));
  assertEquals(readText(c, "/f"), "x");
  assertEquals(errno(mkdirAt(c, CWD, "/d", 0o755)), "EROFS");
  assertEquals(errno(unlinkAt(c, CWD, "/f")), "EROFS");
  assertEquals(errno(chmodAt(c, CWD, "/f", 0, 0)), "EROFS");
});

Deno.test("the last unmount gives the upper layer's memory back", () => {
  const t = new TestFiles(), c = t.root, before = t.frames.usedBytes;
  mkdirAt(c, CWD, "/m", 0o755);
  const fs = memoryOverlay(TEST_ACCOUNT, t.tmpfs.root, t.frames, t.vfs, ""),
    at = findAt(c, CWD, "/m", 0);
  if (typeof at === "number") throw new Error("no /m");
  addMount(c, fs, at, 0, "overlay");
  writeText(c, "/m/x", "bytes");
  assertEquals(t.frames.usedBytes > before, true);
  c.fs.namespace.detach(at.mount.children.get(at.dentry)!);
  assertEquals(t.frames.usedBytes, before);
  assertEquals(new TmpfsFs(TEST_ACCOUNT, t.frames, t.vfs, {}).usedPages, 0);
});

Deno.test("long directories of both layers are put together in pieces, each name once", () => {
  const { c, lower } = setUp(), expected: string[] = [];
  for (let i = 0; i < ENTRIES_A_TURN + 100; i++) {
    writeText(lower, `/dir/lower${i}`, "");
    writeText(c, `/dir/upper${i}`, "");
    if (i % 2 === 0) unlinkAt(c, CWD, `/dir/lower${i}`);
    else expected.push(`lower${i}`);
    expected.push(`upper${i}`);
  }
  const file = mustOpen(c, "/dir", O_RDONLY), names: string[] = [];
  let turns = 0, r = 0;
  do {
    r = file.readdir((name) => names.push(name) > 0);
    turns++;
  } while (r === -EAGAIN && file.needsTurn);
  assertEquals([r, turns], [0, 3]);
  const own = new Set([".", "..", "sub", "file", "toplink"]);
  assertEquals(names.filter((name) => !own.has(name)).sort(), expected.sort());
  file.drop();
});
