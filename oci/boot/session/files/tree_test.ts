/** Tests of `list` and of `remove` with its whole tree, while the guest changes it. */

import { assertEquals } from "@std/assert";
import { AT_FDCWD } from "../../../../ffi/abi/fcntl.ts";
import { S_IFIFO } from "../../../../ffi/abi/stat.ts";
import { OPEN_FILES } from "../../../../kernel/core/quota.ts";
import { mkdirAt, mknodAt, symlinkAt } from "../../../../kernel/vfs/create.ts";
import type { Inode } from "../../../../kernel/vfs/inode.ts";
import { renameAt } from "../../../../kernel/vfs/rename.ts";
import { findAt, statAt } from "../../../../kernel/vfs/status.ts";
import { listDir, readText, writeText } from "../../../../kernel/vfs/vfs_testing.ts";
import type { FileStatus } from "../../../protocol/session/messages.ts";
import { FilesLab } from "./files_testing.ts";
import { DEPTH_MAX } from "./open_tree.ts";

/** Runs a test in labs with a tmpfs and with an overlay. */
function test(name: string, run: (lab: FilesLab) => void): void {
  for (const lower of [undefined, { "/lower/": "", "/lower/f": "l", "/lower/d/": "" }]) {
    Deno.test(`${name} (${lower === undefined ? "tmpfs" : "overlay"})`, () => {
      const lab = new FilesLab(lower);
      try {
        run(lab);
      } finally {
        lab.close();
      }
    });
  }
}

function mkdir(lab: FilesLab, path: string, mode: number = 0o755): void {
  assertEquals(mkdirAt(lab.root, AT_FDCWD, path, mode), 0);
}

/** Makes empty files fast. */
function fill(lab: FilesLab, path: string, count: number): void {
  for (let i = 0; i < count; i++) {
    assertEquals(mknodAt(lab.root, AT_FDCWD, `${path}/f${i}`, 0o644, 0), 0);
  }
}

function entriesOf(events: readonly object[]): FileStatus[] {
  return events.flatMap((event) => "entries" in event ? event.entries as FileStatus[] : []);
}

function nameList(events: readonly object[]): string[] {
  return entriesOf(events).map((entry) => entry.name).toSorted();
}

/** Makes a chain of directories without a path of its whole length. */
function chain(lab: FilesLab, top: string, depth: number): void {
  mkdir(lab, top);
  const { fs } = lab.root, back = fs.cwd;
  for (let i = 0, dir = top; i < depth; i++, dir = "d") {
    const at = findAt(lab.root, AT_FDCWD, dir, 0);
    if (typeof at === "number") throw new Error(`${at} at ${i}`);
    fs.setCwd(at);
    mkdir(lab, "d");
  }
  fs.setCwd(back);
}

test("a list has the status of each entry, and follows no link", (lab) => {
  mkdir(lab, "/d");
  mkdir(lab, "/d/sub", 0o700);
  writeText(lab.root, "/d/f", "four");
  symlinkAt(lab.root, "nowhere", AT_FDCWD, "/d/l");
  mknodAt(lab.root, AT_FDCWD, "/d/p", S_IFIFO | 0o600, 0);
  mknodAt(lab.root, AT_FDCWD, "/d/\xff", 0o600, 0);
  const { events, outcome } = lab.do("list", { path: "/d" });
  const shown = entriesOf(events).map(({ name, type, size, mode }) => {
    return `${name} ${type} ${type === "file" ? size : "-"} ${mode.toString(8)}`;
  });
  assertEquals([shown.toSorted(), outcome], [[
    "f file 4 644",
    "l symlink - 777",
    "p fifo - 600",
    "sub directory - 700",
    "\udcff file 0 600",
  ], {}]);
  assertEquals(lab.do("list", { path: "/d/sub/" }).events, []);
  assertEquals(lab.do("list", { path: "/d/f" }).outcome, "NotADirectory ENOTDIR");
  assertEquals(lab.do("list", { path: "/d/l" }).outcome, "NotFound ENOENT");
  const user = { uid: 9, gid: 9 };
  assertEquals(lab.do("list", { path: "/d/sub", user }).outcome, "PermissionDenied EACCES");
  lab.do("chmod", { path: "/d", mode: 0o744 });
  assertEquals(lab.do("list", { path: "/d", user }).outcome, "PermissionDenied EACCES");
});

