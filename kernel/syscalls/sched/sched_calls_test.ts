import { assertEquals } from "@std/assert";
import { RLIMIT_NICE, RLIMIT_RTPRIO } from "../../../ffi/abi/resource.ts";
import { CallLab } from "../../testing/call_lab.ts";
import { NO_CAPS } from "../../cred/credentials.ts";
import * as affinity from "./affinity.ts";
import { sysMembarrier } from "./barriers.ts";
import { sysFutex } from "../../futex/calls/futex.ts";
import * as futex2 from "../../futex/calls/futex2.ts";
import * as policy from "./policy.ts";
import * as priority from "./priority.ts";

const NORMAL = 0, FIFO = 1, RR = 2, BATCH = 3, IDLE = 5, DEADLINE = 6, EXT = 7;
const BAD = 8, OUT = 4096, NONE = 99, MINUS = -1 >>> 0, BLOCK = "-4096";

/** The caller loses its capabilities, and stays root. */
function becomeOrdinary(lab: CallLab): void {
  const { task } = lab;
  task.cred = { ...task.cred, effective: NO_CAPS, permitted: NO_CAPS };
}

Deno.test("sched_setscheduler: policy and pointers, the thread, combinations", () => {
  const lab = new CallLab(), { sysSchedSetscheduler: set } = policy;
  const at = (level: number) => lab.words(32, 0, level);
  assertEquals(lab.call(set, 0, MINUS, BAD), "EINVAL");
  assertEquals(lab.call(set, 0, NORMAL, 0), "EINVAL");
  assertEquals(lab.call(set, MINUS, NORMAL, BAD), "EINVAL");
  assertEquals(lab.call(set, NONE, NONE, BAD), "EFAULT");
  assertEquals(lab.call(set, NONE, NONE, at(0)), "ESRCH");
  const wrong = [[4, 0], [NONE, 0], [FIFO, 0], [FIFO, 100], [FIFO, -1], [NORMAL, 1]] as const;
  for (const [kind, level] of wrong) {
    assertEquals(lab.call(set, 0, kind, at(level)), "EINVAL", `${kind} ${level}`);
  }
  const reset = 0x40000000;
  assertEquals(lab.call(set, 0, RR | reset, at(7)), 0);
  assertEquals(lab.call(policy.sysSchedGetscheduler, 0), RR | reset);
  assertEquals(lab.call(policy.sysSchedSetparam, 0, at(0)), "EINVAL", "RR has no level 0");
  assertEquals(lab.call(policy.sysSchedSetparam, 0, at(9)), 0);
  assertEquals(lab.call(policy.sysSchedGetparam, 0, lab.memory + OUT), 0);
  assertEquals(lab.readWords(32, OUT, 1), [9]);
  assertEquals(lab.call(policy.sysSchedGetscheduler, 0), RR | reset, "both are kept");
});

Deno.test("questions about policies", () => {
  const lab = new CallLab(), out = lab.memory + OUT;
  const { sysSchedGetPriorityMax: max, sysSchedGetPriorityMin: min } = policy;
  for (
    const [kind, low, high] of [[NORMAL, 0, 0], [FIFO, 1, 99], [RR, 1, 99], [EXT, 0, 0]] as const
  ) {
    assertEquals([lab.call(min, kind), lab.call(max, kind)], [low, high]);
  }
  for (const kind of [4, 8, MINUS]) assertEquals(lab.call(max, kind), "EINVAL");
  assertEquals(lab.call(policy.sysSchedGetscheduler, MINUS), "EINVAL");
  assertEquals(lab.call(policy.sysSchedGetscheduler, NONE), "ESRCH");
  assertEquals(lab.call(policy.sysSchedGetparam, NONE, 0), "EINVAL");
  assertEquals(lab.call(policy.sysSchedGetparam, NONE, BAD), "ESRCH");
  assertEquals(lab.call(policy.sysSchedGetparam, 0, BAD), "EFAULT");
  assertEquals(lab.call(policy.sysSchedRrGetInterval, MINUS, out), "EINVAL");
  assertEquals(lab.call(policy.sysSchedRrGetInterval, NONE, BAD), "ESRCH");
  assertEquals(lab.call(policy.sysSchedRrGetInterval, 0, BAD), "EFAULT");
  lab.call(policy.sysSchedSetscheduler, 0, RR, lab.words(32, 0, 1));
  assertEquals(lab.call(policy.sysSchedRrGetInterval, 0, out), 0);
  assertEquals(lab.readWords(64, OUT, 2), [0, 100_000_000]);
});

