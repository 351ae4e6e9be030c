/**
 * Facts about signal frames and instructions from the host's auxiliary vector. Source:
 * getauxval(3).
 */

import { AT_HWCAP2, AT_MINSIGSTKSZ, AT_NULL } from "../../ffi/abi/elf.ts";

const HWCAP2_FSGSBASE = 2;
/** For hosts before Linux 5.14, which give no value. The largest XSAVE area known (AMX) fits. */
const DEFAULT_FRAME_BYTES = 12 * 1024;

function auxiliary(key: number): number | null {
  const bytes = Deno.readFileSync("/proc/self/auxv");
  const view = new DataView(bytes.buffer);
  for (let at = 0; at + 16 <= bytes.length; at += 16) {
    const entry = view.getUint32(at, true);
    if (entry === key) return view.getUint32(at + 8, true);
    if (entry === AT_NULL) break;
  }
  return null;
}

/** The largest signal frame of this host in bytes. */
export function minSignalStackBytes(): number {
  return auxiliary(AT_MINSIGSTKSZ) ?? DEFAULT_FRAME_BYTES;
}

/** Whether rdfsbase and its like work (Linux 5.9 and a processor that has them). */
export function hasFsGsBase(): boolean {
  return ((auxiliary(AT_HWCAP2) ?? 0) & HWCAP2_FSGSBASE) !== 0;
}
