/** Tests of inotify.ts: events, watches, overflow and the end of many watches. */
import { TEST_ACCOUNT } from "../../core/account_testing.ts";
import { assertEquals } from "@std/assert";
import { EAGAIN, EEXIST, EINVAL } from "../../../ffi/abi/errno.ts";
import { AT_FDCWD, O_CREAT, O_RDONLY, O_WRONLY } from "../../../ffi/abi/fcntl.ts";
import * as N from "../../../ffi/abi/inotify.ts";
import { SLICE_UNITS } from "../../core/deferred_work.ts";
import { INODE_WATCHES, INOTIFY_EVENTS } from "../../core/quota.ts";
import { mkdirAt } from "../../vfs/create.ts";
import { DeviceNumbers } from "../../vfs/device_numbers.ts";
import { unlinkAt } from "../../vfs/remove.ts";
import { renameAt } from "../../vfs/rename.ts";
import { BufferCursor, errno, mustOpen, TestFiles, writeText } from "../../vfs/vfs_testing.ts";
import { AnonFiles } from "./anon_inode.ts";
import { InotifyFile } from "./inotify.ts";

const anon = new AnonFiles(new DeviceNumbers());

type Found = readonly [wd: number, mask: number, name: string];

/** Reads all waiting events, without their cookies. */
function drain(file: InotifyFile): Found[] {
  const found: Found[] = [];
  for (;;) {
    const io = new BufferCursor(new Uint8Array(4096));
    const n = file.read(io, -1);
    if (n < 0) return found;
    const dv = new DataView(io.buffer.buffer);
    for (let at = 0; at < n;) {
      const len = dv.getUint32(at + 12, true);
      const name = new TextDecoder().decode(io.buffer.subarray(at + 16, at + 16 + len));
      found.push([dv.getInt32(at, true), dv.getUint32(at + 4, true), name.replace(/\0+$/, "")]);
      at += 16 + len;
    }
  }
}

function lab(): {
  files: TestFiles;
  file: InotifyFile;
  watch: (path: string, mask?: number) => number;
} {
  const files = new TestFiles(), file = new InotifyFile(TEST_ACCOUNT, anon, 0, files.vfs.deferred);
  const watch = (path: string, mask: number = N.IN_ALL_EVENTS) => {
    const opened = mustOpen(files.root, path, O_RDONLY);
    const wd = file.watch(opened.inode, mask);
    opened.drop();
    return wd;
  };
  return { files, file, watch };
}

Deno.test("a watched directory reports events of its entries", () => {
  const { files, file, watch } = lab();
  mkdirAt(files.root, AT_FDCWD, "/d", 0o755);
  const wd = watch("/d");
  drain(file);
  writeText(files.root, "/d/a", "x");
  assertEquals(drain(file), [
    [wd, N.IN_CREATE, "a"],
    [wd, N.IN_OPEN, "a"],
    [wd, N.IN_CLOSE_WRITE, "a"],
  ]);
  renameAt(files.root, AT_FDCWD, "/d/a", AT_FDCWD, "/d/b", 0);
  assertEquals(drain(file), [[wd, N.IN_MOVED_FROM, "a"], [wd, N.IN_MOVED_TO, "b"]]);
  unlinkAt(files.root, AT_FDCWD, "/d/b");
  assertEquals(drain(file), [[wd, N.IN_DELETE, "b"]]);
});

Deno.test("a watch ends with its file: after the last name and the last descriptor", () => {
  const { files, file, watch } = lab();
  writeText(files.root, "/f", "x");
  const wd = watch("/f", N.IN_DELETE_SELF | N.IN_ATTRIB);
  const open = mustOpen(files.root, "/f", O_RDONLY);
  unlinkAt(files.root, AT_FDCWD, "/f");
  assertEquals(drain(file), [[wd, N.IN_ATTRIB, ""]]);
  open.drop();
  assertEquals(drain(file), [[wd, N.IN_DELETE_SELF, ""], [wd, N.IN_IGNORED, ""]]);
  assertEquals(file.unwatch(wd), -EINVAL);
});

