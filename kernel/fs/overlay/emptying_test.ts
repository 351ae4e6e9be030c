import { assert, assertEquals } from "@std/assert";
import { NEEDS_TURN } from "../../core/result.ts";
import { AT_FDCWD, O_CREAT, O_RDWR } from "../../../ffi/abi/fcntl.ts";
import { mkdirAt } from "../../vfs/create.ts";
import type { Path } from "../../vfs/dentry.ts";
import { addMount } from "../../vfs/mount_operations.ts";
import { rmdirAt, unlinkAt } from "../../vfs/remove.ts";
import { renameAt } from "../../vfs/rename.ts";
import { findAt } from "../../vfs/status.ts";
import { errno, mustOpen, type TestCaller, TestFiles } from "../../vfs/vfs_testing.ts";
import { OverlayDirectory } from "./directory.ts";
import { ENTRIES_A_TURN } from "./emptying.ts";
import { overlayFromOptions } from "./options.ts";

const FILES = 3 * ENTRIES_A_TURN, DIR = "/m/d";

function find(c: TestCaller, text: string): Path | string | number {
  const path = findAt(c, AT_FDCWD, text, 0);
  return typeof path === "number" ? errno(path) : path;
}

/** An overlay's directory from which all files were removed. */
function removedFiles(): { c: TestCaller; dir: OverlayDirectory } {
  const t = new TestFiles(), c = t.root;
  for (const name of ["/l", "/l/d", "/u", "/w", "/m"]) mkdirAt(c, AT_FDCWD, name, 0o755);
  for (let i = 0; i < FILES; i++) mustOpen(c, `/l/d/${i}`, O_RDWR | O_CREAT).drop();
  const fs = overlayFromOptions(c, "lowerdir=/l,upperdir=/u,workdir=/w", t.frames),
    at = find(c, "/m");
  assert(typeof fs !== "number" && typeof at === "object");
  assertEquals(addMount(c, fs, at, 0, "overlay"), 0);
  for (let i = 0; i < FILES; i++) assertEquals(unlinkAt(c, AT_FDCWD, `${DIR}/${i}`), 0);
  const path = find(c, DIR);
  assert(typeof path === "object" && path.dentry.inode instanceof OverlayDirectory);
  return { c, dir: path.dentry.inode };
}

/** Turns until it is empty; no removed file is visible in between. */
function turnsUntilEmpty(c: TestCaller, dir: OverlayDirectory): number {
  let turns = 1;
  for (let r = dir.empty(); r !== 0; r = dir.empty(), turns++) {
    assertEquals(r, NEEDS_TURN);
    for (const i of [0, FILES - 1]) assertEquals(find(c, `${DIR}/${i}`), "ENOENT");
    assertEquals(errno(dir.lookup("0")), "ENOENT");
  }
  return turns;
}

Deno.test("a directory of many whiteouts is emptied in turns, and stays without names", () => {
  const { c, dir } = removedFiles();
  // Three times all names: of the upper layer, of the lower one, and of those that go.
  const turns = turnsUntilEmpty(c, dir);
  assert(turns >= 3 * FILES / ENTRIES_A_TURN && turns < 4 * FILES / ENTRIES_A_TURN, `${turns}`);
  assertEquals(turnsUntilEmpty(c, dir), 1);
  assertEquals(errno(rmdirAt(c, AT_FDCWD, DIR)), 0);
  assertEquals(find(c, DIR), "ENOENT");
});

Deno.test("a caller with one turn removes it at once, also by a rename over it", () => {
  for (const isRename of [false, true]) {
    const { c } = removedFiles();
    mkdirAt(c, AT_FDCWD, "/m/new", 0o755);
    const r = isRename
      ? renameAt(c, AT_FDCWD, "/m/new", AT_FDCWD, DIR, 0)
      : rmdirAt(c, AT_FDCWD, DIR);
    assertEquals([errno(r), typeof find(c, DIR)], [0, isRename ? "object" : "string"]);
  }
});

Deno.test("a file that comes between two turns stays, and no other name comes back", () => {
  const { c, dir } = removedFiles();
  let turns = 0;
  while (dir.shownLower !== null) {
    assertEquals(dir.empty(), NEEDS_TURN);
    turns++;
  }
  assert(turns > 1);
  mustOpen(c, `${DIR}/1`, O_RDWR | O_CREAT).drop();
  assertEquals(errno(rmdirAt(c, AT_FDCWD, DIR)), "ENOTEMPTY");
  assertEquals([typeof find(c, `${DIR}/1`), find(c, `${DIR}/0`)], ["object", "ENOENT"]);
  assertEquals([errno(unlinkAt(c, AT_FDCWD, `${DIR}/1`)), find(c, `${DIR}/1`)], [0, "ENOENT"]);
  assertEquals(errno(rmdirAt(c, AT_FDCWD, DIR)), 0);
});

Deno.test("a directory that others keep changing was not empty", () => {
  const { c, dir } = removedFiles();
  let r = dir.empty();
  for (let i = 0; r === NEEDS_TURN && i < 10; i++) {
    mustOpen(c, `${DIR}/x`, O_RDWR | O_CREAT).drop();
    unlinkAt(c, AT_FDCWD, `${DIR}/x`);
    r = dir.empty();
  }
  assertEquals(errno(r), "ENOTEMPTY");
});
