import { assertEquals } from "@std/assert";
import { CallLab } from "../../testing/call_lab.ts";
import { sysPipe2 } from "../io/pipe.ts";
import * as clone from "./clone.ts";
import * as cred from "./credentials.ts";
import * as ids from "./ids.ts";
import * as pidfd from "./pidfd.ts";
import * as robust from "../../futex/calls/robust_list.ts";
import * as wait from "./wait.ts";

const BAD = 8, IN = 0, OUT = 4096, NONE = 999_999, KEEP = 0xffffffff, MINUS = -1 >>> 0;

function uids(lab: CallLab): number[] {
  const out = lab.memory + OUT;
  assertEquals(lab.call(cred.sysGetresuid, out, out + 4, out + 8), 0);
  return lab.readWords(32, OUT, 3);
}

Deno.test("user ids: a user without capabilities goes between its three", () => {
  const lab = new CallLab(), out = lab.memory + OUT;
  assertEquals(lab.call(cred.sysSetresuid, 1, 2, 3), 0);
  assertEquals(uids(lab), [1, 2, 3]);
  assertEquals(lab.call(cred.sysGetresuid, BAD, out, out), "EFAULT");
  assertEquals(lab.call(cred.sysGetresuid, out, out, BAD), "EFAULT");
  assertEquals(lab.call(cred.sysSetresuid, 4, KEEP, KEEP), "EPERM");
  assertEquals(uids(lab), [1, 2, 3], "none of them");
  assertEquals(lab.call(cred.sysSetresuid, 3, 1, 2), 0);
  assertEquals([lab.call(cred.sysGetuid), lab.call(cred.sysGeteuid)], [3, 1]);
  assertEquals(lab.call(cred.sysSetuid, 7), "EPERM");
  assertEquals(lab.call(cred.sysSetuid, KEEP), "EINVAL");
  assertEquals(lab.call(cred.sysSetreuid, 2, 2), "EPERM", "the real one has no saved one");
  assertEquals([lab.call(cred.sysSetfsuid, 99), lab.call(cred.sysSetfsuid, KEEP)], [1, 1]);
  assertEquals(lab.call(cred.sysSetgroups, 0, 0), "EPERM");
  assertEquals(uids(lab), [3, 1, 2]);
});

Deno.test("group ids and supplementary groups", () => {
  const lab = new CallLab(), out = lab.memory + OUT;
  assertEquals(lab.call(cred.sysSetgroups, 65537, BAD), "EINVAL");
  assertEquals(lab.call(cred.sysSetgroups, 2, BAD), "EFAULT");
  assertEquals(
    lab.call(cred.sysSetgroups, 2, lab.words(32, IN, 9, -1)),
    "EINVAL",
    "-1 is no group",
  );
  assertEquals(lab.call(cred.sysSetgroups, 3, lab.words(32, IN, 9, 3, 5)), 0);
  assertEquals(lab.call(cred.sysGetgroups, MINUS, out), "EINVAL");
  assertEquals(lab.call(cred.sysGetgroups, 0, BAD), 3);
  assertEquals(lab.call(cred.sysGetgroups, 2, out), "EINVAL");
  assertEquals(lab.call(cred.sysGetgroups, 3, BAD), "EFAULT");
  assertEquals([lab.call(cred.sysGetgroups, 9, out), lab.readWords(32, OUT, 3)], [3, [3, 5, 9]]);
  assertEquals(lab.call(cred.sysSetresgid, 1, 2, 3), 0);
  assertEquals(lab.call(cred.sysGetresgid, out, out + 4, out + 8), 0);
  assertEquals(lab.readWords(32, OUT, 3), [1, 2, 3]);
  assertEquals(lab.call(cred.sysGetresgid, out, BAD, out), "EFAULT");
  assertEquals(lab.call(cred.sysSetregid, 7, KEEP), 0, "root may");
  assertEquals([lab.call(cred.sysSetfsgid, 9), lab.call(cred.sysSetfsgid, KEEP)], [2, 9]);
  assertEquals([lab.call(cred.sysGetgid), lab.call(cred.sysGetegid)], [7, 2]);
});

Deno.test("process groups and sessions of processes that are not there", () => {
  const lab = new CallLab();
  assertEquals(lab.call(ids.sysSetpgid, 0, MINUS), "EINVAL");
  assertEquals(lab.call(ids.sysSetpgid, NONE, 0), "ESRCH");
  assertEquals(lab.call(ids.sysSetpgid, 0, NONE), "EPERM");
  assertEquals([lab.call(ids.sysGetpgid, NONE), lab.call(ids.sysGetsid, NONE)], ["ESRCH", "ESRCH"]);
  assertEquals([lab.call(ids.sysGetpgid, 1), lab.call(ids.sysGetsid, 0)], [1, 1]);
  assertEquals(lab.call(ids.sysSetsid), "EPERM", "it leads its group");
});

Deno.test("pidfd_open and pidfd_getfd: flags, ids, descriptors", () => {
  const lab = new CallLab(), { sysPidfdOpen, sysPidfdGetfd } = pidfd;
  for (const pid of [0, MINUS]) assertEquals(lab.call(sysPidfdOpen, pid, 0), "EINVAL");
  assertEquals([lab.call(sysPidfdOpen, NONE, 1), lab.call(sysPidfdOpen, NONE, 0)], [
    "EINVAL",
    "ESRCH",
  ]);
  const fd = Number(lab.call(sysPidfdOpen, 1, 0));
  assertEquals(lab.call(sysPipe2, lab.memory, 0), 0);
  const [r = -1] = lab.readWords(32, 0, 1);
  assertEquals(lab.call(sysPidfdGetfd, 99, 0, 1), "EINVAL");
  assertEquals(lab.call(sysPidfdGetfd, 99, 0, 0), "EBADF");
  assertEquals(lab.call(sysPidfdGetfd, r, 0, 0), "EBADF", "no pidfd");
  assertEquals(lab.call(sysPidfdGetfd, fd, 99, 0), "EBADF");
  const again = Number(lab.call(sysPidfdGetfd, fd, r, 0));
  assertEquals(lab.task.files.get(again), lab.task.files.get(r));
});