test("a list of many entries comes in events of bounded size, as the client reads", (lab) => {
  mkdir(lab, "/d");
  fill(lab, "/d", 3000);
  const list = lab.open("list", { path: "/d" });
  list.eventBytes = 1 << 20;
  lab.settle();
  assertEquals([list.events.length, list.outcome], [0, null]);
  list.eventBytes = 0;
  list.channel?.onEventsSent();
  // A client that has read nothing more stops it again.
  for (let i = 0; i < 5; i++) lab.kernel.vfs.deferred.step();
  list.eventBytes = 1 << 20;
  lab.settle();
  const before = list.events.length;
  assertEquals(before > 0 && before < 20, true);
  list.eventBytes = 0;
  list.channel?.onEventsSent();
  const slices = lab.settle();
  assertEquals([slices > 20, list.outcome], [true, {}]);
  assertEquals(new Set(nameList(list.events)).size, 3000);
  assertEquals(list.events.every((event) => JSON.stringify(event).length < 100_000), true);
});

test("a list goes on while its directory changes", (lab) => {
  mkdir(lab, "/d");
  fill(lab, "/d", 500);
  const list = lab.open("list", { path: "/d" });
  lab.kernel.vfs.deferred.step();
  for (let i = 0; i < 500; i += 2) lab.do("remove", { path: `/d/f${i}` });
  lab.settle();
  assertEquals(list.outcome, {});
  const names = new Set(nameList(list.events));
  for (let i = 1; i < 500; i += 2) assertEquals(names.has(`f${i}`), true);
  const gone = lab.open("list", { path: "/d" });
  lab.do("remove", { path: "/d", recursive: true });
  assertEquals(gone.outcome !== null, true);
});

test("a directory of /proc is listed", (lab) => {
  const { events, outcome } = lab.do("list", { path: "/proc" });
  assertEquals([nameList(events).includes("version"), outcome], [true, {}]);
});

test("a tree is removed with all that is in it, and nothing else", (lab) => {
  for (const dir of ["/t", "/t/a", "/t/a/b", "/t/a/empty", "/keep"]) mkdir(lab, dir);
  writeText(lab.root, "/keep/f", "kept");
  writeText(lab.root, "/t/a/b/f", "x");
  writeText(lab.root, "/t/\xfe", "x");
  symlinkAt(lab.root, "/keep", AT_FDCWD, "/t/a/link");
  mknodAt(lab.root, AT_FDCWD, "/t/a/p", S_IFIFO | 0o600, 0);
  fill(lab, "/t/a", 300);
  const files = OPEN_FILES.countOf(lab.kernel.accounts.root);
  assertEquals(lab.do("remove", { path: "/t/", recursive: true }).outcome, {});
  assertEquals(lab.do("stat", { path: "/t" }).outcome, "NotFound ENOENT");
  assertEquals(readText(lab.root, "/keep/f"), "kept");
  assertEquals(OPEN_FILES.countOf(lab.kernel.accounts.root), files);
  symlinkAt(lab.root, "/keep", AT_FDCWD, "/link");
  assertEquals(
    lab.do("remove", { path: "/link/", recursive: true }).outcome,
    "NotADirectory ENOTDIR",
  );
  assertEquals(lab.do("remove", { path: "/link", recursive: true }).outcome, {});
  assertEquals(lab.do("remove", { path: "/keep/f", recursive: true }).outcome, {});
  assertEquals(lab.do("remove", { path: "/keep/f", recursive: true }).outcome, "NotFound ENOENT");
  assertEquals(lab.do("remove", { path: "/", recursive: true }).outcome, "Failed EBUSY");
  assertEquals(
    lab.do("remove", { path: "/keep/..", recursive: true }).outcome,
    "NotEmpty ENOTEMPTY",
  );
  assertEquals(
    lab.do("remove", { path: "/keep/.", recursive: true }).outcome,
    "InvalidArgument EINVAL",
  );
  assertEquals(lab.do("remove", { path: "/keep/", recursive: true }).outcome, {});
});

test("100,000 files are removed in slices", (lab) => {
  mkdir(lab, "/t");
  fill(lab, "/t", 100_000);
  const remove = lab.open("remove", { path: "/t", recursive: true });
  const slices = lab.settle();
  assertEquals([remove.outcome, slices > 1000], [{}, true]);
  assertEquals(listDir(lab.root, "/").includes("t"), false);
});

