/**
 * The processors and the memory of the host that this process may use. The sandbox reports them as
 * its own. Sources: sched_getaffinity(2), sysinfo(2), cgroups(7).
 */

import { SYS_sched_getaffinity, SYS_sysinfo } from "../../ffi/abi/syscall_numbers.ts";
import { Sysinfo } from "../../ffi/abi/system.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { syscall } from "../../ffi/sys/native.ts";

const CPU_MASK_BYTES = 1024;

/** Processors that this process may run on. */
export function allowedCpus(): number {
  const n = syscall(SYS_sched_getaffinity, 0, CPU_MASK_BYTES, scratch.area(0));
  let count = 0;
  for (let i = 0; i < n; i++) {
    for (let bits = scratch.u8[scratch.areaOffset(0) + i] ?? 0; bits !== 0; bits &= bits - 1) {
      count++;
    }
  }
  return Math.max(count, 1);
}

/** Bytes of memory of the host, or of this process's memory cgroup if that is less. */
export function allowedMemory(): number {
  let total = 2 ** 30;
  if (syscall(SYS_sysinfo, scratch.area(0)) === 0) {
    const at = scratch.areaOffset(0);
    const ram = Number(scratch.dv.getBigUint64(at + Sysinfo.at.totalram, true));
    total = ram * scratch.dv.getUint32(at + Sysinfo.at.memUnit, true);
  }
  for (const path of LIMIT_FILES) {
    const limit = readNumber(path);
    if (limit !== null && limit < total) total = limit;
  }
  return total;
}

/** Inside a container these files have its own limits. */
const LIMIT_FILES = [
  "/sys/fs/cgroup/memory.max",
  "/sys/fs/cgroup/memory/memory.limit_in_bytes",
];

function readNumber(path: string): number | null {
  try {
    const n = Number(Deno.readTextFileSync(path).trim());
    return Number.isFinite(n) && n > 0 ? n : null;
  } catch {
    return null;
  }
}
