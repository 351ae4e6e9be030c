import { assertEquals } from "@std/assert";
import { AT_FDCWD, O_CREAT, O_RDWR } from "../../../ffi/abi/fcntl.ts";
import { NO_CAPS } from "../../cred/credentials.ts";
import { CallLab } from "../../testing/call_lab.ts";
import { sysUserfaultfd } from "../../userfault/calls/userfault.ts";
import { sysOpenat } from "../fs/open.ts";
import { sysDup } from "../io/descriptors.ts";
import { sysPidfdOpen } from "./pidfd.ts";
import { sysKcmp, sysSetns, sysUnshare } from "./unshare.ts";

const BAD = 8, CWD = AT_FDCWD + 2 ** 32;
const NEWUTS = 0x4000000, NEWNS = 0x20000, FILES = 0x400, FS = 0x200, SYSVSEM = 0x40000;

Deno.test("unshare: flags, privilege, what becomes the task's own", () => {
  const lab = new CallLab(),
    { task } = lab,
    unshare = (flags: number) => lab.call(sysUnshare, flags);
  assertEquals([unshare(0x100), unshare(1)], [0, "EINVAL"]);
  assertEquals(unshare(FILES | FS | SYSVSEM), 0);
  const { uts } = task.ns, { namespace } = task.fs;
  assertEquals([unshare(NEWUTS), task.ns.uts === uts], [0, false]);
  assertEquals([unshare(NEWNS), task.fs.namespace === namespace], [0, false]);
  task.cred = { ...task.cred, effective: NO_CAPS };
  assertEquals([unshare(NEWUTS), unshare(NEWNS)], ["EPERM", "EPERM"]);
});

Deno.test("setns: descriptors, kinds of namespaces", () => {
  const lab = new CallLab(), setns = (fd: number, kinds: number) => lab.call(sysSetns, fd, kinds);
  const file = Number(lab.call(sysOpenat, CWD, "/f", O_RDWR | O_CREAT, 0o644));
  const pidfd = Number(lab.call(sysPidfdOpen, 1, 0));
  assertEquals([setns(99, 0), setns(file, NEWUTS)], ["EBADF", "EINVAL"]);
  assertEquals([setns(pidfd, 0), setns(pidfd, 1)], ["EINVAL", "EINVAL"]);
  assertEquals(setns(pidfd, NEWUTS), 0);
});

Deno.test("kcmp: processes, kinds, the order of objects", () => {
  const lab = new CallLab(),
    kcmp = (kind: number, x = 0, y = 0) => lab.call(sysKcmp, 1, 1, kind, x, y);
  const file = Number(lab.call(sysOpenat, CWD, "/f", O_RDWR | O_CREAT, 0o644));
  const same = Number(lab.call(sysDup, file));
  const other = Number(lab.call(sysOpenat, CWD, "/f", O_RDWR, 0));
  assertEquals([lab.call(sysKcmp, 1, 99, 0), lab.call(sysKcmp, 99, 1, 0)], ["ESRCH", "ESRCH"]);
  assertEquals([kcmp(99), kcmp(0, file, 99), kcmp(0, file, same)], ["EINVAL", "EBADF", 0]);
  const orders = [kcmp(0, file, other), kcmp(0, other, file)].map(Number).sort();
  assertEquals(orders, [1, 2]);
  for (let kind = 1; kind <= 6; kind++) assertEquals(kcmp(kind), 0, `${kind}`);
  assertEquals([kcmp(7, file, BAD), kcmp(7, file, lab.words(32, 0, 99, 0, 0))], [
    "EFAULT",
    "EBADF",
  ]);
  assertEquals(kcmp(7, file, lab.words(32, 0, file, 0, 0)), "EINVAL");
});

Deno.test("userfaultfd: flags", () => {
  const lab = new CallLab();
  assertEquals([lab.call(sysUserfaultfd, 2), lab.call(sysUserfaultfd, 0x80000)], ["EINVAL", 0]);
  assertEquals([lab.task.files.isCloexec(0), lab.call(sysUserfaultfd, 1)], [true, 1]);
});
