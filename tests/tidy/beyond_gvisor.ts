/**
 * What real programs missed in gVisor and find here, and the guest cases that show it. Part of the
 * compatibility page.
 */

export const BEYOND_GVISOR: readonly (readonly [what: string, shown: string])[] = [
  [
    "descriptors of processes: `pidfd_open`, `waitid(P_PIDFD)`",
    "flags_processes.wait_kinds_P_PIDFD",
  ],
  ["`openat2` with its RESOLVE flags", "files_open.openat2_resolve"],
  ["`copy_file_range`", "files_data.copies_inside_the_kernel"],
  ["`vmsplice`", "flags_files.vmsplices_SPLICE_F_GIFT"],
  ["io_uring", "io_uring.files_are_read_and_written io_uring.sockets_connect_and_transfer_data"],
  ["Linux AIO that reads and writes", "async_io.reads_and_writes_complete_as_events"],
  ["POSIX message queues that send", "message_queues.messages_come_by_priority_and_age"],
  [
    "scheduling policies and I/O priorities",
    "flags_processes.policies_SCHED_BATCH " +
    "flags_processes.io_priorities_IOPRIO_WHO_PROCESS",
  ],
  ["`adjtimex` that reads", "flags_time.adjusts_0"],
  ["handles of files", "file_handles.a_file_is_found_again"],
  ["fanotify, with permission events", "fanotify_permission.an_open_is_allowed_or_denied"],
  ["`userfaultfd`", "userfaults.uffdio_copy_fills_missing_pages"],
  ["Landlock", "landlock.sixteen_layers landlock_files.reading_and_writing"],
  ["`memfd_secret`", "secret_memory.other_calls_do_not_reach_secret_memory"],
  ["mounts by descriptors: `open_tree` and its sisters", "flags_system.trees_OPEN_TREE_CLONE"],
  ["overlays mounted inside, `MS_MOVE`", "flags_system.mount_flags_MS_MOVE"],
  ["`SEEK_DATA` and `SEEK_HOLE`", "files_data.seek_data_and_hole"],
  ["`fallocate` that keeps the size and punches holes", "files_data.fallocate_modes"],
  ["`O_TMPFILE`", "files_open.tmpfile"],
  ["`RENAME_EXCHANGE`", "flags_files.renames_RENAME_EXCHANGE"],
  ["leases of files", "leases.leases_are_taken_and_given_up"],
  ["deadlock detection of record locks", "files_data.record_lock_waits_and_deadlock"],
  [
    "set-user-ID bits of executables",
    "files_permissions.set_uid_programs_change_the_effective_id",
  ],
  ["`MAP_FIXED_NOREPLACE`", "flags_memory.maps_MAP_FIXED_NOREPLACE"],
  [
    "`SIGWINCH` on `TIOCSWINSZ`, `SIGHUP` when the master closes",
    "terminals.window_size " +
    "terminals.master_side_ends",
  ],
  [
    "`tcdrain`, `tcflush`, `tcflow`, `TIOCOUTQ`",
    "flags_terminals.terminal_requests_TCFLSH " +
    "flags_terminals.terminal_requests_TIOCOUTQ",
  ],
  ["signals, capabilities and no_new_privs in `/proc/PID/status`", "proc_files.status_file"],
  ["`/proc/sys/kernel`, `/proc/sys/fs`", "proc_files.sysctl_files"],
  ["System V objects in `/proc/sysvipc`", "sysv_ipc.proc_lists_the_objects"],
  ["ambient capabilities", "credentials.ambient_capabilities"],
  ["UDP-Lite", "udp_lite.coverage_options"],
  ["seccomp's strict mode", "seccomp.strict_mode_allows_four_calls"],
  ["packet sockets", "packet_sockets.a_datagram_is_seen_leaving_and_arriving"],
  [
    "process events and statistics by netlink",
    "process_events.fork_and_exit_are_events " +
    "task_stats.a_process_has_statistics",
  ],
  ["keyrings", "keyrings.possession_gives_rights"],
];