/** struct sched_attr with its size in front. */
function attr(
  lab: CallLab,
  size: number,
  kind: number,
  fields: Partial<Record<"flags" | "nice" | "level" | "runtime" | "deadline" | "period", number>> =
    {},
): number {
  const at = 64, { nice = 0, level = 0, flags = 0, runtime = 0, deadline = 0, period = 0 } = fields;
  lab.poke(at, new Uint8Array(128));
  lab.words(32, at, size, kind);
  lab.words(64, at + 8, flags);
  lab.words(32, at + 16, nice, level);
  return lab.words(64, at + 24, runtime, deadline, period) - 24;
}

Deno.test("sched_setattr: sizes and bytes beyond them, flags, the thread", () => {
  const lab = new CallLab(), { sysSchedSetattr: set } = policy;
  const at = lab.memory + 64;
  attr(lab, 48, NORMAL);
  assertEquals(lab.call(set, 0, 0, 0), "EINVAL");
  assertEquals(lab.call(set, 0, at, 1), "EINVAL");
  assertEquals(lab.call(set, MINUS, at, 0), "EINVAL");
  assertEquals(lab.call(set, 0, BAD, 0), "EFAULT");
  for (const size of [47, 4097]) {
    attr(lab, size, NORMAL);
    assertEquals(lab.call(set, 0, at, 0), "E2BIG");
    assertEquals(lab.readWords(32, 64, 1), [56], "the size that is known");
  }
  attr(lab, 64, NORMAL);
  assertEquals(lab.call(set, 0, at, 0), 0, "zeros behind what is known");
  lab.words(32, 64 + 60, 1);
  assertEquals(lab.call(set, 0, at, 0), "E2BIG");
  attr(lab, 48, NORMAL, { flags: 0x100 });
  assertEquals(lab.call(set, NONE, at, 0), "ESRCH");
  assertEquals(lab.call(set, 0, at, 0), "EINVAL");
  attr(lab, 48, -1);
  assertEquals(lab.call(set, NONE, at, 0), "EINVAL");
  attr(lab, 48, NONE);
  assertEquals(lab.call(set, NONE, at, 0), "ESRCH");
  assertEquals(lab.call(set, 0, at, 0), "EINVAL");
});

Deno.test("sched_setattr and sched_getattr: nice values, levels, deadlines", () => {
  const lab = new CallLab(), { sysSchedSetattr: set, sysSchedGetattr: get } = policy;
  const at = lab.memory + 64, out = lab.memory + OUT;
  attr(lab, 0, BATCH, { nice: 30 });
  assertEquals(lab.call(set, 0, at, 0), 0, "size 0 is the first one");
  assertEquals(lab.call(get, 0, out, 48, 0), 0);
  assertEquals(lab.readWords(32, OUT, 6), [48, BATCH, 0, 0, 19, 0]);
  attr(lab, 48, DEADLINE, { runtime: 1e6, deadline: 5e6, period: 4e6 });
  assertEquals(lab.call(set, 0, at, 0), "EINVAL", "a period shorter than the deadline");
  attr(lab, 48, DEADLINE, { runtime: 1e6, deadline: 5e6 });
  assertEquals(lab.call(set, 0, at, 0), 0);
  assertEquals(lab.call(get, 0, out, 48, 0), 0);
  assertEquals(lab.readWords(64, OUT + 24, 3), [1e6, 5e6, 5e6]);
  for (
    const [pid, to, size, flags] of [[0, 0, 48, 0], [0, out, 47, 0], [0, out, 4097, 0], [
      0,
      out,
      48,
      1,
    ], [MINUS, out, 48, 0]] as const
  ) {
    assertEquals(lab.call(get, pid, to, size, flags), "EINVAL");
  }
  assertEquals(lab.call(get, NONE, BAD, 48, 0), "ESRCH");
  assertEquals(lab.call(get, 0, BAD, 48, 0), "EFAULT");
});

