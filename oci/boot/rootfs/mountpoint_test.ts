import { assertEquals } from "@std/assert";
import { AT_FDCWD } from "../../../ffi/abi/fcntl.ts";
import { isDirectory } from "../../../kernel/vfs/access.ts";
import { mkdirAt, symlinkAt } from "../../../kernel/vfs/create.ts";
import { mountedText } from "../../../kernel/vfs/pathname.ts";
import { errno, listDir, TestFiles, writeText } from "../../../kernel/vfs/vfs_testing.ts";
import { makeParents, makePlace } from "./mountpoint.ts";

/** Where the place is, or the error. */
function place(files: TestFiles, path: string, directory = true): string | number {
  const made = makePlace(files.root, path, directory);
  if (typeof made === "number") return errno(made);
  const { inode } = made.dentry;
  return mountedText(made) + (inode !== null && isDirectory(inode) ? "/" : "");
}

function link(files: TestFiles, path: string, target: string): void {
  assertEquals(symlinkAt(files.root, target, AT_FDCWD, path), 0);
}

Deno.test("a mount point is made with its parents, and an existing one stays", () => {
  const files = new TestFiles();
  assertEquals(place(files, "/a/b/c"), "/a/b/c/");
  assertEquals(place(files, "/a/b/f", false), "/a/b/f");
  assertEquals(place(files, "/a/b/f", true), "/a/b/f");
  assertEquals(place(files, "/a/b/c", false), "/a/b/c/");
  assertEquals(listDir(files.root, "/a/b"), ["c", "f"]);
});

Deno.test("links are followed inside, also those that lead nowhere", () => {
  const files = new TestFiles();
  link(files, "/out", "/../../etc/x");
  link(files, "/up", "../../../../y/../z");
  link(files, "/chain", "out/more");
  mkdirAt(files.root, AT_FDCWD, "/d", 0o755);
  link(files, "/d/here", "there");
  assertEquals(place(files, "/out/a"), "/etc/x/a/");
  assertEquals(place(files, "/up", false), "/z");
  assertEquals(place(files, "/chain"), "/etc/x/more/");
  assertEquals(place(files, "/d/here/f", false), "/d/there/f");
  assertEquals(listDir(files.root, "/"), ["out", "up", "chain", "d", "etc", "y", "z"]);
});

Deno.test("circles of links and files in the way are errors", () => {
  const files = new TestFiles();
  link(files, "/round", "round");
  link(files, "/a", "b");
  link(files, "/b", "a/x");
  writeText(files.root, "/file", "");
  assertEquals([place(files, "/round"), place(files, "/a/c")], ["ELOOP", "ELOOP"]);
  assertEquals(place(files, "/file/x"), "ENOTDIR");
  assertEquals(place(files, `/${"n".repeat(256)}`), "ENAMETOOLONG");
});

Deno.test("the last name of a node's path is not followed", () => {
  const files = new TestFiles();
  link(files, "/dev", "/real");
  assertEquals(makeParents(files.root, "/dev/null"), "/real/null");
  assertEquals(makeParents(files.root, "/null"), "/null");
  assertEquals(listDir(files.root, "/"), ["dev", "real"]);
});