Deno.test("equal events in a row are one; an event needs room for itself", () => {
  const { files, file, watch } = lab();
  writeText(files.root, "/f", "x");
  const wd = watch("/f", N.IN_OPEN);
  for (let i = 0; i < 3; i++) mustOpen(files.root, "/f", O_RDONLY).drop();
  assertEquals(file.read(new BufferCursor(new Uint8Array(15)), -1), -EINVAL);
  assertEquals(drain(file), [[wd, N.IN_OPEN, ""]]);
  assertEquals(file.read(new BufferCursor(new Uint8Array(15)), -1), -EAGAIN);
});

Deno.test("a second watch on a file is the same one, with another or a larger mask", () => {
  const { files, file, watch } = lab();
  writeText(files.root, "/f", "x");
  const wd = watch("/f", N.IN_MODIFY);
  assertEquals(watch("/f", N.IN_OPEN), wd);
  assertEquals(watch("/f", N.IN_CLOSE_NOWRITE | N.IN_MASK_ADD), wd);
  drain(file);
  assertEquals(watch("/f", N.IN_OPEN | N.IN_MASK_CREATE), -EEXIST);
  mustOpen(files.root, "/f", O_RDONLY).drop();
  const masks = drain(file).map(([, mask]) => mask);
  assertEquals(masks.includes(N.IN_OPEN) && masks.includes(N.IN_CLOSE_NOWRITE), true);
});

Deno.test("IN_ONESHOT ends after one event, IN_EXCL_UNLINK leaves out unlinked names", () => {
  const { files, file, watch } = lab();
  mkdirAt(files.root, AT_FDCWD, "/d", 0o755);
  writeText(files.root, "/d/a", "x");
  const wd = watch("/d", N.IN_CLOSE_WRITE | N.IN_EXCL_UNLINK);
  const open = mustOpen(files.root, "/d/a", O_WRONLY | O_CREAT);
  unlinkAt(files.root, AT_FDCWD, "/d/a");
  open.drop();
  assertEquals(drain(file), []);
  const once = watch("/d", N.IN_CREATE | N.IN_ONESHOT);
  writeText(files.root, "/d/b", "x");
  writeText(files.root, "/d/c", "x");
  assertEquals([once, drain(file)], [wd, [[wd, N.IN_CREATE, "b"], [wd, N.IN_IGNORED, ""]]]);
});

Deno.test("a queue that is not read overflows once", () => {
  const { files, file, watch } = lab();
  mkdirAt(files.root, AT_FDCWD, "/d", 0o755);
  watch("/d", N.IN_CREATE | N.IN_DELETE);
  for (let i = 0; i < 9000; i++) {
    writeText(files.root, "/d/a", "");
    unlinkAt(files.root, AT_FDCWD, "/d/a");
  }
  const events = drain(file);
  assertEquals(events.length, 16385);
  assertEquals(events.at(-1), [-1, N.IN_Q_OVERFLOW, ""]);
});

Deno.test("a closed descriptor leaves no watches", () => {
  const { files, file, watch } = lab();
  writeText(files.root, "/f", "x");
  watch("/f");
  const open = mustOpen(files.root, "/f", O_RDONLY);
  file.drop();
  assertEquals(open.inode.watches, null);
  open.drop();
});

Deno.test("many watches end in slices, and report no more events", () => {
  const { files, file, watch } = lab(),
    before = INODE_WATCHES.countOf(TEST_ACCOUNT),
    count = SLICE_UNITS + 100;
  const events = INOTIFY_EVENTS.countOf(TEST_ACCOUNT);
  for (let i = 0; i < count; i++) {
    writeText(files.root, `/f${i}`, "x");
    watch(`/f${i}`);
  }
  file.drop();
  assertEquals(INODE_WATCHES.countOf(TEST_ACCOUNT) - before, 100);
  writeText(files.root, `/f${count - 1}`, "y");
  assertEquals(errno(unlinkAt(files.root, AT_FDCWD, `/f${count - 2}`)), 0);
  assertEquals(INODE_WATCHES.countOf(TEST_ACCOUNT) - before, 99);
  const { deferred } = files.vfs;
  deferred.step();
  assertEquals([INODE_WATCHES.countOf(TEST_ACCOUNT) - before, deferred.isEmpty], [0, true]);
  assertEquals(INOTIFY_EVENTS.countOf(TEST_ACCOUNT), events);
});
