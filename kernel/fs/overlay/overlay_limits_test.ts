/**
 * Tests of overlays on overlays, layers within layers, and trees deeper than a JavaScript stack.
 */

import { assertEquals } from "@std/assert";
import { AT_FDCWD, O_RDWR } from "../../../ffi/abi/fcntl.ts";
import * as M from "../../../ffi/abi/mount.ts";
import { mkdirAt } from "../../vfs/create.ts";
import type { Path } from "../../vfs/dentry.ts";
import { addMount, unmount } from "../../vfs/mount_operations.ts";
import { findAt } from "../../vfs/status.ts";
import { errno, mustOpen, type TestCaller, TestFiles, writeText } from "../../vfs/vfs_testing.ts";
import { overlayFromOptions } from "./options.ts";

const DEEP = 12_000;

function find(c: TestCaller, text: string): Path {
  const path = findAt(c, AT_FDCWD, text, 0);
  if (typeof path === "number") throw new Error(`${text}: ${errno(path)}`);
  return path;
}

function setUp(): { t: TestFiles; c: TestCaller } {
  const t = new TestFiles(), c = t.root;
  for (const name of ["/l", "/l/in", "/k", "/m", "/u", "/u/in", "/w"]) {
    mkdirAt(c, AT_FDCWD, name, 0o755);
  }
  return { t, c };
}

function overlay({ t, c }: { t: TestFiles; c: TestCaller }, options: string, at: string): unknown {
  const fs = overlayFromOptions(c, options, t.frames);
  return typeof fs === "number" ? errno(fs) : errno(addMount(c, fs, find(c, at), 0, "overlay"));
}

Deno.test("two overlays may be stacked, a third may not", () => {
  const lab = setUp();
  for (const name of ["/1", "/2", "/3"]) mkdirAt(lab.c, AT_FDCWD, name, 0o755);
  assertEquals(overlay(lab, "lowerdir=/l,upperdir=/u,workdir=/w", "/1"), 0);
  assertEquals(overlay(lab, "lowerdir=/1:/k", "/2"), 0);
  assertEquals(overlay(lab, "lowerdir=/2:/k", "/3"), "EINVAL");
  assertEquals(overlay(lab, "lowerdir=/k:/2", "/3"), "EINVAL");
  assertEquals(overlay(lab, "lowerdir=/1", "/3"), 0);
});

Deno.test("a lower layer is neither another layer nor within one", () => {
  const lab = setUp(), rest = "upperdir=/u,workdir=/w";
  const cases: [string, string | number][] = [
    ["lowerdir=/l:/l", "ELOOP"],
    ["lowerdir=/l:/l/in", "ELOOP"],
    ["lowerdir=/l/in:/l", "ELOOP"],
    [`lowerdir=/u/in,${rest}`, "ELOOP"],
    [`lowerdir=/w,${rest}`, "ELOOP"],
    ["lowerdir=/l,upperdir=/u,workdir=/u", "EINVAL"],
    ["lowerdir=/l,upperdir=/u,workdir=/u/in", "EINVAL"],
    ["lowerdir=/l,upperdir=/l/in,workdir=/w", 0],
  ];
  for (const [options, expected] of cases) {
    assertEquals([options, overlay(lab, options, "/m")], [options, expected]);
  }
});

Deno.test("the lowest file of a deep tree is copied up, and the tree goes", () => {
  const lab = setUp(), { c } = lab;
  c.fs.setCwd(find(c, "/l/in"));
  for (let i = 0; i < DEEP; i++) {
    mkdirAt(c, AT_FDCWD, "d", 0o755);
    c.fs.setCwd(find(c, "d"));
  }
  writeText(c, "f", "below");
  assertEquals(overlay(lab, "lowerdir=/l,upperdir=/u,workdir=/w", "/m"), 0);
  c.fs.setCwd(find(c, "/m/in"));
  for (let i = 0; i < DEEP; i++) c.fs.setCwd(find(c, "d"));
  mustOpen(c, "f", O_RDWR).drop();
  c.fs.setCwd(find(c, "/"));
  assertEquals(errno(unmount(c, find(c, "/m"), 0)), 0);
  // Nothing is copied up here: the lower inodes are released with the last directory that holds
  // them.
  assertEquals(overlay(lab, "lowerdir=/l", "/m"), 0);
  c.fs.setCwd(find(c, "/m/in"));
  for (let i = 0; i < DEEP; i++) c.fs.setCwd(find(c, "d"));
  assertEquals(errno(unmount(c, find(c, "/m"), M.MNT_DETACH)), 0);
  c.fs.setCwd(find(c, "/"));
});
