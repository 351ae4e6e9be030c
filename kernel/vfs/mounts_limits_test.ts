/**
 * Tests of mounts.ts at the sizes that a guest can reach: deep trees of mounts, long chains of
 * slaves, copies of both, and the limits on their number.
 */

import { TEST_ACCOUNT } from "../core/account_testing.ts";
import { assertEquals } from "@std/assert";
import { AT_FDCWD } from "../../ffi/abi/fcntl.ts";
import * as M from "../../ffi/abi/mount.ts";
import { MOUNTS } from "../core/quota.ts";
import { INITIAL_USER_NAMESPACE, UserNamespace } from "../cred/user_namespace.ts";
import { NsFs } from "../proc/fs/ns_fs.ts";
import { TmpfsFs } from "../fs/tmpfs/tmpfs.ts";
import { mkdirAt } from "./create.ts";
import { dropPath, holdPath, type Mount, Path } from "./dentry.ts";
import { mountInfo } from "./mount_info.ts";
import {
  addMount,
  bindMount,
  changePropagation,
  cloneDetached,
  moveMount,
  pivotRoot,
  unmount,
} from "./mount_operations.ts";
import { MOUNT_MAX, MountNamespace } from "./mounts.ts";
import { findAt } from "./status.ts";
import { errno, type TestCaller, TestFiles } from "./vfs_testing.ts";

function mountCount(): number {
  return MOUNTS.countOf(TEST_ACCOUNT);
}

/** Deeper than a JavaScript stack. */
const DEEP = 15_000;

function find(c: TestCaller, text: string): Path {
  const path = findAt(c, AT_FDCWD, text, 0);
  if (typeof path === "number") throw new Error(`${text}: ${errno(path)}`);
  return path;
}

/** Runs the deferred work, which the kernel's loop runs between calls. */
function finishDeferred({ vfs: { deferred } }: TestFiles): void {
  while (!deferred.isEmpty) deferred.step();
}

function setUp(): { t: TestFiles; c: TestCaller; end: (kept?: number) => void } {
  const before = mountCount(), t = new TestFiles(), c = t.root;
  for (const d of ["/a", "/a/d", "/b", "/m", "/other"]) mkdirAt(c, AT_FDCWD, d, 0o755);
  const end = (kept = 0) => {
    c.files.drop();
    c.fs.drop();
    finishDeferred(t);
    assertEquals(mountCount(), before + kept);
  };
  return { t, c, end };
}

function bind(c: TestCaller, from: Path, at: Path): Mount {
  const mount = cloneDetached(c, from, false);
  if (typeof mount === "number") throw new Error(`bind: ${errno(mount)}`);
  assertEquals(errno(c.fs.namespace.attach(mount, at)), 0);
  return mount;
}

/** Mounts on mounts: /m, /m/d, /m/d/d ... */
function nest(c: TestCaller, depth: number): void {
  const from = find(c, "/a"), inner = find(c, "/a/d").dentry;
  let at = find(c, "/m");
  for (let i = 0; i < depth; i++) at = new Path(bind(c, from, at), inner);
}

function change(c: TestCaller, path: string, flags: number): void {
  assertEquals(errno(changePropagation(c, find(c, path), flags)), 0);
}

Deno.test("mounts nested deeper than a stack: bound, copied, moved, shared and taken away", () => {
  const { c, end } = setUp(), { namespace } = c.fs;
  nest(c, DEEP);
  assertEquals(errno(mountInfo(namespace, c.fs.root)), "ENOMEM");
  assertEquals(errno(bindMount(c, find(c, "/m"), find(c, "/b"), true)), 0);
  assertEquals(namespace.mounts.size, 1 + 2 * DEEP);
  assertEquals(errno(moveMount(c, find(c, "/b"), find(c, "/other"))), 0);
  change(c, "/m", M.MS_SHARED | M.MS_REC);
  change(c, "/m", M.MS_SLAVE | M.MS_REC);
  change(c, "/m", M.MS_UNBINDABLE | M.MS_REC);
  const copy = namespace.copy(new UserNamespace(INITIAL_USER_NAMESPACE, 0, 0, false), TEST_ACCOUNT);
  if (typeof copy === "number") throw new Error(String(errno(copy)));
  assertEquals(copy.namespace.mounts.size, 1 + 2 * DEEP);
  copy.namespace.discard();
  assertEquals(errno(unmount(c, find(c, "/other"), M.MNT_DETACH)), 0);
  assertEquals(namespace.mounts.size, 1 + DEEP);
  assertEquals(errno(pivotRoot(c, find(c, "/m"), find(c, "/m/d/d"), [c.fs])), 0);
  end();
});

