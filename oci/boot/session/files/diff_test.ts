import { assertEquals } from "@std/assert";
import { AT_FDCWD, RENAME_EXCHANGE } from "../../../../ffi/abi/fcntl.ts";
import { OPEN_FILES } from "../../../../kernel/core/quota.ts";
import { chmodAt } from "../../../../kernel/vfs/attributes.ts";
import { linkAt, mkdirAt, mknodAt, symlinkAt } from "../../../../kernel/vfs/create.ts";
import { rmdirAt, unlinkAt } from "../../../../kernel/vfs/remove.ts";
import { renameAt } from "../../../../kernel/vfs/rename.ts";
import { readText, writeText } from "../../../../kernel/vfs/vfs_testing.ts";
import type { Change } from "../../../protocol/session/messages.ts";
import { FilesLab } from "./files_testing.ts";
import { changedPaths } from "./overlay_changes.ts";

const LOWER = {
  "/proc/": "",
  "/a/": "",
  "/a/f": "f",
  "/a/g": "g",
  "/a/sub/": "",
  "/a/sub/deep": "deep",
  "/b/": "",
  "/b/f": "other",
  "/b/only": "only",
  "/top": "top",
};

function test(name: string, run: (lab: FilesLab) => void): void {
  Deno.test(name, () => {
    const lab = new FilesLab(LOWER);
    try {
      run(lab);
    } finally {
      lab.close();
    }
  });
}

/** The changes, sorted: `+` added, `~` modified, `-` removed. */
function diff(lab: FilesLab): string[] {
  const files = OPEN_FILES.countOf(lab.kernel.accounts.root);
  const { events, outcome } = lab.do("diff", {});
  assertEquals([outcome, OPEN_FILES.countOf(lab.kernel.accounts.root)], [{}, files]);
  const signs = { added: "+", modified: "~", removed: "-" };
  return events.flatMap((event) => "changes" in event ? event.changes as Change[] : [])
    .map(({ path, kind }) => `${signs[kind]}${path}`).toSorted((a, b) =>
      a.slice(1) < b.slice(1) ? -1 : 1
    );
}

test("what was made before the start is no change, but what is written there is", (lab) => {
  mkdirAt(lab.root, AT_FDCWD, "/made", 0o755);
  mkdirAt(lab.root, AT_FDCWD, "/made/place", 0o755);
  writeText(lab.root, "/b/file", "");
  const { account } = lab.root;
  lab.ownPaths = changedPaths(lab.container.mounts.root.fs, account);
  assertEquals([...lab.ownPaths].sort(), ["/b/file", "/made", "/made/place"]);
  assertEquals(diff(lab), []);
  writeText(lab.root, "/made/new", "new");
  assertEquals(diff(lab), ["+/made/new"]);
});

function remove(lab: FilesLab, path: string): void {
  assertEquals(lab.do("remove", { path, recursive: true }).outcome, {});
}

test("what is read is no change; what is written, made and removed is one", (lab) => {
  assertEquals(readText(lab.root, "/a/f"), "f");
  assertEquals(diff(lab), []);
  writeText(lab.root, "/a/f", "new");
  writeText(lab.root, "/a/sub/new", "new");
  mkdirAt(lab.root, AT_FDCWD, "/dir", 0o755);
  mkdirAt(lab.root, AT_FDCWD, "/dir/in", 0o755);
  symlinkAt(lab.root, "x", AT_FDCWD, "/dir/in/\xff");
  unlinkAt(lab.root, AT_FDCWD, "/a/g");
  chmodAt(lab.root, AT_FDCWD, "/top", 0o600, 0);
  assertEquals(diff(lab), [
    "~/a/f",
    "-/a/g",
    "+/a/sub/new",
    "+/dir",
    "+/dir/in",
    "+/dir/in/\udcff",
    "~/top",
  ]);
});

test("what was made and removed again is no change", (lab) => {
  mkdirAt(lab.root, AT_FDCWD, "/dir", 0o755);
  writeText(lab.root, "/a/x", "x");
  unlinkAt(lab.root, AT_FDCWD, "/a/x");
  rmdirAt(lab.root, AT_FDCWD, "/dir");
  assertEquals(diff(lab), []);
});