Deno.test("wait4 and waitid: options, kinds, no children", () => {
  const lab = new CallLab(), { sysWait4, sysWaitid } = wait, EXITED = 4;
  for (const options of [0x10, EXITED]) {
    assertEquals(lab.call(sysWait4, MINUS, 0, options, 0), "EINVAL");
  }
  assertEquals(lab.call(sysWait4, -0x80000000 >>> 0, 0, 0, 0), "ESRCH");
  assertEquals(lab.call(sysWait4, MINUS, BAD, 0, 0), "ECHILD");
  assertEquals(lab.call(sysWait4, NONE, 0, 1, 0), "ECHILD");
  const wrong = [[0, 0, 0], [0, 0, 1], [0, 0, 0x14], [9, 0, EXITED], [1, 0, EXITED], [
    2,
    MINUS,
    EXITED,
  ], [3, MINUS, EXITED]] as const;
  for (const [kind, id, options] of wrong) {
    assertEquals(lab.call(sysWaitid, kind, id, 0, options, 0), "EINVAL");
  }
  assertEquals(lab.call(sysWaitid, 3, 99, 0, EXITED, 0), "EBADF");
  assertEquals(lab.call(sysWaitid, 0, 0, 0, EXITED, 0), "ECHILD");
});

/** A struct clone_args of its last size. */
function args(
  lab: CallLab,
  fields: Partial<
    Record<"flags" | "signal" | "stack" | "size" | "tids" | "count" | "cgroup", number>
  >,
): number {
  const { flags = 0, signal = 0, stack = 0, size = 0, tids = 0, count = 0, cgroup = 0 } = fields;
  return lab.words(64, IN, flags, 0, 0, 0, signal, stack, size, 0, tids, count, cgroup, 0, 0);
}

Deno.test("clone3: sizes, signals, flags that exclude each other, stacks, ids", () => {
  const lab = new CallLab(), { sysClone3 } = clone, SIZE = 88;
  const SIGHAND = 0x800, VM = 0x100, PARENT = 0x8000, NEWNS = 0x20000, FS = 0x200;
  const CLEAR_SIGHAND = 2 ** 32, INTO_CGROUP = 2 ** 33;
  assertEquals(lab.call(sysClone3, BAD, 4097), "E2BIG");
  assertEquals([lab.call(sysClone3, BAD, 63), lab.call(sysClone3, BAD, 64)], ["EINVAL", "EFAULT"]);
  args(lab, { signal: 17 });
  lab.words(64, IN + 96, 1);
  assertEquals(lab.call(sysClone3, lab.memory + IN, 104), "E2BIG", "not zero behind what is known");
  const wrong = [
    { signal: 65 },
    { flags: 2 ** 34 },
    { flags: 0x400000 },
    { flags: 1 },
    { flags: SIGHAND | 0, signal: 17 },
    { flags: SIGHAND + VM + CLEAR_SIGHAND },
    { flags: PARENT, signal: 17 },
    { flags: 0x10000 },
    { flags: NEWNS | FS },
    { stack: 4096 },
    { size: 4096 },
    { stack: 2 ** 62, size: 4096 },
    { tids: BAD },
    { count: 1 },
    { tids: BAD, count: 33 },
  ];
  for (const one of wrong) {
    assertEquals(lab.call(sysClone3, args(lab, one), SIZE), "EINVAL", JSON.stringify(one));
  }
  assertEquals(lab.call(sysClone3, args(lab, { tids: BAD, count: 1 }), SIZE), "EFAULT");
  const group = args(lab, { flags: INTO_CGROUP, cgroup: 99 });
  assertEquals([lab.call(sysClone3, group, SIZE), lab.call(sysClone3, group, 80)], [
    "EBADF",
    "EINVAL",
  ]);
  assertEquals(lab.kernel.pids.tasks.size, 1, "no child was made");
});

Deno.test("clone: flags that exclude each other", () => {
  const lab = new CallLab(), out = lab.memory + OUT;
  const PIDFD = 0x1000,
    wrong = [PIDFD | 0x100000, PIDFD | 0x400000, 0x800, 0x10000, 0x20000 | 0x200];
  for (const flags of wrong) {
    assertEquals(lab.call(clone.sysClone, flags, 0, out, 0, 0), "EINVAL", flags.toString(16));
  }
  assertEquals(lab.kernel.pids.tasks.size, 1);
});

Deno.test("robust lists: the head's size, the thread, two pointers", () => {
  const lab = new CallLab(), { sysGetRobustList: get, sysSetRobustList: set } = robust;
  const out = lab.memory + OUT;
  assertEquals([lab.call(set, BAD, 23), lab.call(set, 0x1230, 24)], ["EINVAL", 0]);
  assertEquals(lab.call(get, NONE, BAD, BAD), "ESRCH");
  assertEquals([lab.call(get, 0, out, BAD), lab.call(get, 0, BAD, out)], ["EFAULT", "EFAULT"]);
  assertEquals([lab.call(get, 0, out, out + 8), lab.readWords(64, OUT, 2)], [0, [0x1230, 24]]);
});
