/**
 * The host's clocks, read through the C library (which needs no system call for them):
 * clock_gettime(2).
 *
 * Readings are kept in fields until the next call, so that nothing is allocated.
 */

import {
  CLOCK_MONOTONIC,
  CLOCK_PROCESS_CPUTIME_ID,
  CLOCK_REALTIME,
  CLOCK_THREAD_CPUTIME_ID,
} from "../abi/time.ts";
import { allocBuffer } from "./cstring.ts";
import { native } from "./native.ts";

const libc = Deno.dlopen("libc.so.6", {
  clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
});
const buffer = allocBuffer(128);
const dv = new DataView(buffer.buffer);
/** Kind of a clock that counts CPU time as the scheduler accounts it, and not by samples. */
const SCHEDULED_TIME = 2;
const NS_PER_SEC = 1_000_000_000;

/** CLOCK_MONOTONIC in ns. HOT */
export function monotonicNs(): number {
  libc.symbols.clock_gettime(CLOCK_MONOTONIC, buffer);
  return nanoseconds();
}

/** CPU time of this process in ns. */
export function ownCpuNs(): number {
  libc.symbols.clock_gettime(CLOCK_PROCESS_CPUTIME_ID, buffer);
  return nanoseconds();
}

/** CPU time of the calling thread in ns. */
export function threadCpuNs(): number {
  libc.symbols.clock_gettime(CLOCK_THREAD_CPUTIME_ID, buffer);
  return nanoseconds();
}

/**
 * CPU time of another process in ns (clock_getcpuclockid(3)); negative if there is no such process.
 */
export function processCpuNs(pid: number): number {
  const clock = (~pid << 3) | SCHEDULED_TIME;
  return libc.symbols.clock_gettime(clock, buffer) === 0 ? nanoseconds() : -1;
}

/** CLOCK_REALTIME: the seconds; `realtimeNsec` has the rest of the same reading. */
export function realtimeSec(): number {
  libc.symbols.clock_gettime(CLOCK_REALTIME, buffer);
  lastNsec = dv.getUint32(8, true);
  return dv.getUint32(0, true) + dv.getInt32(4, true) * 0x100000000;
}

let lastNsec = 0;

/** The nanoseconds of the last reading by `realtimeSec`, below 1e9. */
export function realtimeNsec(): number {
  return lastNsec;
}

/** The time stamp counter of this core. HOT */
export function timeStampCounter(): number {
  return native.rdtsc();
}

function nanoseconds(): number {
  return dv.getUint32(0, true) * NS_PER_SEC + dv.getUint32(8, true);
}