test("a removed tree is one change; one that is made anew hides what was in it", (lab) => {
  remove(lab, "/a");
  assertEquals(diff(lab), ["-/a"]);
  mkdirAt(lab.root, AT_FDCWD, "/a", 0o755);
  assertEquals(diff(lab), ["-/a/f", "-/a/g", "-/a/sub"]);
  writeText(lab.root, "/a/f", "again");
  mkdirAt(lab.root, AT_FDCWD, "/a/sub", 0o700);
  writeText(lab.root, "/a/h", "h");
  assertEquals(diff(lab), ["~/a/f", "-/a/g", "+/a/h", "~/a/sub", "-/a/sub/deep"]);
});

test("a file in the place of a directory, and the other way", (lab) => {
  remove(lab, "/a");
  writeText(lab.root, "/a", "file");
  remove(lab, "/top");
  mkdirAt(lab.root, AT_FDCWD, "/top", 0o755);
  writeText(lab.root, "/top/f", "f");
  assertEquals(diff(lab), ["~/a", "~/top", "+/top/f"]);
});

test("a renamed tree is all new at its place and gone at the other", (lab) => {
  renameAt(lab.root, AT_FDCWD, "/a", AT_FDCWD, "/c", 0);
  assertEquals(diff(lab), ["-/a", "+/c", "+/c/f", "+/c/g", "+/c/sub", "+/c/sub/deep"]);
  renameAt(lab.root, AT_FDCWD, "/c", AT_FDCWD, "/a", 0);
  assertEquals(diff(lab), []);
});

test("exchanged trees are compared with what was at their place", (lab) => {
  assertEquals(renameAt(lab.root, AT_FDCWD, "/a", AT_FDCWD, "/b", RENAME_EXCHANGE), 0);
  assertEquals(diff(lab), [
    "~/a/f",
    "-/a/g",
    "+/a/only",
    "-/a/sub",
    "~/b/f",
    "+/b/g",
    "-/b/only",
    "+/b/sub",
    "+/b/sub/deep",
  ]);
});

test("links, and the mode of directories and of the root", (lab) => {
  linkAt(lab.root, AT_FDCWD, "/top", AT_FDCWD, "/hard", 0);
  chmodAt(lab.root, AT_FDCWD, "/b", 0o700, 0);
  chmodAt(lab.root, AT_FDCWD, "/", 0o711, 0);
  assertEquals(diff(lab), ["~/", "~/b", "+/hard", "~/top"]);
});

test("many changes come in events of bounded size, as the client reads", (lab) => {
  mkdirAt(lab.root, AT_FDCWD, "/many", 0o755);
  for (let i = 0; i < 5000; i++) mknodAt(lab.root, AT_FDCWD, `/many/\xff${i}`, 0o644, 0);
  const port = lab.open("diff", {});
  port.eventBytes = 1 << 20;
  lab.settle();
  assertEquals([port.events.length, port.outcome], [0, null]);
  port.eventBytes = 0;
  port.channel?.onEventsSent();
  assertEquals([lab.settle() > 100, port.outcome], [true, {}]);
  const sizes = port.events.map((event) => JSON.stringify(event).length);
  assertEquals([sizes.length > 3, Math.max(...sizes) < 200_000], [true, true]);
});

test("a guest that changes files meanwhile does no harm", (lab) => {
  for (let i = 0; i < 300; i++) {
    mkdirAt(lab.root, AT_FDCWD, `/d${i}`, 0o755);
    writeText(lab.root, `/d${i}/f`, "x");
  }
  const port = lab.open("diff", {});
  for (let i = 0; port.outcome === null; i++) {
    lab.kernel.vfs.deferred.step();
    const path = `/d${(i * 7) % 300}`;
    if (i % 2 === 0) {
      unlinkAt(lab.root, AT_FDCWD, `${path}/f`);
      rmdirAt(lab.root, AT_FDCWD, path);
    } else renameAt(lab.root, AT_FDCWD, path, AT_FDCWD, `/a/sub/r${i}`, 0);
  }
  assertEquals(port.outcome, {});
});

test("a request that is given up leaves nothing open", (lab) => {
  for (let i = 0; i < 300; i++) mkdirAt(lab.root, AT_FDCWD, `/d${i}`, 0o755);
  const files = OPEN_FILES.countOf(lab.kernel.accounts.root), port = lab.open("diff", {});
  for (let i = 0; i < 3; i++) lab.kernel.vfs.deferred.step();
  port.channel?.onGone();
  lab.settle();
  assertEquals(OPEN_FILES.countOf(lab.kernel.accounts.root), files);
});

Deno.test("a root that is no overlay has no changes to show", () => {
  const lab = new FilesLab();
  assertEquals(lab.do("diff", {}).outcome, "Unsupported -");
  lab.close();
});
