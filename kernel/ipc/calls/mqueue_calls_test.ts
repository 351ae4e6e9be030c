import { assertEquals } from "@std/assert";
import { O_CREAT, O_EXCL, O_NONBLOCK, O_RDWR } from "../../../ffi/abi/fcntl.ts";
import { SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD } from "../../../ffi/abi/siginfo.ts";
import { sysDup2 } from "../../syscalls/io/descriptors.ts";
import { BlockingLab } from "../../testing/blocking_lab.ts";
import { CallLab } from "../../testing/call_lab.ts";
import { sysMqNotify } from "./mq_notify.ts";
import * as mq from "./mqueue.ts";

const BAD = 8, IN = 0, OUT = 4096, NONE = 99, BLOCK = "-4096";
const NEW = O_RDWR | O_CREAT;

/** A struct mq_attr. */
function attributes(lab: CallLab, flags: number, messages: number, bytes: number): number {
  return lab.words(64, IN, flags, messages, bytes, 0, 0, 0, 0, 0);
}

/** A queue of two messages of 16 bytes. */
function queue(lab: CallLab, flags = O_NONBLOCK, name = "q"): number {
  return Number(lab.call(mq.sysMqOpen, name, NEW | flags, 0o600, attributes(lab, 0, 2, 16)));
}

Deno.test("mq_open: attributes, the name, existing queues", () => {
  const lab = new CallLab(), { sysMqOpen } = mq;
  assertEquals(lab.call(sysMqOpen, BAD, NEW, 0o600, BAD), "EFAULT");
  assertEquals(lab.call(sysMqOpen, "x", NEW, 0o600, BAD), "EFAULT");
  for (const [name, error] of [["", "ENOENT"], [".", "EACCES"], ["a/b", "EACCES"]] as const) {
    assertEquals(lab.call(sysMqOpen, name, NEW, 0o600, 0), error);
  }
  assertEquals(lab.call(sysMqOpen, "x".repeat(256), NEW, 0o600, 0), "ENAMETOOLONG");
  assertEquals(lab.call(sysMqOpen, "none", 0, 0, 0), "ENOENT");
  for (const [messages, bytes] of [[0, 1], [1, 0], [-1, 1]] as const) {
    const at = attributes(lab, 0, messages, bytes);
    assertEquals(lab.call(sysMqOpen, "x", NEW, 0o600, at), "EINVAL");
  }
  assertEquals(lab.call(sysMqOpen, "x", 0, 0, 0), "ENOENT", "none was made");
  queue(lab);
  assertEquals(lab.call(sysMqOpen, "q", NEW | O_EXCL, 0o600, 0), "EEXIST");
  assertEquals(lab.call(sysMqOpen, "q", 3, 0, 0), "EINVAL");
  for (const [name, error] of [["", "ENOENT"], ["a/b", "EACCES"], ["none", "ENOENT"]] as const) {
    assertEquals(lab.call(mq.sysMqUnlink, name), error);
  }
  assertEquals(lab.call(mq.sysMqUnlink, BAD), "EFAULT");
  assertEquals([lab.call(mq.sysMqUnlink, "q"), lab.call(mq.sysMqUnlink, "q")], [0, "ENOENT"]);
});

Deno.test("mq_timedsend: time, priority, descriptor, size, text, room", () => {
  const lab = new CallLab(), { sysMqTimedsend: send } = mq, fd = queue(lab);
  assertEquals(lab.call(send, NONE, BAD, 1, 32768, BAD), "EFAULT");
  assertEquals(lab.call(send, NONE, BAD, 1, 32768, 0), "EINVAL");
  assertEquals(lab.call(send, NONE, BAD, 1, 0, 0), "EBADF");
  assertEquals(lab.call(send, fd, BAD, 17, 0, 0), "EMSGSIZE");
  assertEquals(lab.call(send, fd, BAD, 1, 0, 0), "EFAULT");
  assertEquals(lab.call(send, fd, "x", 1, 0, lab.words(64, IN, 0, 1e9)), "EINVAL");
  for (const text of ["one", "two"]) assertEquals(lab.call(send, fd, text, 3, 1, 0), 0);
  assertEquals(lab.call(send, fd, "3", 1, 0, 0), "EAGAIN");
  assertEquals(lab.call(send, fd, BAD, 1, 0, 0), "EFAULT", "also when there is no room");
  const waiting = Number(lab.call(mq.sysMqOpen, "q", O_RDWR, 0, 0));
  assertEquals(lab.call(send, waiting, "3", 1, 0, lab.words(64, IN, 0, 5)), "ETIMEDOUT");
  assertEquals(lab.call(send, waiting, "3", 1, 0, 0), BLOCK);
});

