import { assert, assertEquals } from "@std/assert";
import { AT_FDCWD, O_APPEND, O_WRONLY, RENAME_EXCHANGE } from "../../../../ffi/abi/fcntl.ts";
import { PATH_MAX } from "../../../../ffi/abi/fs.ts";
import { TEST_ACCOUNT } from "../../../../kernel/core/account_testing.ts";
import { INODE_WATCHES, OPEN_FILES } from "../../../../kernel/core/quota.ts";
import { chmodAt } from "../../../../kernel/vfs/attributes.ts";
import { mkdirAt, mknodAt, symlinkAt } from "../../../../kernel/vfs/create.ts";
import { notifyFile } from "../../../../kernel/vfs/notify.ts";
import { rmdirAt, unlinkAt } from "../../../../kernel/vfs/remove.ts";
import { renameAt } from "../../../../kernel/vfs/rename.ts";
import { findAt } from "../../../../kernel/vfs/status.ts";
import { mustOpen } from "../../../../kernel/vfs/vfs_testing.ts";
import { IN_MODIFY } from "../../../../ffi/abi/inotify.ts";
import type { WatchEvent } from "../../../protocol/session/messages.ts";
import { FilesLab } from "./files_testing.ts";
import { WatchedFile } from "./watch_tree.ts";

/** The events without the one that says that all is watched. */
function changesOf(events: readonly object[]): WatchEvent[] {
  return events.filter((event) => !("ready" in event)) as WatchEvent[];
}

/** A guest that changes files under "/w", and a watch there. */
class WatchLab extends FilesLab {
  readonly port;

  constructor(members: object, prepare: (lab: FilesLab) => void = () => {}) {
    super();
    this.mkdir("/w");
    prepare(this);
    this.port = this.open("watch", { path: "/w", ...members });
  }

  mkdir(path: string): void {
    assertEquals(mkdirAt(this.root, AT_FDCWD, path, 0o755), 0, path);
  }
  make(path: string): void {
    assertEquals(mknodAt(this.root, AT_FDCWD, path, 0o644, 0), 0, path);
  }
  move(from: string, to: string, flags = 0): void {
    assertEquals(renameAt(this.root, AT_FDCWD, from, AT_FDCWD, to, flags), 0);
  }
  modify(path: string): void {
    const file = mustOpen(this.root, path, O_WRONLY | O_APPEND);
    notifyFile(file, IN_MODIFY);
    file.drop();
  }

  /** The events since the last call. */
  seen(): string[] {
    this.settle();
    const events = changesOf(this.port.events.splice(0));
    return events.map(({ kind, path }) => `${kind} ${path}`);
  }
}

function test(
  name: string,
  members: object,
  run: (lab: WatchLab) => void,
  prepare?: (lab: FilesLab) => void,
): void {
  Deno.test(name, () => {
    const lab = new WatchLab(members, prepare);
    try {
      run(lab);
    } finally {
      lab.close();
    }
  });
}

test("changes in a directory are events; what happens deeper is none", {}, (lab) => {
  lab.make("/w/f");
  lab.modify("/w/f");
  lab.modify("/w/f");
  chmodAt(lab.root, AT_FDCWD, "/w/f", 0o600, 0);
  lab.mkdir("/w/d");
  lab.make("/w/d/deep");
  assertEquals(lab.seen(), [
    "create /w/f",
    "modify /w/f",
    "attributes /w/f",
    "create /w/d",
  ]);
  lab.move("/w/f", "/w/g");
  lab.move("/w/g", "/out");
  lab.move("/out", "/w/\xff");
  chmodAt(lab.root, AT_FDCWD, "/w", 0o700, 0);
  unlinkAt(lab.root, AT_FDCWD, "/w/\xff");
  assertEquals(lab.seen(), [
    "rename /w/f",
    "rename /w/g",
    "rename /w/g",
    "rename /w/\udcff",
    "attributes /w",
    "remove /w/\udcff",
  ]);
  assertEquals(lab.port.outcome, null);
});

test("a watch is there when it was opened, and ends without an error", {}, (lab) => {
  const watches = INODE_WATCHES.countOf(lab.kernel.accounts.root);
  assertEquals(watches, 1);
  lab.make("/w/early");
  lab.port.channel?.onControl({ close: true });
  lab.make("/w/late");
  lab.settle();
  assertEquals([lab.port.outcome, lab.seen()], [{}, []]);
  assertEquals(INODE_WATCHES.countOf(lab.kernel.accounts.root), 0);
});

