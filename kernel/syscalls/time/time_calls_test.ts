import { assertEquals } from "@std/assert";
import { SIGEV_NONE, SIGEV_THREAD, SIGEV_THREAD_ID } from "../../../ffi/abi/siginfo.ts";
import { CallLab } from "../../testing/call_lab.ts";
import { sysTimerfdCreate, sysTimerfdGettime, sysTimerfdSettime } from "../io/timerfd.ts";
import * as clocks from "./clocks.ts";
import * as itimers from "./itimers.ts";
import * as timers from "./posix_timers.ts";
import * as sleep from "./sleep.ts";

const REALTIME = 0, MONOTONIC = 1, PROCESS_CPU = 2, THREAD_CPU = 3, RAW = 4, ALARM = 8;
const BAD = 8, BLOCK = "-4096";
/** Where arguments are, and where results go. */
const IN = 0, OUT = 4096;
const SECOND = 1e9;

/** The kernel's clock of a lab moves by itself, by 1 us a look. */
function withoutMicroseconds(ns: number): number {
  return Math.round(ns / 1e6) * 1e6;
}

Deno.test("clock_gettime and clock_getres: unknown clocks, bad pointers, the tick", () => {
  const lab = new CallLab(), out = lab.memory + OUT;
  for (const handler of [clocks.sysClockGettime, clocks.sysClockGetres]) {
    assertEquals(lab.call(handler, 55, out), "EINVAL");
    assertEquals(lab.call(handler, -8 | 3, out), "EINVAL", "a descriptor's clock");
    assertEquals(lab.call(handler, ~9999 << 3 | 2, out), "EINVAL", "of no process");
    assertEquals(lab.call(handler, MONOTONIC, BAD), "EFAULT");
    assertEquals(lab.call(handler, ~1 << 3 | 2, out), 0, "of a process");
  }
  assertEquals(lab.call(clocks.sysClockGetres, 5, out), 0);
  assertEquals(lab.readWords(64, OUT, 2), [0, 4_000_000], "a coarse clock");
  assertEquals(lab.call(clocks.sysClockGetres, MONOTONIC, 0), 0);
  assertEquals(lab.call(clocks.sysClockGettime, MONOTONIC, lab.edge(8)), "EFAULT", "half a struct");
});

Deno.test("a coarse clock shows a tick, at most one late", () => {
  const lab = new CallLab();
  lab.kernel.host.nowNs = 5 * SECOND + 3_999_999;
  lab.call(clocks.sysClockGettime, 6, lab.memory + OUT);
  assertEquals(lab.readWords(64, OUT, 2), [5, 4_000_000]);
  lab.call(clocks.sysClockGettime, RAW, lab.memory + OUT);
  assertEquals(lab.readWords(64, OUT, 2), [5, 4_001_999]);
});

Deno.test("gettimeofday, time and settimeofday", () => {
  const lab = new CallLab(), out = lab.memory + OUT;
  lab.kernel.host.nowNs = 7 * SECOND + 5_000_000;
  assertEquals(lab.call(clocks.sysGettimeofday, out, out + 16), 0);
  assertEquals(lab.readWords(64, OUT, 3), [7, 5000, 0]);
  assertEquals(lab.call(clocks.sysGettimeofday, BAD, 0), "EFAULT");
  assertEquals(lab.call(clocks.sysGettimeofday, 0, BAD), "EFAULT");
  assertEquals(lab.call(clocks.sysGettimeofday, 0, 0), 0);
  assertEquals(lab.call(clocks.sysTime, out), 7);
  assertEquals([lab.readWords(64, OUT, 1), lab.call(clocks.sysTime, BAD)], [[7], "EFAULT"]);
  assertEquals(lab.call(clocks.sysSettimeofday, BAD, 0), "EFAULT");
  assertEquals(lab.call(clocks.sysSettimeofday, lab.words(64, IN, 1, 1_000_000), 0), "EINVAL");
  assertEquals(lab.call(clocks.sysSettimeofday, lab.words(64, IN, 1, 1), 0), "EPERM");
});