Deno.test("without CAP_SYS_NICE limits decide", () => {
  const lab = new CallLab(), { limits } = lab.task.group;
  becomeOrdinary(lab);
  const level = (n: number) => lab.words(32, 0, n), { sysSchedSetscheduler: set } = policy;
  assertEquals(lab.call(set, 0, FIFO, level(1)), "EPERM");
  assertEquals(lab.call(set, 0, DEADLINE, level(0)), "EINVAL");
  limits.set(RLIMIT_RTPRIO, 5, 5);
  assertEquals([lab.call(set, 0, FIFO, level(6)), lab.call(set, 0, FIFO, level(5))], ["EPERM", 0]);
  assertEquals(lab.call(set, 0, NORMAL | 0x40000000, level(0)), 0);
  assertEquals(lab.call(set, 0, NORMAL, level(0)), "EPERM", "the reset cannot be taken back");
  assertEquals(lab.call(priority.sysSetpriority, 0, 0, 5), 0);
  assertEquals(lab.call(priority.sysSetpriority, 0, 0, 4), "EACCES");
  limits.set(RLIMIT_NICE, 16, 16);
  assertEquals(lab.call(priority.sysSetpriority, 0, 0, 4), 0);
  assertEquals(lab.call(priority.sysSetpriority, 0, 0, 3), "EACCES");
  assertEquals(lab.call(set, 0, IDLE | 0x40000000, level(0)), 0);
  assertEquals(
    lab.call(set, 0, NORMAL | 0x40000000, level(0)),
    0,
    "a nice value of 4 is in the limit",
  );
});

Deno.test("getpriority and setpriority: kinds, targets, the bounds of nice", () => {
  const lab = new CallLab(), { sysGetpriority: get, sysSetpriority: set } = priority;
  for (const which of [3, MINUS]) {
    assertEquals([lab.call(get, which, 0), lab.call(set, which, 0, 0)], ["EINVAL", "EINVAL"]);
  }
  for (const which of [0, 1]) {
    assertEquals([lab.call(get, which, NONE), lab.call(set, which, NONE, 0)], ["ESRCH", "ESRCH"]);
  }
  assertEquals(lab.call(get, 2, NONE), "ESRCH", "a user without threads");
  for (const [nice, shown] of [[100, 1], [-100 >>> 0, 40], [3, 17]] as const) {
    assertEquals([lab.call(set, 2, 0, nice), lab.call(get, 0, 0)], [0, shown]);
  }
});

Deno.test("I/O priorities: classes, targets, the default by nice", () => {
  const lab = new CallLab(), { sysIoprioGet: get, sysIoprioSet: set } = priority;
  const REALTIME = 1 << 13, BEST = 2 << 13;
  assertEquals(lab.call(set, 1, NONE, 4 << 13), "EINVAL");
  assertEquals(lab.call(set, 1, 0, 1), "EINVAL", "a level without a class");
  assertEquals(lab.call(set, 0, 0, BEST), "EINVAL");
  assertEquals(lab.call(set, 4, 0, BEST), "EINVAL");
  assertEquals(lab.call(set, 1, NONE, BEST), "ESRCH");
  assertEquals([lab.call(get, 4, 0), lab.call(get, 1, NONE)], ["EINVAL", "ESRCH"]);
  assertEquals(lab.call(get, 1, 0), 0, "none was given");
  assertEquals(lab.call(get, 3, 0), BEST | 4);
  assertEquals([lab.call(set, 1, 0, BEST | 6), lab.call(get, 1, 0)], [0, BEST | 6]);
  becomeOrdinary(lab);
  assertEquals(lab.call(set, 1, 0, REALTIME), "EPERM");
  assertEquals(lab.call(get, 1, 0), BEST | 6);
});

