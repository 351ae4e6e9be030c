import { assertEquals } from "@std/assert";
import { EPERM, ERRNO_NAMES } from "../../../ffi/abi/errno.ts";
import { O_CLOEXEC } from "../../../ffi/abi/fcntl.ts";
import { RLIMIT_NOFILE } from "../../../ffi/abi/resource.ts";
import { CLONE_FILES } from "../../../ffi/abi/sched.ts";
import * as S from "../../../ffi/abi/seccomp.ts";
import { SIGCHLD } from "../../../ffi/abi/signal.ts";
import { SYS_getppid } from "../../../ffi/abi/syscall_numbers.ts";
import type { Task } from "../../task/task.ts";
import { DATA, GONE, LabKernel, WAITS } from "../../testing/task_lab.ts";

const BAD = 8, PROGRAM = DATA, CODE = DATA + 64, AT = DATA + 1024, EDGE = 0x40000;
/** The listener is the first descriptor. */
const LISTENER = 0;
const { SECCOMP_IOCTL_NOTIF_RECV: RECV, SECCOMP_IOCTL_NOTIF_SEND: SEND } = S;
const { SECCOMP_IOCTL_NOTIF_ID_VALID: ID_VALID, SECCOMP_IOCTL_NOTIF_ADDFD: ADDFD } = S;
const { SECCOMP_ADDFD_FLAG_SETFD: SETFD, SECCOMP_ADDFD_FLAG_SEND: AND_SEND } = S;
/** getppid() is for the supervisor; all other calls are allowed. */
const FILTER: readonly number[] = [
  ...[0x20, 0],
  ...[0x15 | 1 << 24, SYS_getppid],
  ...[6, S.SECCOMP_RET_USER_NOTIF],
  ...[6, S.SECCOMP_RET_ALLOW],
];

function put(task: Task, addr: number, bits: 32 | 64, ...words: readonly number[]): void {
  words.forEach((word, i) =>
    bits === 32 ? task.mm.store32(addr + 4 * i, word | 0) : task.mm.store64(addr + 8 * i, word)
  );
}

function named(result: number | string): number | string {
  return typeof result === "number" && result < 0 ? ERRNO_NAMES[-result]! : result;
}

/** A supervisor and a process whose calls of getppid(2) wait for it. */
class Pair {
  readonly kernel: LabKernel = new LabKernel();
  readonly supervisor: Task = this.kernel.start();
  readonly target: Task;

  /** @param isShared the target alone has the filter, and shares its descriptors */
  constructor(isShared: boolean = false) {
    const { kernel, supervisor } = this;
    put(supervisor, CODE, 32, ...FILTER);
    put(supervisor, PROGRAM, 64, FILTER.length / 2, CODE);
    if (!isShared) this.filter(supervisor);
    const flags = isShared ? CLONE_FILES | SIGCHLD : SIGCHLD;
    this.target = kernel.pids.tasks.get(Number(kernel.call(supervisor, "clone", flags)))!;
    if (isShared) this.filter(this.target);
  }
  private filter(task: Task): void {
    const flags = S.SECCOMP_FILTER_FLAG_NEW_LISTENER, mode = S.SECCOMP_SET_MODE_FILTER;
    assertEquals(this.kernel.call(task, "seccomp", mode, flags, PROGRAM), LISTENER);
  }
  ask(request: number, addr: number): number | string {
    return named(this.kernel.call(this.supervisor, "ioctl", LISTENER, request, addr));
  }
  /** Reads a notification to AT; its struct is zero before. */
  receive(): number | string {
    put(this.supervisor, AT, 64, ...new Array(S.SeccompNotif.size / 8).fill(0));
    return this.ask(RECV, AT);
  }
  get id(): number {
    return this.supervisor.mm.load64(AT);
  }
  /** The target makes a call, and the supervisor has read about it: its id. */
  begin(): number {
    assertEquals(this.kernel.call(this.target, "getppid"), WAITS);
    assertEquals(this.receive(), 0);
    return this.id;
  }
  send(id: number, value: number, error = 0, flags = 0): number | string {
    put(this.supervisor, AT, 64, id, value);
    put(this.supervisor, AT + 16, 32, error, flags);
    return this.ask(SEND, AT);
  }
  isValid(id: number, request: number = ID_VALID): number | string {
    put(this.supervisor, AT, 64, id);
    return this.ask(request, AT);
  }
  add(id: number, fd: number, flags = 0, newFd = 0, newFdFlags = 0): number | string {
    put(this.supervisor, AT, 64, id);
    put(this.supervisor, AT + 8, 32, flags, fd, newFd, newFdFlags);
    return this.ask(ADDFD, AT);
  }
  get result(): number | string {
    return named(this.kernel.outcome(this.target));
  }
}

function withPair(test: (pair: Pair) => void, isShared = false): void {
  const pair = new Pair(isShared);
  test(pair);
  pair.kernel.close();
}