Deno.test("the clock cannot be set, but the arguments are judged first", () => {
  const lab = new CallLab(), good = lab.words(64, IN, 1, 0), bad = lab.words(64, 64, 1, 1e9);
  assertEquals(lab.call(clocks.sysClockSettime, MONOTONIC, good), "EINVAL");
  assertEquals(lab.call(clocks.sysClockSettime, REALTIME, BAD), "EFAULT");
  assertEquals(lab.call(clocks.sysClockSettime, REALTIME, bad), "EINVAL");
  assertEquals(lab.call(clocks.sysClockSettime, REALTIME, good), "EPERM");
  assertEquals(lab.call(clocks.sysAdjtimex, BAD), "EFAULT");
  lab.words(32, IN, 1);
  assertEquals(lab.call(clocks.sysAdjtimex, lab.memory), "EPERM");
  lab.words(32, IN, 0);
  assertEquals(lab.call(clocks.sysAdjtimex, lab.memory), 5, "TIME_ERROR: not synchronized");
  assertEquals(lab.call(clocks.sysClockAdjtime, MONOTONIC, lab.memory), "EOPNOTSUPP");
  assertEquals(lab.call(clocks.sysClockAdjtime, 55, lab.memory), "EINVAL");
});

Deno.test("nanosleep: invalid times, a sleep of 0, the time left", () => {
  const lab = new CallLab(), { sysNanosleep } = sleep, left = lab.memory + OUT;
  for (const [sec, nsec] of [[0, 1e9], [0, -1], [-1, 0]] as const) {
    assertEquals(lab.call(sysNanosleep, lab.words(64, IN, sec, nsec), 0), "EINVAL");
  }
  assertEquals(lab.call(sysNanosleep, 0, 0), "EFAULT");
  assertEquals(lab.call(sysNanosleep, lab.edge(8), 0), "EFAULT");
  assertEquals(lab.call(sysNanosleep, lab.words(64, IN, 0, 0), 0), 0);
  assertEquals(lab.call(sysNanosleep, lab.words(64, IN, 3, 0), left), BLOCK);
  lab.task.endWait();
  lab.task.interrupted = true;
  assertEquals(lab.call(sysNanosleep, lab.words(64, IN, 3, 0), BAD), "EFAULT");
  lab.call(sysNanosleep, lab.words(64, IN, 3, 0), left);
  const [sec = 0, nsec = 0] = lab.readWords(64, OUT, 2);
  assertEquals(withoutMicroseconds(sec * SECOND + nsec), 3 * SECOND);
});

Deno.test("clock_nanosleep: clocks that cannot be slept on, then the time", () => {
  const lab = new CallLab(), { sysClockNanosleep } = sleep;
  assertEquals(lab.call(sysClockNanosleep, 55, 0, BAD, 0), "EINVAL");
  for (const clock of [THREAD_CPU, RAW, 5, 6]) {
    assertEquals(lab.call(sysClockNanosleep, clock, 0, BAD, 0), "EOPNOTSUPP");
  }
  assertEquals(lab.call(sysClockNanosleep, MONOTONIC, 0, BAD, 0), "EFAULT");
  assertEquals(lab.call(sysClockNanosleep, PROCESS_CPU, 0, BAD, 0), "EFAULT");
  assertEquals(lab.call(sysClockNanosleep, MONOTONIC, 1, lab.words(64, IN, 0, 1e9), 0), "EINVAL");
  assertEquals(lab.call(sysClockNanosleep, MONOTONIC, 1, lab.words(64, IN, 0, 5), 0), 0);
  assertEquals(lab.call(sysClockNanosleep, REALTIME, 1, lab.words(64, IN, 99, 0), 0), BLOCK);
  assertEquals(withoutMicroseconds(lab.task.progress.deadlineNs), 99 * SECOND);
});