test("the end of what is watched ends the watch", {}, (lab) => {
  lab.make("/w/f");
  const file = lab.open("watch", { path: "/w/f" });
  lab.modify("/w/f");
  unlinkAt(lab.root, AT_FDCWD, "/w/f");
  rmdirAt(lab.root, AT_FDCWD, "/w");
  assertEquals(lab.seen(), ["create /w/f", "modify /w/f", "remove /w/f", "remove /w"]);
  assertEquals([lab.port.outcome, file.outcome], [{}, {}]);
  const events = changesOf(file.events);
  assertEquals(events.map(({ kind }) => kind), ["modify", "attributes", "remove"]);
});

test("a watch is ready once, when all directories are found", { recursive: true }, (lab) => {
  lab.settle();
  assertEquals(lab.port.events.splice(0), [{ ready: true }]);
  lab.make("/w/a/b/f");
  lab.mkdir("/w/new");
  assertEquals(lab.seen(), ["create /w/a/b/f", "create /w/new"]);
  assertEquals(lab.port.events, []);
}, prepareTree);

test("what cannot be watched is an error", {}, (lab) => {
  assertEquals(lab.do("watch", { path: "/no" }).outcome, "NotFound ENOENT");
  chmodAt(lab.root, AT_FDCWD, "/w", 0o711, 0);
  const user = { uid: 3, gid: 3 };
  assertEquals(lab.do("watch", { path: "/w", user }).outcome, "PermissionDenied EACCES");
  assertEquals(INODE_WATCHES.countOf(lab.kernel.accounts.root), 1);
});

function prepareTree(lab: FilesLab): void {
  for (const dir of ["/w/a", "/w/a/b", "/w/m", "/out"]) mkdirAt(lab.root, AT_FDCWD, dir, 0o755);
  lab.mount(lab.tmpfs(), "/w/m", 0);
  symlinkAt(lab.root, "/out", AT_FDCWD, "/w/link");
}

test("subdirectories are watched, but no mounts and no links", { recursive: true }, (lab) => {
  assertEquals(lab.seen(), []);
  for (const path of ["/w/a/f", "/w/a/b/f", "/w/m/f", "/w/link/f", "/out/g"]) lab.make(path);
  assertEquals(lab.seen(), ["create /w/a/f", "create /w/a/b/f"]);
  assertEquals(INODE_WATCHES.countOf(lab.kernel.accounts.root), 3);
}, prepareTree);

test("a new directory and what is in it already have events", { recursive: true }, (lab) => {
  lab.mkdir("/w/a");
  lab.mkdir("/w/a/b");
  lab.make("/w/a/b/f");
  lab.make("/w/a/g");
  assertEquals(lab.seen().toSorted(), [
    "create /w/a",
    "create /w/a/b",
    "create /w/a/b/f",
    "create /w/a/g",
  ]);
  lab.modify("/w/a/b/f");
  assertEquals(lab.seen(), ["modify /w/a/b/f"]);
});

test(
  "a directory that moves keeps its watches, and loses them outside",
  { recursive: true },
  (lab) => {
    lab.seen();
    lab.move("/w/a", "/w/c");
    lab.make("/w/c/b/f");
    assertEquals(lab.seen(), ["rename /w/a", "rename /w/c", "create /w/c/b/f"]);
    assertEquals(INODE_WATCHES.countOf(lab.kernel.accounts.root), 3);
    lab.move("/w/c", "/out/c");
    lab.make("/out/c/b/g");
    assertEquals(lab.seen(), ["rename /w/c"]);
    assertEquals(INODE_WATCHES.countOf(lab.kernel.accounts.root), 1);
    lab.move("/out/c", "/w/d");
    lab.seen();
    lab.make("/w/d/b/h");
    assertEquals(lab.seen(), ["create /w/d/b/h"]);
  },
  prepareTree,
);

test("two directories that are exchanged keep their watches", { recursive: true }, (lab) => {
  lab.mkdir("/w/x");
  lab.mkdir("/w/x/in");
  lab.seen();
  lab.move("/w/a", "/w/x", RENAME_EXCHANGE);
  lab.seen();
  lab.make("/w/x/b/f");
  lab.make("/w/a/in/g");
  assertEquals(lab.seen(), ["create /w/x/b/f", "create /w/a/in/g"]);
  assertEquals(INODE_WATCHES.countOf(lab.kernel.accounts.root), 5);
}, prepareTree);

test("a directory that is exchanged with a new one, or moves twice, is found", {
  recursive: true,
}, (lab) => {
  lab.seen();
  lab.mkdir("/w/new");
  lab.move("/w/a", "/w/new", RENAME_EXCHANGE);
  lab.seen();
  lab.make("/w/new/b/f");
  lab.make("/w/a/g");
  assertEquals(lab.seen(), ["create /w/new/b/f", "create /w/a/g"]);
  lab.mkdir("/w/empty");
  lab.seen();
  lab.move("/w/new", "/w/empty");
  lab.move("/w/empty", "/w/last");
  lab.seen();
  lab.make("/w/last/b/h");
  assertEquals(lab.seen(), ["create /w/last/b/h"]);
  assertEquals(INODE_WATCHES.countOf(lab.kernel.accounts.root), 4);
}, prepareTree);