Deno.test("a chain of slaves longer than a stack gets a mount and loses it", () => {
  const { t, c, end } = setUp(), { namespace } = c.fs, a = find(c, "/a");
  assertEquals(errno(bindMount(c, a, a, false)), 0);
  change(c, "/a", M.MS_SHARED);
  const first = find(c, "/a");
  let at = find(c, "/m"), from = first;
  for (let i = 0; i < DEEP; i++) {
    const mount = bind(c, from, at), path = new Path(mount, mount.root);
    assertEquals(errno(changePropagation(c, path, M.MS_SLAVE)), 0);
    assertEquals(errno(changePropagation(c, path, M.MS_SHARED)), 0);
    from = at = path;
  }
  assertEquals(
    addMount(c, new TmpfsFs(TEST_ACCOUNT, t.frames, t.vfs, {}), find(c, "/a/d"), 0, "t"),
    0,
  );
  assertEquals(namespace.mounts.size, 2 + DEEP + 1 + DEEP);
  assertEquals(String(mountInfo(namespace, c.fs.root)).split("\n").length, 2 + 2 * DEEP + 2);
  assertEquals(errno(unmount(c, find(c, "/a/d"), 0)), 0);
  assertEquals(namespace.mounts.size, 2 + DEEP);
  end();
});

Deno.test("the limit of a namespace: a mount that exceeds it changes nothing", () => {
  const { c, end } = setUp(), { namespace } = c.fs;
  nest(c, 1);
  // Each bind doubles the number of mounts.
  let r = 0, before = 0;
  while (r === 0) {
    before = namespace.mounts.size;
    r = bindMount(c, find(c, "/"), find(c, "/other"), true);
  }
  assertEquals([errno(r), namespace.mounts.size], ["ENOSPC", before]);
  assertEquals(2 * before > MOUNT_MAX, true);
  assertEquals(errno(unmount(c, find(c, "/other"), M.MNT_DETACH)), 0);
  end();
});

Deno.test("a mount whose copies at peers exceed the limit changes nothing", () => {
  const { t, c, end } = setUp(), { namespace } = c.fs;
  bind(c, find(c, "/a"), find(c, "/m"));
  change(c, "/m", M.MS_SHARED);
  const shared = find(c, "/m"), { root } = namespace, { dentry } = find(c, "/a");
  for (let i = 0; i < 400; i++) {
    mkdirAt(c, AT_FDCWD, `/p${i}`, 0o755);
    bind(c, shared, find(c, `/p${i}`));
  }
  // Neither 401 peers nor 300 mounts exceed the limit; their product does.
  let at = find(c, "/b");
  const inner = find(c, "/a/d").dentry;
  for (let i = 0; i < 300; i++) at = new Path(bind(c, new Path(root, dentry), at), inner);
  const before = namespace.mounts.size, used = mountCount();
  assertEquals(errno(bindMount(c, find(c, "/b"), find(c, "/m/d"), true)), "ENOSPC");
  assertEquals(errno(moveMount(c, find(c, "/b"), find(c, "/m/d"))), "ENOSPC");
  finishDeferred(t);
  assertEquals([namespace.mounts.size, mountCount()], [before, used]);
  assertEquals(
    addMount(c, new TmpfsFs(TEST_ACCOUNT, t.frames, t.vfs, {}), find(c, "/m/d"), 0, "t"),
    0,
  );
  assertEquals(namespace.mounts.size, before + 401);
  end();
});

