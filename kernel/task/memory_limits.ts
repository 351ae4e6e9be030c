/** The resource limits of a process that its memory manager enforces. */

import { RLIMIT_AS, RLIMIT_DATA, RLIMIT_MEMLOCK, RLIMIT_STACK } from "../../ffi/abi/resource.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";
import type { Limits } from "./limits.ts";

/** Call after a limit changed, and when a process gets new memory. */
export function applyMemoryLimits(mm: MemoryManager, limits: Limits): void {
  mm.limits.as = limits.get(RLIMIT_AS);
  mm.limits.data = limits.get(RLIMIT_DATA);
  mm.limits.stack = limits.get(RLIMIT_STACK);
  mm.limits.memlock = limits.get(RLIMIT_MEMLOCK);
}