test("removed directories leave no watches", { recursive: true }, (lab) => {
  for (let round = 0; round < 3; round++) {
    lab.mkdir("/w/t");
    for (let i = 0; i < 50; i++) lab.mkdir(`/w/t/d${i}`);
    lab.settle();
    assertEquals(INODE_WATCHES.countOf(lab.kernel.accounts.root), 52);
    assertEquals(lab.do("remove", { path: "/w/t", recursive: true }).outcome, {});
    lab.settle();
    assertEquals(INODE_WATCHES.countOf(lab.kernel.accounts.root), 1);
    lab.seen();
  }
  const files = OPEN_FILES.countOf(lab.kernel.accounts.root);
  lab.port.channel?.onGone();
  lab.settle();
  assertEquals(INODE_WATCHES.countOf(lab.kernel.accounts.root), 0);
  assertEquals(OPEN_FILES.countOf(lab.kernel.accounts.root) <= files, true);
});

test("a client that does not read loses events, and learns that", {}, (lab) => {
  lab.port.eventBytes = 1 << 20;
  for (let i = 0; i < 20_000; i++) lab.make(`/w/file-number-${i}`);
  lab.settle();
  assertEquals(changesOf(lab.port.events), []);
  lab.port.eventBytes = 0;
  lab.port.channel?.onEventsSent();
  const seen = lab.seen();
  assertEquals([seen.length > 1000, seen.length < 20_000], [true, true]);
  assertEquals([seen[0], seen.at(-1)], ["create /w/file-number-0", "overflow /w"]);
  lab.make("/w/after");
  assertEquals(lab.seen(), ["create /w/after"]);
});

test("too many directories are a limit", { recursive: true }, (lab) => {
  for (let i = 0; i < 180; i++) {
    lab.mkdir(`/w/${i}`);
    for (let j = 0; j < 190; j++) lab.mkdir(`/w/${i}/${j}`);
    lab.settle();
  }
  assertEquals(lab.port.outcome, "Limit -");
  assertEquals(INODE_WATCHES.countOf(lab.kernel.accounts.root), 0);
});

test("events of paths that a rename has made too long are lost", { recursive: true }, (lab) => {
  const name = "n".repeat(250);
  let path = "/w";
  for (let i = 0; i < 15; i++) lab.mkdir(path += `/${name}`);
  assertEquals(lab.seen().length, 15);
  for (let i = 0, at = "/w/q"; i < 3; i++, at += `/${name}`) lab.mkdir(at);
  const { fs } = lab.root, deep = findAt(lab.root, AT_FDCWD, `/w/q/${name}/${name}`, 0);
  assertEquals(lab.seen().length, 3);
  lab.move("/w/q", `${path}/q`);
  lab.seen();
  if (typeof deep !== "number") fs.setCwd(deep);
  lab.make("f");
  assertEquals(lab.seen(), ["overflow /w"]);
  assertEquals(lab.port.outcome, null);
});

test("a path that is too long for a new watch is an error", { recursive: true }, (lab) => {
  const name = "n".repeat(250), { fs } = lab.root;
  for (let i = 0, dir = "/w"; i < 20; i++, dir = name) {
    const at = findAt(lab.root, AT_FDCWD, dir, 0);
    if (typeof at !== "number") fs.setCwd(at);
    lab.mkdir(name);
  }
  lab.settle();
  assertEquals(lab.port.outcome, "InvalidArgument ENAMETOOLONG");
});

test("the path of a directory that a guest has moved very deep is its end", {}, (lab) => {
  const path = findAt(lab.root, AT_FDCWD, "/w", 0);
  const inode = typeof path === "number" ? null : path.dentry.inode;
  assert(inode !== null);
  const listener = { onFileEvent: () => {} }, NAME = "n".repeat(240);
  let above = new WatchedFile(TEST_ACCOUNT, inode, listener);
  for (let i = 0; i < 1000; i++) {
    const below = new WatchedFile(TEST_ACCOUNT, inode, listener);
    above.add(below, `${NAME}${i}`);
    above = below;
    if (i === 2) assertEquals(above.pathOf("x"), `${NAME}0/${NAME}1/${NAME}2/x`);
  }
  const { length } = above.pathOf("x");
  assert(length > 4 * PATH_MAX && length < 5 * PATH_MAX, String(length));
  assert(above.pathOf("").endsWith(`${NAME}999`));
});