Deno.test("affinity: masks that are too short, threads that are not there, empty masks", () => {
  const lab = new CallLab(), { sysSchedGetaffinity: get, sysSchedSetaffinity: set } = affinity;
  const mask = lab.words(64, 0, 1), out = lab.memory + OUT;
  for (const len of [0, 4, 12, 0x20000000]) assertEquals(lab.call(get, NONE, len, out), "EINVAL");
  assertEquals(lab.call(get, NONE, 8, BAD), "ESRCH");
  assertEquals(lab.call(get, 0, 8, BAD), "EFAULT");
  assertEquals(lab.call(get, 0, 1024, out), 8, "no more than there are");
  assertEquals(lab.call(set, NONE, 8, BAD), "EFAULT");
  assertEquals(lab.call(set, NONE, 8, mask), "ESRCH");
  assertEquals(lab.call(set, 0, 0, BAD), "EINVAL", "nothing is read of an empty mask");
  assertEquals(lab.call(set, 0, 8, lab.words(64, 64, 2)), "EINVAL", "there is one processor");
  assertEquals([lab.call(set, 0, 8, mask), lab.call(get, 0, 8, out)], [0, 8]);
  assertEquals(lab.readWords(64, OUT, 1), [1]);
  assertEquals(lab.call(affinity.sysGetcpu, BAD, 0), "EFAULT");
  assertEquals(lab.call(affinity.sysGetcpu, 0, BAD), "EFAULT");
  assertEquals(lab.call(affinity.sysGetcpu, out, 0), 0);
  assertEquals(lab.readWords(32, OUT, 1), [0]);
});

Deno.test("membarrier: flags, commands, registrations", () => {
  const lab = new CallLab(), QUERY = 0, EXPEDITED = 8, REGISTER = 16, REGISTRATIONS = 512;
  assertEquals(lab.call(sysMembarrier, QUERY, 1), "EINVAL");
  assertEquals(lab.call(sysMembarrier, 1 << 20, 0), "EINVAL");
  assertEquals(lab.call(sysMembarrier, EXPEDITED, 0), "EPERM");
  assertEquals(lab.call(sysMembarrier, REGISTRATIONS, 0), 0);
  assertEquals(lab.call(sysMembarrier, REGISTER, 0), 0);
  assertEquals(lab.call(sysMembarrier, REGISTRATIONS, 0), REGISTER);
  assertEquals(lab.call(sysMembarrier, EXPEDITED, 0), 0);
});

Deno.test("futex: commands, words, time-outs", () => {
  const lab = new CallLab(), word = lab.words(32, 0, 5), WAIT = 0, WAKE = 1, PRIVATE = 128;
  const REALTIME = 256, WAIT_BITSET = 9, LOCK_PI = 6;
  assertEquals(lab.call(sysFutex, word, 99, 0), "ENOSYS");
  for (const op of [WAIT | REALTIME, LOCK_PI | REALTIME]) {
    assertEquals(lab.call(sysFutex, word, op, 5, BAD), "EFAULT");
    assertEquals(lab.call(sysFutex, word, op, 5, lab.words(64, 64, 0, 0)), "ENOSYS");
  }
  assertEquals(lab.call(sysFutex, word, WAIT, 5, BAD), "EFAULT");
  assertEquals(lab.call(sysFutex, word, WAIT, 5, lab.words(64, 64, 0, 1e9)), "EINVAL");
  assertEquals(lab.call(sysFutex, word + 1, WAIT, 5, 0), "EINVAL");
  assertEquals(lab.call(sysFutex, BAD, WAIT, 5, 0), "EFAULT");
  assertEquals(lab.call(sysFutex, word, WAIT, 4, 0), "EAGAIN");
  assertEquals(lab.call(sysFutex, word, WAIT_BITSET, 5, 0, 0, 0), "EINVAL", "no bits");
  assertEquals(lab.call(sysFutex, word, WAKE | PRIVATE, 1), 0);
  assertEquals(lab.call(sysFutex, word, WAIT, 5, 0), BLOCK);
});