test("a directory that the guest swaps for a link leads the removal nowhere", (lab) => {
  for (const dir of ["/t", "/t/a", "/t/a/b", "/keep", "/out"]) mkdir(lab, dir);
  writeText(lab.root, "/keep/f", "kept");
  mkdir(lab, "/keep/b");
  fill(lab, "/t/a/b", 2000);
  const remove = lab.open("remove", { path: "/t", recursive: true });
  for (let i = 0; i < 8; i++) lab.kernel.vfs.deferred.step();
  assertEquals(renameAt(lab.root, AT_FDCWD, "/t/a", AT_FDCWD, "/out/a", 0), 0);
  assertEquals(symlinkAt(lab.root, "/keep", AT_FDCWD, "/t/a"), 0);
  lab.settle();
  assertEquals(listDir(lab.root, "/keep").toSorted(), ["b", "f"]);
  // The name is a link by now, which is no directory: the next request removes it.
  assertEquals(remove.outcome, "NotADirectory ENOTDIR");
  assertEquals(lab.do("remove", { path: "/t", recursive: true }).outcome, {});
  assertEquals(readText(lab.root, "/keep/f"), "kept");
});

test("what is mounted in a tree is not emptied", (lab) => {
  for (const dir of ["/t", "/t/m"]) mkdir(lab, dir);
  lab.mount(lab.tmpfs(), "/t/m", 0);
  writeText(lab.root, "/t/m/f", "kept");
  assertEquals(lab.do("remove", { path: "/t", recursive: true }).error, {
    code: "Failed",
    message: "cannot remove /t/m: device or resource busy",
    errno: "EBUSY",
    path: "/t/m",
  });
  assertEquals(lab.do("remove", { path: "/t/m", recursive: true }).outcome, "Failed EBUSY");
  assertEquals(readText(lab.root, "/t/m/f"), "kept");
});

test("entries that a guest adds meanwhile are removed too, but not for ever", (lab) => {
  mkdir(lab, "/t");
  fill(lab, "/t", 200);
  const remove = lab.open("remove", { path: "/t", recursive: true });
  lab.kernel.vfs.deferred.step();
  writeText(lab.root, "/t/new", "x");
  lab.settle();
  assertEquals(remove.outcome, {});
  mkdir(lab, "/t");
  fill(lab, "/t", 200);
  const endless = lab.open("remove", { path: "/t", recursive: true });
  for (let i = 0; endless.outcome === null && i < 10_000; i++) {
    for (let j = 0; j < 40; j++) mknodAt(lab.root, AT_FDCWD, `/t/n${i}.${j}`, 0o644, 0);
    lab.kernel.vfs.deferred.step();
  }
  assertEquals(endless.outcome, "NotEmpty ENOTEMPTY");
});

test("rights are those of the user, and the error names the entry", (lab) => {
  mkdir(lab, "/t", 0o777);
  lab.do("chmod", { path: "/t", mode: 0o777 });
  mkdir(lab, "/t/root");
  writeText(lab.root, "/t/root/f", "x");
  const user = { uid: 5, gid: 5 };
  const { error } = lab.do("remove", { path: "/t/root/", recursive: true, user });
  assertEquals(error, {
    code: "PermissionDenied",
    message: "cannot remove /t/root/f: permission denied",
    errno: "EACCES",
    path: "/t/root/f",
  });
  lab.do("mkdir", { path: "/t/closed", mode: 0, user });
  assertEquals(lab.do("remove", { path: "/t/closed", recursive: true, user }).outcome, {});
});

test("a chain of directories as deep as a path is removed, a deeper one is not", (lab) => {
  chain(lab, "/t", DEPTH_MAX - 1);
  assertEquals(lab.do("remove", { path: "/t", recursive: true }).outcome, {});
  chain(lab, "/t", DEPTH_MAX);
  const files = OPEN_FILES.countOf(lab.kernel.accounts.root);
  assertEquals(lab.do("remove", { path: "/t", recursive: true }).outcome, "Limit -");
  assertEquals(OPEN_FILES.countOf(lab.kernel.accounts.root), files);
});

test("a removal can be cancelled half-way", (lab) => {
  mkdir(lab, "/t");
  fill(lab, "/t", 1000);
  const remove = lab.open("remove", { path: "/t", recursive: true });
  for (let i = 0; i < 3; i++) lab.kernel.vfs.deferred.step();
  remove.channel?.onGone();
  lab.settle();
  const left = listDir(lab.root, "/t").length;
  assertEquals([left > 0, left < 1000], [true, true]);
  const inode: Inode | number = statAt(lab.root, AT_FDCWD, "/t", 0);
  assertEquals(typeof inode === "number" ? inode : inode.openCount, 0);
});