Deno.test("mq_timedreceive: the highest priority first, in order of arrival", () => {
  const lab = new CallLab(), { sysMqTimedreceive: take, sysMqTimedsend: send } = mq;
  const fd = queue(lab), out = lab.memory + OUT;
  lab.call(send, fd, "one", 3, 1, 0);
  lab.call(send, fd, "two", 3, 5, 0);
  assertEquals(lab.call(take, NONE, BAD, 1, 0, BAD), "EFAULT");
  assertEquals(lab.call(take, NONE, BAD, 1, 0, 0), "EBADF");
  assertEquals(lab.call(take, fd, BAD, 15, 0, 0), "EMSGSIZE");
  assertEquals(lab.call(take, fd, out, 16, out + 64, 0), 3);
  assertEquals([lab.textAt(OUT, 3), lab.readWords(32, OUT + 64, 1)], ["two", [5]]);
  assertEquals([lab.call(take, fd, out, 99, 0, 0), lab.textAt(OUT, 3)], [3, "one"]);
  assertEquals(lab.call(take, fd, out, 16, 0, 0), "EAGAIN");
  const reader = Number(lab.call(mq.sysMqOpen, "q", 0, 0, 0));
  assertEquals(lab.call(send, reader, "x", 1, 0, 0), "EBADF", "only to be read");
  assertEquals(lab.call(take, reader, out, 16, 0, 0), BLOCK);
});

Deno.test("mq_timedreceive: a receiver is counted by the queue that it waits for", () => {
  const lab = new BlockingLab(), { task } = lab, out = lab.memory + OUT;
  const fd = queue(lab, 0), other = queue(lab, 0, "other");
  const queues = [fd, other].map((n) => mq.queueFile(task, n)!.inode);
  const counts = () => queues.map(({ receivers }) => receivers);
  assertEquals([lab.start(mq.sysMqTimedreceive, fd, out, 16, 0, 0), counts()], [BLOCK, [1, 0]]);
  const { object } = task.progress;
  assertEquals(lab.call(sysDup2, other, fd), fd);
  task.progress.object = object;
  assertEquals([`${lab.again()}`, counts()], [BLOCK, [0, 1]]);
});

Deno.test("mq_getsetattr: O_NONBLOCK alone changes", () => {
  const lab = new CallLab(), { sysMqGetsetattr } = mq, fd = queue(lab), out = lab.memory + OUT;
  assertEquals(lab.call(sysMqGetsetattr, NONE, BAD, 0), "EFAULT");
  assertEquals(lab.call(sysMqGetsetattr, NONE, attributes(lab, 1, 0, 0), 0), "EINVAL");
  assertEquals(lab.call(sysMqGetsetattr, NONE, attributes(lab, O_NONBLOCK, 0, 0), 0), "EBADF");
  assertEquals(lab.call(sysMqGetsetattr, fd, attributes(lab, 0, 9, 9), out), 0);
  assertEquals(lab.readWords(64, OUT, 4), [O_NONBLOCK, 2, 16, 0], "as it was");
  lab.call(mq.sysMqTimedsend, fd, "x", 1, 0, 0);
  assertEquals(lab.call(sysMqGetsetattr, fd, 0, out), 0);
  assertEquals(lab.readWords(64, OUT, 4), [0, 2, 16, 1]);
  assertEquals(lab.call(sysMqGetsetattr, fd, 0, BAD), "EFAULT");
});

Deno.test("mq_notify: the event, the descriptor; one process at a time", () => {
  const lab = new CallLab(), fd = queue(lab);
  const notify = (to: number, how: number, signo: number) =>
    lab.call(sysMqNotify, to, lab.words(32, IN, 0, 0, signo, how, ...Array(12).fill(0)));
  assertEquals(lab.call(sysMqNotify, NONE, BAD), "EFAULT");
  assertEquals([notify(NONE, 3, 0), notify(NONE, SIGEV_SIGNAL, 65)], ["EINVAL", "EINVAL"]);
  assertEquals([notify(NONE, SIGEV_NONE, 0), lab.call(sysMqNotify, NONE, 0)], ["EBADF", "EBADF"]);
  assertEquals(notify(fd, SIGEV_THREAD, NONE), "EFAULT", "the cookie comes first");
  assertEquals(lab.call(sysMqNotify, fd, 0), 0, "nothing to take back");
  assertEquals([notify(fd, SIGEV_NONE, 0), notify(fd, SIGEV_SIGNAL, 10)], [0, "EBUSY"]);
  assertEquals([lab.call(sysMqNotify, fd, 0), notify(fd, SIGEV_SIGNAL, 10)], [0, 0]);
  lab.task.sighand.of(10).handler = 0x5000;
  lab.call(mq.sysMqTimedsend, fd, "x", 1, 0, 0);
  assertEquals(lab.task.group.pending.set.has(10), true);
  assertEquals(notify(fd, SIGEV_NONE, 0), 0, "a message ends the registration");
});