Deno.test("futex_wake(2) and futex_wait(2): flags, values, masks, counts", () => {
  const lab = new CallLab(), word = lab.words(32, 0, 5), U32 = 2, ALL = 0xffffffff;
  const { sysFutexWait: wait, sysFutexWake: wake } = futex2, MONOTONIC = 1;
  for (const flags of [0, 1, 3, U32 | 0x100]) {
    assertEquals(lab.call(wait, word, 5, ALL, flags, 0, MONOTONIC), "EINVAL");
    assertEquals(lab.call(wake, word, ALL, 1, flags), "EINVAL");
  }
  assertEquals(lab.call(wait, word, 2 ** 32, ALL, U32, 0, MONOTONIC), "EINVAL");
  assertEquals(lab.call(wait, word, 5, 2 ** 32, U32, 0, MONOTONIC), "EINVAL");
  assertEquals(lab.call(wait, word, 5, ALL, U32, BAD, 7), "EINVAL", "a clock that is none");
  assertEquals(lab.call(wait, word, 5, ALL, U32, BAD, MONOTONIC), "EFAULT");
  assertEquals(
    lab.call(wait, word, 4, ALL, U32, 0, 7),
    "EAGAIN",
    "without a time it does not count",
  );
  assertEquals(lab.call(wake, word, 0, 1, U32), "EINVAL");
  assertEquals(lab.call(wake, BAD, ALL, 1, U32), "EFAULT");
  assertEquals(lab.call(wait, word, 5, ALL, U32, 0, MONOTONIC), BLOCK);
  assertEquals(lab.call(wake, word, ALL, 0, U32), 0);
  assertEquals(lab.call(wake, word, ALL, MINUS, U32), 1, "a negative count is one");
});

Deno.test("futex_waitv and futex_requeue: counts, then words", () => {
  const lab = new CallLab(), word = lab.words(32, 0, 5), U32 = 2;
  const list = (...words: number[][]) => lab.words(64, 64, ...words.flat());
  const { sysFutexWaitv: waitv, sysFutexRequeue: requeue } = futex2;
  const good = [5, word, U32];
  assertEquals(lab.call(waitv, list(good), 1, 1, 0, 1), "EINVAL");
  for (const n of [0, 129]) assertEquals(lab.call(waitv, list(good), n, 0, 0, 1), "EINVAL");
  assertEquals(lab.call(waitv, 0, 1, 0, 0, 1), "EINVAL");
  assertEquals(lab.call(waitv, BAD, 1, 0, BAD, 1), "EFAULT");
  assertEquals(lab.call(waitv, BAD, 1, 0, BAD, 7), "EINVAL");
  assertEquals(lab.call(waitv, list([5, word, 0]), 1, 0, 0, 1), "EINVAL", "no size");
  assertEquals(lab.call(waitv, list([5, word, U32 + 2 ** 32]), 1, 0, 0, 1), "EINVAL", "reserved");
  assertEquals(lab.call(waitv, list([2 ** 32, word, U32]), 1, 0, 0, 1), "EINVAL");
  assertEquals(lab.call(waitv, list(good, [4, word, U32]), 2, 0, 0, 1), "EAGAIN");
  assertEquals(lab.call(requeue, list(good, good), 1, 1, 1), "EINVAL");
  assertEquals(lab.call(requeue, 0, 0, 1, 1), "EINVAL");
  assertEquals(lab.call(requeue, list([4, word, U32], good), 0, 1, 1), "EAGAIN");
  assertEquals(lab.call(requeue, list(good, good), 0, 1, 1), 0);
});