Deno.test("peers that double with each mount lose their mounts, inside and outside", () => {
  const { c, end } = setUp(), { namespace } = c.fs, count = 13;
  bind(c, find(c, "/a"), find(c, "/m"));
  change(c, "/m", M.MS_SHARED);
  const shared = find(c, "/m");
  // The mount at /b is a peer that stays.
  bind(c, shared, find(c, "/b"));
  for (let i = 0; i < count; i++) {
    mkdirAt(c, AT_FDCWD, `/m/x${i}`, 0o755);
    assertEquals(errno(bindMount(c, shared, find(c, `/m/x${i}`), false)), 0);
  }
  // Each mount makes one at all members of the group.
  assertEquals(namespace.mounts.size, 1 + 2 ** (count + 1));
  assertEquals(errno(unmount(c, find(c, "/m"), M.MNT_DETACH)), 0);
  assertEquals(namespace.mounts.size, 2);
  end();
});

Deno.test("a tree that was never attached stays together for its users", () => {
  const { c, end } = setUp(), { namespace } = c.fs;
  nest(c, 3);
  const used = mountCount(), tree = cloneDetached(c, find(c, "/m"), true);
  if (typeof tree === "number") throw new Error("no clone");
  assertEquals(mountCount(), used + 3);
  const top = holdPath(new Path(tree, tree.root)), inner = [...tree.children.values()][0]!;
  const below = holdPath(new Path(inner, inner.root));
  namespace.abandonTree(tree);
  assertEquals([tree.children.size, inner.parent, mountCount()], [1, tree, used + 3]);
  // The upper mount is freed. The mount below it stays for its user, without a parent.
  dropPath(top);
  assertEquals([inner.parent, inner.children.size, mountCount()], [null, 1, used + 2]);
  dropPath(below);
  assertEquals(mountCount(), used);
  end();
});

Deno.test("copies of mounts are counted before a namespace is copied", () => {
  const { c, end } = setUp(), { namespace } = c.fs;
  nest(c, 10);
  MOUNTS.add(MOUNTS.limit - 10, TEST_ACCOUNT);
  const refused = namespace.copy(INITIAL_USER_NAMESPACE, TEST_ACCOUNT),
    tree = cloneDetached(c, find(c, "/m"), true);
  MOUNTS.give(MOUNTS.limit - 10, TEST_ACCOUNT);
  assertEquals([errno(refused), errno(tree)], ["ENOSPC", "ENOSPC"]);
  end();
});

Deno.test("mount namespaces whose files are mounted in one another go with the first", () => {
  const { t, c, end } = setUp(),
    files = new NsFs(TEST_ACCOUNT, t.vfs, { current: () => null, caller: () => null });
  let outer = c.fs.namespace;
  t.tmpfs.root.create("f", 0o644, 0, 0, TEST_ACCOUNT);
  for (let i = 0; i < 3000; i++) {
    const fs = new TmpfsFs(TEST_ACCOUNT, t.frames, t.vfs, {});
    const inner = MountNamespace.of(TEST_ACCOUNT, t.vfs, fs, 0, "t");
    fs.root.create("f", 0o644, 0, 0, TEST_ACCOUNT);
    const path = files.pathOf(inner.hold(), t.vfs), root = outer.rootPath();
    const mount = outer.cloneTree(path.mount, path.dentry, false, TEST_ACCOUNT);
    const at = t.vfs.dentries.lookup(root.dentry, "f");
    if (typeof mount === "number" || typeof at === "number") throw new Error("no file");
    assertEquals(errno(outer.attach(mount, new Path(root.mount, at))), 0);
    inner.drop();
    outer = inner;
  }
  assertEquals(t.vfs.namespaces.size, 3001);
  // The one mount that remains is nsfs, which the kernel keeps.
  end(1);
  assertEquals(t.vfs.namespaces.size, 0);
});
