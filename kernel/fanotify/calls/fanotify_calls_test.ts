import { assertEquals } from "@std/assert";
import * as N from "../../../ffi/abi/fanotify.ts";
import { AT_FDCWD, O_CREAT, O_RDWR } from "../../../ffi/abi/fcntl.ts";
import { NO_CAPS } from "../../cred/credentials.ts";
import { sysMkdir } from "../../syscalls/fs/names.ts";
import { sysOpenat } from "../../syscalls/fs/open.ts";
import { sysPipe2 } from "../../syscalls/io/pipe.ts";
import { sysRead } from "../../syscalls/io/read_write.ts";
import { CallLab } from "../../testing/call_lab.ts";
import { sysFanotifyInit, sysFanotifyMark } from "./fanotify.ts";

const BAD = 8, OUT = 4096, CWD = AT_FDCWD + 2 ** 32;
const ADD = N.FAN_MARK_ADD, REMOVE = N.FAN_MARK_REMOVE, FLUSH = N.FAN_MARK_FLUSH;
const FID = N.FAN_REPORT_FID, NAMES = FID | N.FAN_REPORT_DIR_FID | N.FAN_REPORT_NAME;

class FanLab extends CallLab {
  readonly file: number = Number(this.call(sysOpenat, CWD, "/f", O_RDWR | O_CREAT, 0o644));

  constructor() {
    super();
    // The reader of events.
    this.kernel.current = this.task;
  }
  init(flags: number, eventFlags = 0): number | string {
    return this.call(sysFanotifyInit, flags, eventFlags);
  }
  group(flags: number): number {
    return Number(this.init(flags | N.FAN_NONBLOCK));
  }
  mark(group: number, flags: number, mask: number, path: number | string = "/f") {
    return this.call(sysFanotifyMark, group, flags, mask, CWD, path);
  }
  weaken(): void {
    this.task.cred = { ...this.task.cred, effective: NO_CAPS };
  }
}

Deno.test("fanotify_init: flags that go together, flags of events, privilege", () => {
  const lab = new FanLab(), both = N.FAN_CLASS_CONTENT | N.FAN_CLASS_PRE_CONTENT;
  for (
    const flags of [
      1 << 20,
      N.FAN_REPORT_PIDFD | N.FAN_REPORT_TID,
      FID | N.FAN_CLASS_CONTENT,
      N.FAN_REPORT_NAME,
      N.FAN_REPORT_TARGET_FID | FID,
      both,
    ]
  ) assertEquals(lab.init(flags), "EINVAL", flags.toString(16));
  assertEquals([lab.init(0, O_CREAT), lab.init(0, 3)], ["EINVAL", "EINVAL"]);
  assertEquals([lab.init(N.FAN_CLOEXEC), lab.task.files.isCloexec(1)], [1, true]);
  lab.weaken();
  assertEquals([lab.init(0), lab.init(FID | N.FAN_UNLIMITED_QUEUE), lab.init(FID)], [
    "EPERM",
    "EPERM",
    2,
  ]);
});

Deno.test("fanotify_mark: commands, masks, kinds, places", () => {
  const lab = new FanLab(), group = lab.group(0), fids = lab.group(NAMES);
  const wrong: readonly [number, number, number][] = [
    [group, ADD, 2 ** 40],
    [group, ADD | 1 << 20, N.FAN_OPEN],
    [group, ADD | N.FAN_MARK_MOUNT | N.FAN_MARK_FILESYSTEM, N.FAN_OPEN],
    [group, FLUSH | N.FAN_MARK_ONLYDIR, 0],
    [group, ADD | REMOVE, N.FAN_OPEN],
    [group, ADD, 0],
    [group, ADD, 1 << 26],
    [group, ADD | N.FAN_MARK_IGNORE | N.FAN_MARK_IGNORED_MASK, N.FAN_OPEN],
    [lab.file, ADD, N.FAN_OPEN],
    [group, ADD, N.FAN_OPEN_PERM],
    [group, ADD, N.FAN_FS_ERROR],
    [group, ADD, N.FAN_CREATE],
    [group, ADD | N.FAN_MARK_EVICTABLE | N.FAN_MARK_MOUNT, N.FAN_OPEN],
    [lab.group(FID), ADD, N.FAN_RENAME],
  ];
  for (const [fd, flags, mask] of wrong) {
    assertEquals(lab.mark(fd, flags, mask), "EINVAL", `${flags.toString(16)} ${mask}`);
  }
  assertEquals([lab.mark(99, ADD, N.FAN_OPEN), lab.mark(group, ADD, N.FAN_OPEN, BAD)], [
    "EBADF",
    "EFAULT",
  ]);
  assertEquals(lab.mark(group, ADD, N.FAN_OPEN, "/none"), "ENOENT");
  assertEquals(lab.mark(group, ADD | N.FAN_MARK_ONLYDIR, N.FAN_OPEN), "ENOTDIR");
  assertEquals(lab.mark(fids, ADD, N.FAN_RENAME), "ENOTDIR");
  const ignore = ADD | N.FAN_MARK_IGNORE;
  assertEquals(lab.mark(group, ignore, N.FAN_OPEN, "/"), "EISDIR");
  assertEquals(lab.mark(group, ignore | N.FAN_MARK_MOUNT, N.FAN_OPEN), "EINVAL");
  assertEquals(lab.mark(group, REMOVE, N.FAN_OPEN), "ENOENT");
  lab.call(sysPipe2, lab.memory + OUT, 0);
  const [pipe = -1] = lab.readWords(32, OUT, 1);
  const own = (fd: number) => lab.call(sysFanotifyMark, group, ADD, N.FAN_OPEN, fd, 0);
  assertEquals([own(99), own(pipe), own(lab.file)], ["EBADF", "EINVAL", 0]);
  lab.weaken();
  assertEquals(lab.mark(group, ADD | N.FAN_MARK_MOUNT, N.FAN_OPEN), "EPERM");
});

Deno.test("events come for marks of files, directories and mounts until those are flushed", () => {
  const lab = new FanLab(), group = lab.group(NAMES);
  const read = () => lab.call(sysRead, group, lab.memory + OUT, 4096);
  assertEquals(lab.mark(group, ADD, N.FAN_CREATE | N.FAN_ONDIR, "/"), 0);
  assertEquals([read(), lab.call(sysMkdir, "/d", 0o755)], ["EAGAIN", 0]);
  assertEquals([typeof read(), read()], ["number", "EAGAIN"]);
  assertEquals(lab.mark(group, REMOVE, N.FAN_CREATE | N.FAN_ONDIR, "/"), 0);
  assertEquals([lab.call(sysMkdir, "/e", 0o755), read()], [0, "EAGAIN"]);
  assertEquals(lab.mark(group, ADD | N.FAN_MARK_FILESYSTEM, N.FAN_OPEN, "/"), 0);
  lab.call(sysOpenat, CWD, "/f", O_RDWR, 0);
  assertEquals(typeof read(), "number");
  assertEquals(lab.mark(group, FLUSH | N.FAN_MARK_FILESYSTEM, 0, "/"), 0);
  assertEquals(lab.mark(group, FLUSH | N.FAN_MARK_MOUNT, 0, "/"), 0);
  lab.call(sysOpenat, CWD, "/f", O_RDWR, 0);
  assertEquals(read(), "EAGAIN");
});
