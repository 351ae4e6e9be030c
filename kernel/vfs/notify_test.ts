/** Tests of notify.ts: which events operations on files report, and to which inodes. */

import { assertEquals } from "@std/assert";
import { AT_FDCWD, O_RDONLY, O_RDWR } from "../../ffi/abi/fcntl.ts";
import * as IN from "../../ffi/abi/inotify.ts";
import { chmodAt, truncateAt } from "./attributes.ts";
import { linkAt, mkdirAt, symlinkAt } from "./create.ts";
import { InodeWatches } from "./notify.ts";
import { rmdirAt, unlinkAt } from "./remove.ts";
import { renameAt } from "./rename.ts";
import { statAt } from "./status.ts";
import { mustOpen, type TestCaller, TestFiles, writeText } from "./vfs_testing.ts";

const NAMES: Record<number, string> = {
  [IN.IN_MODIFY]: "modify",
  [IN.IN_ATTRIB]: "attrib",
  [IN.IN_CLOSE_WRITE]: "close_write",
  [IN.IN_CLOSE_NOWRITE]: "close_nowrite",
  [IN.IN_OPEN]: "open",
  [IN.IN_MOVED_FROM]: "moved_from",
  [IN.IN_MOVED_TO]: "moved_to",
  [IN.IN_CREATE]: "create",
  [IN.IN_DELETE]: "delete",
  [IN.IN_DELETE_SELF]: "delete_self",
  [IN.IN_MOVE_SELF]: "move_self",
};

class Recorder extends InodeWatches {
  readonly label: string;
  readonly log: string[];
  lastCookie: number = 0;

  constructor(label: string, log: string[]) {
    super();
    this.label = label;
    this.log = log;
  }
  override notify(mask: number, cookie: number, name: string | null, isUnlinked: boolean): void {
    const dir = (mask & IN.IN_ISDIR) !== 0 ? " dir" : "";
    const what = NAMES[(mask & ~IN.IN_ISDIR) >>> 0] ?? `${mask}`;
    this.log.push(
      `${this.label}: ${what}${name === null ? "" : " " + name}${dir}${
        isUnlinked ? " unlinked" : ""
      }`,
    );
    if (cookie !== 0) this.lastCookie = cookie;
  }
}

function watch(c: TestCaller, path: string, log: string[]): Recorder {
  const inode = statAt(c, AT_FDCWD, path, 0x100);
  if (typeof inode === "number") throw new Error(`no ${path}`);
  const r = new Recorder(path, log);
  inode.watches = r;
  return r;
}

Deno.test("a directory gets the events of its entries, a file its own, as in inotify(7)", () => {
  const c = new TestFiles().root, log: string[] = [];
  mkdirAt(c, AT_FDCWD, "/d", 0o755);
  watch(c, "/d", log);
  writeText(c, "/d/f", "x");
  assertEquals(log.splice(0), ["/d: create f", "/d: open f", "/d: close_write f"]);
  watch(c, "/d/f", log);
  chmodAt(c, AT_FDCWD, "/d/f", 0o600, 0);
  truncateAt(c, AT_FDCWD, "/d/f", 0);
  assertEquals(log.splice(0), [
    "/d: attrib f",
    "/d/f: attrib",
    "/d: modify f",
    "/d/f: modify",
  ]);
  linkAt(c, AT_FDCWD, "/d/f", AT_FDCWD, "/d/g", 0);
  symlinkAt(c, "x", AT_FDCWD, "/d/s");
  mkdirAt(c, AT_FDCWD, "/d/sub", 0o755);
  assertEquals(log.splice(0), [
    "/d/f: attrib",
    "/d: create g",
    "/d: create s",
    "/d: create sub dir",
  ]);
  unlinkAt(c, AT_FDCWD, "/d/g");
  const file = mustOpen(c, "/d/f", O_RDONLY);
  log.length = 0;
  unlinkAt(c, AT_FDCWD, "/d/f");
  assertEquals(log.splice(0), ["/d/f: attrib", "/d: delete f"]);
  file.drop();
  assertEquals(log.splice(0), [
    "/d: close_nowrite f unlinked",
    "/d/f: close_nowrite unlinked",
    "/d/f: delete_self",
  ]);
  rmdirAt(c, AT_FDCWD, "/d/sub");
  assertEquals(log.splice(0), ["/d: delete sub dir"]);
});

Deno.test("a rename pairs its two events, and the replaced file has its own", () => {
  const c = new TestFiles().root, log: string[] = [];
  for (const d of ["/a", "/b"]) mkdirAt(c, AT_FDCWD, d, 0o755);
  writeText(c, "/a/f", "x");
  writeText(c, "/b/g", "y");
  const a = watch(c, "/a", log), b = watch(c, "/b", log);
  watch(c, "/a/f", log);
  watch(c, "/b/g", log);
  renameAt(c, AT_FDCWD, "/a/f", AT_FDCWD, "/b/g", 0);
  assertEquals(log.splice(0), [
    "/a: moved_from f",
    "/b: moved_to g",
    "/a/f: move_self",
    "/b/g: attrib",
    "/b/g: delete_self",
  ]);
  assertEquals([a.lastCookie > 0, a.lastCookie], [true, b.lastCookie]);
  const before = a.lastCookie;
  mkdirAt(c, AT_FDCWD, "/b/d", 0o755);
  log.length = 0;
  renameAt(c, AT_FDCWD, "/b/d", AT_FDCWD, "/a/d", 0);
  assertEquals(log.splice(0), ["/b: moved_from d dir", "/a: moved_to d dir"]);
  assertEquals(a.lastCookie !== before, true);
  mustOpen(c, "/b/g", O_RDWR).drop();
});
