/**
 * The supported flags, commands and options of mounts and of the system, with the guest test of
 * each. See flag_set.ts.
 */

import { by, each, fails, type FlagSet, flagSet, inPart, refused } from "./flag_set.ts";

export const SYSTEM_FLAGS: readonly FlagSet[] = [
  flagSet("mount", "flags", [
    each(
      "flags_system.mount_flags",
      `MS_RDONLY MS_NOSUID MS_NODEV MS_NOEXEC MS_NOATIME MS_NODIRATIME MS_RELATIME MS_STRICTATIME
MS_NOSYMFOLLOW MS_SILENT MS_SYNCHRONOUS MS_DIRSYNC MS_LAZYTIME MS_MANDLOCK MS_REMOUNT
MS_BIND MS_REC MS_MOVE MS_UNBINDABLE MS_PRIVATE MS_SLAVE MS_SHARED`,
    ),
  ]),
  flagSet("bpf", "command", [
    by("cgroups_devices.a_program_decides_about_open_and_mknod", "BPF_PROG_LOAD BPF_PROG_ATTACH"),
    by("cgroups_devices.a_group_has_one_program_or_several", "BPF_PROG_DETACH BPF_PROG_QUERY"),
    by("cgroups_devices.programs_have_numbers", "BPF_PROG_GET_NEXT_ID BPF_PROG_GET_FD_BY_ID"),
    fails("EINVAL", "BPF_MAP_CREATE BPF_OBJ_GET_INFO_BY_FD BPF_LINK_CREATE"),
  ]),
  flagSet("bpf(BPF_PROG_LOAD)", "prog_type", [
    by("cgroups_devices.a_program_decides_about_open_and_mknod", "BPF_PROG_TYPE_CGROUP_DEVICE"),
    inPart("BPF_PROG_TYPE_CGROUP_SKB", "loaded, not attached"),
  ]),
  flagSet("bpf(BPF_PROG_ATTACH)", "attach_flags", [
    by(
      "cgroups_devices.a_program_applies_to_groups_below",
      "BPF_F_ALLOW_OVERRIDE BPF_F_ALLOW_MULTI",
    ),
    by("cgroups_devices.a_group_has_one_program_or_several", "BPF_F_REPLACE"),
  ]),
  flagSet("umount2", "flags", [
    each("flags_system.umount_flags", "0 MNT_FORCE MNT_DETACH MNT_EXPIRE UMOUNT_NOFOLLOW"),
  ]),
  flagSet("fsconfig", "command", [
    each(
      "flags_system.configurations",
      `FSCONFIG_SET_FLAG FSCONFIG_SET_STRING FSCONFIG_SET_BINARY FSCONFIG_SET_PATH
FSCONFIG_SET_PATH_EMPTY FSCONFIG_SET_FD FSCONFIG_CMD_CREATE FSCONFIG_CMD_RECONFIGURE`,
    ),
    inPart("FSCONFIG_CMD_CREATE_EXCL"),
  ]),
  flagSet("move_mount", "flags", [
    by("mount_api.a_file_system_is_made_in_steps", "MOVE_MOUNT_F_EMPTY_PATH"),
    by("mounts_beneath.a_mount_moves_beneath_another", "MOVE_MOUNT_BENEATH"),
    by("mounts_beneath.a_mount_joins_a_group", "MOVE_MOUNT_SET_GROUP MOVE_MOUNT_T_EMPTY_PATH"),
  ]),
  flagSet("fsopen", "flags", [
    each("flags_system.opens", "FSOPEN_CLOEXEC"),
  ]),
  flagSet("fsmount", "attributes", [
    each(
      "flags_system.mount_attributes",
      `MOUNT_ATTR_RDONLY MOUNT_ATTR_NOSUID MOUNT_ATTR_NODEV MOUNT_ATTR_NOEXEC MOUNT_ATTR_RELATIME
MOUNT_ATTR_NOATIME MOUNT_ATTR_STRICTATIME MOUNT_ATTR_NODIRATIME MOUNT_ATTR_NOSYMFOLLOW`,
    ),
  ]),
  flagSet("mount_setattr", "attributes", [
    each(
      "flags_system.changed_attributes",
      `MOUNT_ATTR_RDONLY MOUNT_ATTR_NOSUID MOUNT_ATTR_NODEV MOUNT_ATTR_NOEXEC
MOUNT_ATTR_NODIRATIME MOUNT_ATTR_NOSYMFOLLOW`,
    ),
    fails("EINVAL", "MOUNT_ATTR_IDMAP"),
  ]),
  flagSet("open_tree", "flags", [
    each(
      "flags_system.trees",
      `0 OPEN_TREE_CLONE OPEN_TREE_CLOEXEC AT_RECURSIVE AT_SYMLINK_NOFOLLOW AT_NO_AUTOMOUNT
AT_EMPTY_PATH`,
    ),
  ]),
  flagSet("getrandom", "flags", [
    each("flags_system.randoms", "0 GRND_NONBLOCK GRND_RANDOM GRND_INSECURE"),
  ]),
  flagSet("syslog", "action", [
    each(
      "flags_system.logs",
      `SYSLOG_ACTION_CLOSE SYSLOG_ACTION_OPEN SYSLOG_ACTION_READ_ALL SYSLOG_ACTION_SIZE_UNREAD
SYSLOG_ACTION_SIZE_BUFFER`,
    ),
    refused("EINVAL", "flags_system.logs", "SYSLOG_ACTION_CONSOLE_LEVEL"),
  ]),
  flagSet("personality", "persona", [
    each(
      "flags_system.personalities",
      `UNAME26 ADDR_NO_RANDOMIZE FDPIC_FUNCPTRS MMAP_PAGE_ZERO ADDR_COMPAT_LAYOUT
READ_IMPLIES_EXEC ADDR_LIMIT_32BIT SHORT_INODE WHOLE_SECONDS STICKY_TIMEOUTS
ADDR_LIMIT_3GB PER_LINUX32`,
    ),
  ]),
];
