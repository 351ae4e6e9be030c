/** memory.stat and memory.numa_stat: the use of a group's memory, in Linux's order. */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import type { Cgroup } from "./cgroup.ts";
import type { View } from "./view.ts";

/**
 * Names of amounts in bytes. Those without a value below are 0: not told apart (all memory counts
 * as anonymous), or they do not exist here.
 */
const BYTES = "anon file kernel kernel_stack pagetables sec_pagetables percpu sock vmalloc shmem " +
  "file_mapped file_dirty file_writeback swapcached anon_thp file_thp shmem_thp inactive_anon " +
  "active_anon inactive_file active_file unevictable slab_reclaimable slab_unreclaimable slab";
/** Names of events. No memory is reclaimed, swapped or migrated, so they are 0. */
const COUNTS = "workingset_refault_anon workingset_refault_file workingset_activate_anon " +
  "workingset_activate_file workingset_restore_anon workingset_restore_file " +
  "workingset_nodereclaim pgscan pgsteal pgscan_kswapd pgscan_direct pgscan_khugepaged " +
  "pgsteal_kswapd pgsteal_direct pgsteal_khugepaged pgfault pgmajfault pgrefill pgactivate " +
  "pgdeactivate pglazyfree pglazyfreed thp_fault_alloc thp_collapse_alloc";
/** Memory of the kernel belongs to no node. */
const OF_NO_NODE: ReadonlySet<string> = new Set(["kernel", "percpu", "sock", "vmalloc", "slab"]);

/** The text of memory.stat. */
export function memoryStat(group: Cgroup, view: View): string {
  const values = usedBytes(view);
  let minor = 0, major = 0;
  for (const { usage } of group.memory.groups) {
    minor += usage.minorFaults;
    major += usage.majorFaults;
  }
  values.set("pgfault", minor + major).set("pgmajfault", major);
  const names = `${BYTES} ${COUNTS}`.split(" ");
  return names.map((name) => `${name} ${values.get(name) ?? 0}\n`).join("");
}

/** There is one node. */
export function numaStat(_group: Cgroup, view: View): string {
  const values = usedBytes(view), names = BYTES.split(" ").filter((name) => !OF_NO_NODE.has(name));
  return names.map((name) => `${name} N0=${values.get(name) ?? 0}\n`).join("");
}

function usedBytes(view: View): Map<string, number> {
  const anon = Math.floor(view.usedBytes / PAGE_SIZE) * PAGE_SIZE;
  return new Map([["anon", anon], ["active_anon", anon]]);
}
