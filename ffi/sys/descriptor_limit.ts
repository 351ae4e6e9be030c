import { Rlimit, RLIMIT_NOFILE } from "../abi/resource.ts";
import { SYS_prlimit64 } from "../abi/syscall_numbers.ts";
import { scratch } from "./cstring.ts";
import { syscall } from "./native.ts";

/** What a process has where nothing changed it. */
const LEAST = 1024;

/** Descriptors that this process may have: its RLIMIT_NOFILE. */
export function descriptorLimit(): number {
  const r = syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, scratch.area(0));
  return r < 0 ? LEAST : scratch.dv.getUint32(scratch.areaOffset(0) + Rlimit.at.cur, true);
}
