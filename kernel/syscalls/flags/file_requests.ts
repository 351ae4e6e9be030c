/**
 * The supported requests of ioctl(2) on files and loop devices, with the guest test of each. See
 * flag_set.ts.
 */

import { by, fails, type FlagSet, flagSet } from "./flag_set.ts";

export const FILE_REQUESTS: readonly FlagSet[] = [
  flagSet("ioctl (files)", "request", [
    by("files_flags.flags_are_kept_and_shown", "FS_IOC_GETFLAGS FS_IOC_SETFLAGS"),
    by("files_flags.extended_flags", "FS_IOC_FSGETXATTR FS_IOC_FSSETXATTR"),
    by("files_flags.blocks_of_a_file", "FIGETBSZ"),
    by("files_flags.fiemap_lists_extents", "FS_IOC_FIEMAP", "physical addresses are unknown"),
    by("files_flags.space_is_reserved", "FS_IOC_RESVSP"),
    fails(
      "EOPNOTSUPP",
      "FICLONE FICLONERANGE FIDEDUPERANGE FIFREEZE",
      "as on a tmpfs",
    ),
    fails("EINVAL", "FIBMAP FITHAW", "as on a tmpfs"),
    fails("ENOTTY", "FS_IOC_GETVERSION FS_IOC_GETFSUUID FS_IOC_GETFSLABEL"),
  ]),
  flagSet("ioctl (FS_IOC_FIEMAP)", "flags", [
    by("files_flags.fiemap_lists_extents", "FIEMAP_FLAG_SYNC"),
    fails("EBADR", "FIEMAP_FLAG_XATTR FIEMAP_FLAG_CACHE"),
  ]),
  flagSet("ioctl (FS_IOC_SETFLAGS)", "flags", [
    by("files_flags.an_immutable_file", "FS_IMMUTABLE_FL"),
    by("files_flags.an_append_only_file", "FS_APPEND_FL"),
    by("files_flags.flags_are_kept_and_shown", "FS_NODUMP_FL"),
    by("files_flags.access_times_stay_with_noatime", "FS_NOATIME_FL"),
    fails("EOPNOTSUPP", "FS_SYNC_FL FS_DIRSYNC_FL FS_NOCOW_FL FS_PROJINHERIT_FL", "as on a tmpfs"),
  ]),
  flagSet("ioctl (namespaces)", "request", [
    by(
      "namespaces.ioctls_return_kind_owner_and_parent",
      "NS_GET_USERNS NS_GET_PARENT NS_GET_NSTYPE NS_GET_OWNER_UID",
    ),
    by("mount_namespace_ids.a_namespace_has_an_id", "NS_GET_MNTNS_ID NS_MNT_GET_INFO"),
    by(
      "mount_namespace_ids.mounts_of_another_namespace",
      "NS_MNT_GET_NEXT NS_MNT_GET_PREV",
    ),
    fails(
      "ENOTTY",
      `NS_GET_PID_FROM_PIDNS NS_GET_TGID_FROM_PIDNS NS_GET_PID_IN_PIDNS NS_GET_TGID_IN_PIDNS`,
    ),
  ]),
  flagSet("ioctl (pidfd)", "request", [
    by(
      "pidfds.namespaces_of_a_process",
      `PIDFD_GET_CGROUP_NAMESPACE PIDFD_GET_IPC_NAMESPACE PIDFD_GET_MNT_NAMESPACE
PIDFD_GET_NET_NAMESPACE PIDFD_GET_PID_NAMESPACE PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE
PIDFD_GET_TIME_NAMESPACE PIDFD_GET_TIME_FOR_CHILDREN_NAMESPACE PIDFD_GET_USER_NAMESPACE
PIDFD_GET_UTS_NAMESPACE`,
    ),
  ]),
  flagSet("ioctl (loop devices)", "request", [
    by("loop_devices.a_device_is_added_and_removed", "LOOP_CTL_ADD LOOP_CTL_REMOVE"),
    by("loop_devices.bytes_of_the_file", "LOOP_CTL_GET_FREE LOOP_SET_FD BLKGETSIZE64 BLKGETSIZE"),
    by("loop_devices.a_device_stays_bound_until_its_last_opener_closes_it", "LOOP_CLR_FD"),
    by(
      "loop_devices.offset_and_limit",
      `LOOP_SET_STATUS LOOP_GET_STATUS LOOP_SET_STATUS64 LOOP_GET_STATUS64 LOOP_SET_CAPACITY
BLKFLSBUF`,
    ),
    by("loop_devices.a_file_that_is_only_read", "LOOP_CHANGE_FD BLKROGET"),
    by("loop_devices.block_sizes", "LOOP_SET_BLOCK_SIZE BLKSSZGET"),
    by("loop_devices.configured_at_once", "LOOP_CONFIGURE"),
    fails("EINVAL", "LOOP_SET_DIRECT_IO", "there is no direct I/O"),
  ]),
];