Deno.test("setitimer and getitimer: pointers, times, then the timer's number", () => {
  const lab = new CallLab(), { sysSetitimer, sysGetitimer } = itimers;
  const good = lab.words(64, IN, 2, 500_000, 9, 0), out = lab.memory + OUT;
  assertEquals(lab.call(sysSetitimer, 3, BAD, 0), "EFAULT");
  assertEquals(lab.call(sysSetitimer, 3, good, 0), "EINVAL");
  assertEquals(lab.call(sysGetitimer, 3, BAD), "EINVAL");
  assertEquals(lab.call(sysGetitimer, 0, BAD), "EFAULT");
  assertEquals(lab.call(sysSetitimer, 0, lab.words(64, 64, 0, 1_000_000, 9, 0), 0), "EINVAL");
  assertEquals(lab.call(sysSetitimer, 0, lab.words(64, 64, 0, 0, -1, 0), 0), "EINVAL");
  for (const which of [0, 1, 2]) {
    assertEquals(lab.call(sysSetitimer, which, good, 0), 0);
    assertEquals(lab.call(sysGetitimer, which, out), 0);
    const [sec, usec, left = 0, leftUs = 0] = lab.readWords(64, OUT, 4);
    assertEquals([sec, usec, withoutMicroseconds(left * SECOND + leftUs * 1000)], [
      2,
      500_000,
      9 * SECOND,
    ]);
    assertEquals(lab.call(sysSetitimer, which, 0, out), 0, "a null pointer disarms");
    assertEquals(lab.call(sysSetitimer, which, 0, out), 0);
    assertEquals(lab.readWords(64, OUT, 4), [0, 0, 0, 0]);
  }
});

Deno.test("alarm shares its timer with setitimer, and rounds the time left", () => {
  const lab = new CallLab(), { sysAlarm, sysSetitimer } = itimers;
  assertEquals([lab.call(sysAlarm, 100), lab.call(sysAlarm, 0)], [0, 100]);
  for (const [us, seconds] of [[400_000, 2], [600_000, 3]] as const) {
    lab.call(sysSetitimer, 0, lab.words(64, IN, 0, 0, 2, us), 0);
    assertEquals(lab.call(sysAlarm, 0), seconds);
  }
  lab.call(sysSetitimer, 0, lab.words(64, IN, 0, 0, 0, 1000), 0);
  assertEquals(lab.call(sysAlarm, 0), 1, "less than a second is one");
});

/** A sigevent. */
function event(lab: CallLab, notify: number, signo: number, tid = 0): number {
  lab.poke(IN, new Uint8Array(64));
  return lab.words(32, IN, 0, 0, signo, notify, tid);
}

Deno.test("timer_create: the event, the clock, the pointer for the number", () => {
  const lab = new CallLab(), { sysTimerCreate } = timers, id = lab.memory + OUT;
  assertEquals(lab.call(sysTimerCreate, 55, BAD, id), "EFAULT");
  assertEquals(lab.call(sysTimerCreate, 55, 0, id), "EINVAL");
  assertEquals(lab.call(sysTimerCreate, RAW, 0, id), "EOPNOTSUPP");
  assertEquals(lab.call(sysTimerCreate, ALARM, 0, id), "EOPNOTSUPP");
  const both = SIGEV_THREAD_ID | SIGEV_THREAD;
  const wrong: [number, number, number][] = [
    [0, 0, 0],
    [0, 65, 0],
    [3, 10, 0],
    [SIGEV_THREAD_ID, 10, 99],
    [both, 10, 1],
  ];
  for (const [notify, signo, tid] of wrong) {
    assertEquals(lab.call(sysTimerCreate, MONOTONIC, event(lab, notify, signo, tid), id), "EINVAL");
  }
  assertEquals(lab.call(sysTimerCreate, MONOTONIC, 0, BAD), "EFAULT");
  assertEquals(lab.task.group.timers.posix.size, 0, "none was left behind");
  assertEquals(lab.call(sysTimerCreate, MONOTONIC, event(lab, SIGEV_NONE, 99), id), 0);
  assertEquals(lab.call(sysTimerCreate, MONOTONIC, event(lab, SIGEV_THREAD_ID, 10, 1), id), 0);
  assertEquals(lab.task.group.timers.posix.size, 2);
});