Deno.test("a supervisor reads a call and gives its result", () =>
  withPair((pair) => {
    const { kernel, target, supervisor } = pair, { at } = S.SeccompNotif;
    assertEquals(kernel.call(target, "getppid"), WAITS);
    assertEquals([pair.ask(RECV, BAD), pair.receive()], ["EFAULT", 0]);
    assertEquals(supervisor.mm.load32(AT + at.pid), target.tid);
    assertEquals(supervisor.mm.load32(AT + at.data), SYS_getppid);
    const { id } = pair;
    assertEquals([pair.isValid(id), pair.isValid(id, 0x80082102)], [0, 0]);
    assertEquals([pair.isValid(id + 1), pair.ask(ID_VALID, BAD)], ["ENOENT", "EFAULT"]);
    assertEquals([pair.send(id, 42), pair.result], [0, 42]);
    assertEquals([pair.send(id, 42), pair.isValid(id)], ["ENOENT", "ENOENT"]);
    assertEquals([pair.send(pair.begin(), 0, -EPERM), pair.result], [0, "EPERM"]);
    const isMade = pair.send(pair.begin(), 0, 0, S.SECCOMP_USER_NOTIF_FLAG_CONTINUE);
    assertEquals([isMade, pair.result], [0, supervisor.pid]);
  }));

Deno.test("a receive waits for a call, and wants its struct to be zero", () =>
  withPair((pair) => {
    put(pair.supervisor, AT, 64, 0, 1);
    assertEquals(pair.ask(RECV, AT), "EINVAL");
    assertEquals(pair.receive(), WAITS);
    assertEquals(pair.kernel.call(pair.target, "getppid"), WAITS);
    assertEquals([pair.kernel.outcome(pair.supervisor), pair.isValid(pair.id)], [0, 0]);
  }));

Deno.test("a receive fails when no task has the filter any more", () =>
  withPair((pair) => {
    assertEquals(pair.receive(), WAITS);
    assertEquals(pair.kernel.call(pair.target, "exit_group", 0), GONE);
    assertEquals(named(pair.kernel.outcome(pair.supervisor)), "ENOENT");
    assertEquals(pair.receive(), "ENOENT");
  }, true));

Deno.test("an answer has known flags, and comes behind the receive", () =>
  withPair((pair) => {
    const go = S.SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    pair.kernel.call(pair.target, "getppid");
    const { id } = pair.supervisor.seccomp!.notifier!.notifications[0]!;
    assertEquals([pair.send(id, 0), pair.isValid(id)], ["EINPROGRESS", "ENOENT"]);
    assertEquals(pair.add(id, LISTENER), "EINPROGRESS");
    assertEquals(pair.receive(), 0);
    assertEquals([pair.id, pair.ask(SEND, BAD)], [id, "EFAULT"]);
    assertEquals([pair.send(id, 0, 0, 2), pair.send(id, 1, 0, go)], ["EINVAL", "EINVAL"]);
    assertEquals([pair.send(id, 0, -EPERM, go), pair.result], ["EINVAL", WAITS]);
    const { SECCOMP_IOCTL_NOTIF_SET_FLAGS: SET_FLAGS } = S;
    assertEquals([pair.ask(SET_FLAGS, 1), pair.ask(SET_FLAGS, 0)], [0, 0]);
    assertEquals([pair.ask(SET_FLAGS, 2), pair.ask(0x2199, 0)], ["EINVAL", "EINVAL"]);
  }));

Deno.test("a call that was killed needs no answer", () =>
  withPair((pair) => {
    const id = pair.begin();
    pair.kernel.call(pair.supervisor, "kill", pair.target.pid, 9);
    assertEquals(pair.result, GONE);
    assertEquals([pair.isValid(id), pair.send(id, 1)], ["ENOENT", "ENOENT"]);
  }));

Deno.test("a supervisor puts descriptors into the process that waits", () =>
  withPair((pair) => {
    const { target, supervisor } = pair, id = pair.begin(), file = supervisor.files.get(LISTENER);
    assertEquals([pair.add(id, LISTENER), target.files.get(1) === file], [1, true]);
    assertEquals(pair.add(id, LISTENER, SETFD, 7, O_CLOEXEC), 7);
    assertEquals([target.files.get(7) === file, target.files.isCloexec(7)], [true, true]);
    assertEquals([pair.add(id, LISTENER, SETFD, 7), target.files.isCloexec(7)], [7, false]);
    assertEquals(pair.add(id, LISTENER, SETFD, target.group.limits.get(RLIMIT_NOFILE)), "EBADF");
    assertEquals(pair.result, WAITS);
    assertEquals([pair.add(id, LISTENER, AND_SEND), pair.result], [2, 2]);
    assertEquals([pair.add(id, LISTENER), supervisor.files.count], ["ENOENT", 1]);
  }));

Deno.test("SECCOMP_IOCTL_NOTIF_ADDFD checks the size of its struct, flags and descriptors", () =>
  withPair((pair) => {
    const id = pair.begin(), sized = (size: number) => ADDFD % 0x10000 + 0x40000000 + size * 65536;
    assertEquals([pair.ask(ADDFD, BAD), pair.ask(sized(16), AT)], ["EFAULT", "EINVAL"]);
    put(pair.supervisor, AT, 64, id, 0, 0, 1);
    assertEquals([pair.ask(sized(32), AT), pair.ask(sized(4096), AT)], ["E2BIG", "EINVAL"]);
    assertEquals(pair.ask(ADDFD, EDGE - 8), "EFAULT");
    assertEquals([pair.add(id, LISTENER, 0, 0, 1), pair.add(id, LISTENER, 4)], [
      "EINVAL",
      "EINVAL",
    ]);
    assertEquals(pair.add(id, LISTENER, 0, 5), "EINVAL", "a number without SETFD");
    assertEquals([pair.add(id, 99), pair.add(id + 1, LISTENER)], ["EBADF", "ENOENT"]);
    assertEquals([pair.result, pair.target.files.count], [WAITS, 1]);
  }));
