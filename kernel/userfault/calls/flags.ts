/**
 * The supported flags, features and requests of userfaultfd(2), with the guest test of each. See
 * syscalls/flags/flag_set.ts.
 */

import { by, fails, type FlagSet, flagSet, inPart } from "../../syscalls/flags/flag_set.ts";

const NO_MARKS = "as without CONFIG_PTE_MARKER_UFFD_WP";

export const USERFAULTFD_FLAGS: readonly FlagSet[] = [
  flagSet("userfaultfd", "flags", [
    by("userfaults.flags_and_privilege", "O_CLOEXEC O_NONBLOCK UFFD_USER_MODE_ONLY"),
  ]),
  flagSet("ioctl (UFFDIO_API)", "features", [
    by("userfaults.writes_to_protected_pages", "UFFD_FEATURE_PAGEFAULT_FLAG_WP"),
    by("userfaults.shared_memory_has_missing_pages", "UFFD_FEATURE_MISSING_SHMEM"),
    by("userfaults.uffdio_continue_maps_pages_of_the_file", "UFFD_FEATURE_MINOR_SHMEM"),
    by("userfaults.faults_as_signals", "UFFD_FEATURE_SIGBUS"),
    by(
      "userfaults.faults_have_exact_addresses_and_threads_on_request",
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
  flagSet("ioctl (userfaultfd)", "request", [
    by("userfaults.nothing_works_before_the_handshake", "UFFDIO_API"),
    by("userfaults.ranges_that_cannot_be_registered", "UFFDIO_REGISTER"),
    by("userfaults.uffdio_copy_fills_missing_pages", "UFFDIO_COPY"),
    by("userfaults.writes_to_protected_pages", "UFFDIO_WRITEPROTECT"),
    by("userfaults.uffdio_continue_maps_pages_of_the_file", "UFFDIO_CONTINUE"),
    by("userfault_events.uffdio_move_moves_pages", "UFFDIO_MOVE"),
    by("userfault_events.poisoned_pages", "UFFDIO_POISON"),
  ]),
  flagSet("ioctl (pagemap)", "request", [
    by("pagemap_scan.present_pages_are_found", "PAGEMAP_SCAN"),
  ]),
  flagSet("ioctl (PAGEMAP_SCAN)", "flags", [
    by("pagemap_scan.written_pages_are_found", "PM_SCAN_WP_MATCHING PM_SCAN_CHECK_WPASYNC"),
  ]),
  flagSet("ioctl (PAGEMAP_SCAN)", "categories", [
    by("pagemap_scan.present_pages_are_found", "PAGE_IS_PRESENT"),
    by("pagemap_scan.pages_of_files", "PAGE_IS_FILE"),
    by(
      "pagemap_scan.written_pages_are_found",
      "PAGE_IS_WPALLOWED PAGE_IS_WRITTEN PAGE_IS_SWAPPED",
    ),
    inPart("PAGE_IS_PFNZERO PAGE_IS_HUGE PAGE_IS_SOFT_DIRTY", "no page is that"),
  ]),
  flagSet("ioctl (UFFDIO_API)", "features", [
    by("userfault_events.a_child_has_a_handler_of_its_own", "UFFD_FEATURE_EVENT_FORK"),
    by("userfault_events.moved_memory_keeps_its_handler", "UFFD_FEATURE_EVENT_REMAP"),
    by("userfault_events.removed_memory_is_an_event_freed", "UFFD_FEATURE_EVENT_REMOVE"),
    by("userfault_events.removed_memory_is_an_event_unmapped", "UFFD_FEATURE_EVENT_UNMAP"),
    by("userfaults.faults_as_signals", "UFFD_FEATURE_SIGBUS"),
    by(
      "userfaults.faults_have_exact_addresses_and_threads_on_request",
      "UFFD_FEATURE_THREAD_ID UFFD_FEATURE_EXACT_ADDRESS",
    ),
    by("userfaults.writes_to_protected_pages", "UFFD_FEATURE_PAGEFAULT_FLAG_WP"),
    by("userfaults.shared_memory_has_missing_pages", "UFFD_FEATURE_MISSING_SHMEM"),
    by("userfaults.uffdio_continue_maps_pages_of_the_file", "UFFD_FEATURE_MINOR_SHMEM"),
    by("userfault_protect.writes_to_shared_memory_memfd", "UFFD_FEATURE_WP_HUGETLBFS_SHMEM"),
    by("userfault_protect.missing_pages_are_protected", "UFFD_FEATURE_WP_UNPOPULATED"),
    by("userfault_protect.protection_that_ends_by_itself", "UFFD_FEATURE_WP_ASYNC"),
    by("userfault_events.poisoned_pages", "UFFD_FEATURE_POISON"),
    by("userfault_events.uffdio_move_moves_pages", "UFFD_FEATURE_MOVE"),
    fails(
      "EINVAL",
      "UFFD_FEATURE_MISSING_HUGETLBFS UFFD_FEATURE_MINOR_HUGETLBFS",
    ),
  ]),
];