Deno.test("timer_settime keeps nothing of a call that fails; timer_delete forgets", () => {
  const lab = new CallLab(), { sysTimerSettime, sysTimerGettime } = timers;
  lab.call(timers.sysTimerCreate, MONOTONIC, 0, lab.memory + OUT);
  const [id = -1] = lab.readWords(32, OUT, 1), out = lab.memory + OUT;
  const good = lab.words(64, IN, 1, 5, 60, 0), none = lab.words(64, 64, 0, 0, 0, 0);
  assertEquals(lab.call(sysTimerSettime, id, 0, 0, 0), "EINVAL");
  assertEquals(lab.call(sysTimerSettime, id, 0, BAD, 0), "EFAULT");
  assertEquals(lab.call(sysTimerSettime, id, 0, lab.words(64, 128, 0, 0, 0, 1e9), 0), "EINVAL");
  assertEquals(lab.call(sysTimerSettime, id + 1, 0, good, 0), "EINVAL");
  assertEquals(lab.call(sysTimerGettime, id, out), 0);
  assertEquals(lab.readWords(64, OUT, 4), [0, 0, 0, 0]);
  assertEquals(lab.call(sysTimerSettime, id, 0, good, 0), 0);
  assertEquals(lab.call(sysTimerGettime, id, BAD), "EFAULT");
  assertEquals(lab.call(sysTimerSettime, id, 0, none, out), 0);
  const [sec, nsec, left = 0, leftNs = 0] = lab.readWords(64, OUT, 4);
  assertEquals([sec, nsec, withoutMicroseconds(left * SECOND + leftNs)], [1, 5, 60 * SECOND]);
  assertEquals(lab.call(timers.sysTimerGetoverrun, id), 0);
  assertEquals(lab.call(timers.sysTimerDelete, id), 0);
  for (const call of [timers.sysTimerDelete, timers.sysTimerGetoverrun, sysTimerGettime]) {
    assertEquals(lab.call(call, id, out), "EINVAL");
  }
});

Deno.test("timerfd: flags and clocks, then descriptors, then times", () => {
  const lab = new CallLab(), out = lab.memory + OUT, good = lab.words(64, IN, 3, 0, 60, 0);
  assertEquals(lab.call(sysTimerfdCreate, MONOTONIC, 1), "EINVAL");
  assertEquals(lab.call(sysTimerfdCreate, PROCESS_CPU, 0), "EINVAL");
  const fd = Number(lab.call(sysTimerfdCreate, MONOTONIC, 0o4000));
  assertEquals(lab.call(sysTimerfdSettime, 99, 0, BAD, 0), "EFAULT");
  assertEquals(lab.call(sysTimerfdSettime, fd, 4, good, 0), "EINVAL");
  assertEquals(lab.call(sysTimerfdSettime, fd, 0, lab.words(64, 64, 0, 1e9, 0, 0), 0), "EINVAL");
  assertEquals(lab.call(sysTimerfdSettime, 99, 0, good, 0), "EBADF");
  assertEquals(lab.call(sysTimerfdSettime, fd, 0, good, 0), 0);
  assertEquals(lab.call(sysTimerfdGettime, 99, out), "EBADF");
  assertEquals(lab.call(sysTimerfdGettime, fd, BAD), "EFAULT");
  assertEquals(lab.call(sysTimerfdGettime, fd, out), 0);
  const [sec, nsec, left = 0, leftNs = 0] = lab.readWords(64, OUT, 4);
  assertEquals([sec, nsec, withoutMicroseconds(left * SECOND + leftNs)], [3, 0, 60 * SECOND]);
});
