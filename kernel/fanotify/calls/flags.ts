/**
 * The supported flags and events of fanotify_init(2) and fanotify_mark(2), with the guest test of
 * each. See syscalls/flags/flag_set.ts.
 */

import { by, fails, type FlagSet, flagSet } from "../../syscalls/flags/flag_set.ts";

export const FANOTIFY_FLAGS: readonly FlagSet[] = [
  flagSet("fanotify_init", "flags", [
    by("fanotify.init_sets_the_flags_of_the_descriptor", "FAN_CLOEXEC FAN_NONBLOCK"),
    by("fanotify.events_of_a_file_come_with_descriptors", "FAN_CLASS_NOTIF"),
    by(
      "fanotify_permission.two_groups_answer_in_order_of_their_class",
      "FAN_CLASS_CONTENT FAN_CLASS_PRE_CONTENT",
    ),
    by("fanotify.init_checks_its_flags", "FAN_UNLIMITED_QUEUE FAN_UNLIMITED_MARKS"),
    by("fanotify.fan_report_pidfd_adds_a_pidfd", "FAN_REPORT_PIDFD"),
    by("fanotify.fan_report_tid_reports_the_thread", "FAN_REPORT_TID"),
    by("fanotify_handles.a_handle_leads_to_the_file", "FAN_REPORT_FID"),
    by("fanotify_handles.directory_handles_alone", "FAN_REPORT_DIR_FID"),
    by("fanotify_handles.names_of_entries", "FAN_REPORT_NAME"),
    by("fanotify_handles.fan_report_target_fid_reports_the_created_file", "FAN_REPORT_TARGET_FID"),
    fails("EINVAL", "FAN_ENABLE_AUDIT", "as without CONFIG_AUDITSYSCALL"),
  ]),
  flagSet("fanotify_mark", "flags", [
    by(
      "fanotify.mark_by_descriptor_and_links",
      "FAN_MARK_ADD FAN_MARK_REMOVE FAN_MARK_DONT_FOLLOW",
    ),
    by("fanotify.a_mount_and_a_file_system", "FAN_MARK_FLUSH FAN_MARK_MOUNT FAN_MARK_FILESYSTEM"),
    by("fanotify.mark_checks_its_arguments", "FAN_MARK_ONLYDIR"),
    by("fanotify.ignore_masks", "FAN_MARK_IGNORED_MASK FAN_MARK_IGNORED_SURV_MODIFY"),
    by("fanotify.ignore_marks_with_flags", "FAN_MARK_IGNORE"),
    by("fanotify.evictable_marks_cannot_follow_others", "FAN_MARK_EVICTABLE"),
  ]),
  flagSet("fanotify_mark", "mask", [
    by(
      "fanotify.events_of_a_file_come_with_descriptors",
      "FAN_ACCESS FAN_MODIFY FAN_CLOSE_WRITE FAN_CLOSE_NOWRITE FAN_OPEN",
    ),
    by("fanotify.the_start_of_a_program_is_an_event", "FAN_OPEN_EXEC"),
    by(
      "fanotify_handles.a_deleted_file_has_a_delete_event",
      "FAN_ATTRIB FAN_DELETE_SELF FAN_MOVE_SELF",
    ),
    by(
      "fanotify_handles.an_entry_event_has_the_handle_of_the_directory",
      "FAN_CREATE FAN_DELETE FAN_MOVED_FROM FAN_MOVED_TO",
    ),
    by("fanotify_handles.fan_rename_reports_both_directories", "FAN_RENAME"),
    by("fanotify_permission.an_open_is_allowed_or_denied", "FAN_OPEN_PERM"),
    by("fanotify_permission.a_read_needs_permission", "FAN_ACCESS_PERM"),
    by("fanotify_permission.execve_needs_permission", "FAN_OPEN_EXEC_PERM"),
    by("fanotify.marks_of_a_directory_and_its_children", "FAN_ONDIR FAN_EVENT_ON_CHILD"),
  ]),
];
