/**
 * The supported flags, commands and options of calls on memory and shared segments, with the guest
 * test of each. See flag_set.ts.
 */

import { each, fails, type FlagSet, flagSet, refused } from "./flag_set.ts";

export const MEMORY_FLAGS: readonly FlagSet[] = [
  flagSet("mmap", "prot", [
    each(
      "flags_memory.protections",
      `PROT_NONE PROT_READ PROT_WRITE PROT_EXEC PROT_GROWSDOWN PROT_GROWSUP PROT_SEM`,
    ),
  ]),
  flagSet("mprotect pkey_mprotect", "prot", [
    each(
      "flags_memory.protects",
      "PROT_NONE PROT_READ PROT_WRITE PROT_EXEC PROT_GROWSDOWN PROT_SEM",
    ),
    refused("EINVAL", "flags_memory.protects", "PROT_GROWSUP"),
  ]),
  flagSet("mmap", "flags", [
    each(
      "flags_memory.maps",
      `MAP_SHARED MAP_PRIVATE MAP_SHARED_VALIDATE MAP_ANONYMOUS MAP_FIXED MAP_GROWSDOWN MAP_32BIT
MAP_LOCKED MAP_NORESERVE MAP_POPULATE MAP_NONBLOCK MAP_STACK MAP_DENYWRITE MAP_EXECUTABLE
MAP_UNINITIALIZED MAP_DROPPABLE`,
    ),
    refused("EEXIST", "flags_memory.maps", "MAP_FIXED_NOREPLACE"),
    refused("EOPNOTSUPP", "flags_memory.maps", "MAP_SYNC"),
    fails("ENOMEM", "MAP_HUGETLB MAP_HUGE_2MB MAP_HUGE_1GB", "no huge pages are reserved"),
  ]),
  flagSet("mremap", "flags", [
    each("flags_memory.remaps", "0 MREMAP_MAYMOVE MREMAP_FIXED MREMAP_DONTUNMAP"),
  ]),
  flagSet("madvise", "advice", [
    each(
      "flags_memory.advises",
      `MADV_NORMAL MADV_RANDOM MADV_SEQUENTIAL MADV_WILLNEED MADV_DONTNEED MADV_FREE MADV_REMOVE
MADV_DONTFORK MADV_DOFORK MADV_MERGEABLE MADV_UNMERGEABLE MADV_HUGEPAGE MADV_NOHUGEPAGE
MADV_DONTDUMP MADV_DODUMP MADV_WIPEONFORK MADV_KEEPONFORK MADV_COLD MADV_PAGEOUT
MADV_POPULATE_READ MADV_POPULATE_WRITE MADV_DONTNEED_LOCKED`,
    ),
    fails("EINVAL", "MADV_COLLAPSE", "there are no huge pages"),
    fails("EPERM", "MADV_HWPOISON MADV_SOFT_OFFLINE", "needs CAP_SYS_ADMIN over the machine"),
  ]),
  flagSet("process_madvise", "advice", [
    each("flags_memory.advises_others", "MADV_WILLNEED MADV_COLD MADV_PAGEOUT"),
  ]),
  flagSet("msync", "flags", [
    each("flags_memory.syncs", "MS_ASYNC MS_INVALIDATE MS_SYNC"),
  ]),
  flagSet("mlock2", "flags", [
    each("flags_memory.locks", "0 MLOCK_ONFAULT"),
  ]),
  flagSet("mlockall", "flags", [
    each("flags_memory.locks_all", "MCL_CURRENT MCL_FUTURE MCL_ONFAULT"),
  ]),
  flagSet("membarrier", "command", [
    each(
      "flags_memory.barriers",
      `MEMBARRIER_CMD_QUERY MEMBARRIER_CMD_GLOBAL MEMBARRIER_CMD_GLOBAL_EXPEDITED
MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED MEMBARRIER_CMD_PRIVATE_EXPEDITED
MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE
MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE MEMBARRIER_CMD_GET_REGISTRATIONS`,
    ),
  ]),
  flagSet("shmget", "flags", [
    each("flags_memory.segments", "IPC_CREAT IPC_EXCL SHM_NORESERVE"),
    fails("ENOMEM", "SHM_HUGETLB", "no huge pages are reserved"),
  ]),
  flagSet("shmat", "flags", [
    each("flags_memory.attaches", "SHM_RDONLY SHM_REMAP SHM_EXEC"),
    refused("EINVAL", "flags_memory.attaches", "SHM_RND"),
  ]),
  flagSet("shmctl", "command", [
    each(
      "flags_memory.controls",
      "IPC_RMID IPC_SET IPC_STAT IPC_INFO SHM_INFO SHM_LOCK SHM_UNLOCK",
    ),
    refused("EINVAL", "flags_memory.controls", "SHM_STAT SHM_STAT_ANY"),
  ]),
];
