/**
 * The supported flags of userfaultfd(2), memory policies and secret memory, with the guest test of
 * each. See flag_set.ts.
 */

import { by, fails, type FlagSet, flagSet } from "./flag_set.ts";

const NO_MARKS = "as without CONFIG_PTE_MARKER_UFFD_WP";

export const PLACEMENT_FLAGS: readonly FlagSet[] = [
  flagSet("memfd_secret", "flags", [
    by("secret_memory.only_cloexec_is_a_flag", "FD_CLOEXEC"),
  ]),
  flagSet("userfaultfd", "flags", [
    by("userfaults.flags_and_privilege", "O_CLOEXEC O_NONBLOCK UFFD_USER_MODE_ONLY"),
  ]),
  flagSet("ioctl (UFFDIO_API)", "features", [
    by("userfaults.writes_to_protected_pages", "UFFD_FEATURE_PAGEFAULT_FLAG_WP"),
    by("userfaults.shared_memory_has_missing_pages", "UFFD_FEATURE_MISSING_SHMEM"),
    by("userfaults.pages_of_the_file_shown_one_by_one", "UFFD_FEATURE_MINOR_SHMEM"),
    by("userfaults.faults_as_signals", "UFFD_FEATURE_SIGBUS"),
    by(
      "userfaults.exact_addresses_and_threads_are_told_when_asked_for",
      "UFFD_FEATURE_THREAD_ID UFFD_FEATURE_EXACT_ADDRESS",
    ),
    fails(
      "EINVAL",
      `UFFD_FEATURE_EVENT_FORK UFFD_FEATURE_EVENT_REMAP UFFD_FEATURE_EVENT_REMOVE
UFFD_FEATURE_EVENT_UNMAP UFFD_FEATURE_POISON UFFD_FEATURE_MOVE`,
    ),
    fails(
      "EINVAL",
      "UFFD_FEATURE_MISSING_HUGETLBFS UFFD_FEATURE_MINOR_HUGETLBFS",
      "there are no huge pages",
    ),
    fails(
      "EINVAL",
      "UFFD_FEATURE_WP_HUGETLBFS_SHMEM UFFD_FEATURE_WP_UNPOPULATED UFFD_FEATURE_WP_ASYNC",
      NO_MARKS,
    ),
  ]),
  flagSet("set_mempolicy mbind", "mode", [
    by(
      "memory_policy.modes_that_set_mempolicy_takes",
      `MPOL_DEFAULT MPOL_PREFERRED MPOL_BIND MPOL_INTERLEAVE MPOL_LOCAL MPOL_PREFERRED_MANY
MPOL_WEIGHTED_INTERLEAVE MPOL_F_STATIC_NODES MPOL_F_RELATIVE_NODES MPOL_F_NUMA_BALANCING`,
    ),
  ]),
  flagSet("get_mempolicy", "flags", [
    by(
      "memory_policy.get_mempolicy_tells_what_was_set",
      "MPOL_F_NODE MPOL_F_ADDR MPOL_F_MEMS_ALLOWED",
    ),
  ]),
  flagSet("mbind", "flags", [
    by("memory_policy.mbind_and_its_ranges", "MPOL_MF_STRICT MPOL_MF_MOVE"),
    by("memory_policy.what_the_unprivileged_may_not", "MPOL_MF_MOVE_ALL"),
  ]),
];
