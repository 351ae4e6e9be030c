/** The file systems that every program expects, for sandboxes that no config.json describes. */

import type { MountSpec } from "../protocol/boot_spec.ts";

export const STANDARD_MOUNTS: readonly MountSpec[] = [
  standardMount("proc", "/proc", "nosuid,nodev,noexec"),
  standardMount("sysfs", "/sys", "nosuid,nodev,noexec,ro"),
  standardMount("cgroup2", "/sys/fs/cgroup", "nosuid,nodev,noexec"),
  standardMount("devtmpfs", "/dev", "nosuid,strictatime,mode=755,size=65536k"),
  standardMount("devpts", "/dev/pts", "nosuid,noexec,mode=620,ptmxmode=666,gid=5"),
  standardMount("tmpfs", "/dev/shm", "nosuid,nodev,mode=1777"),
  standardMount("mqueue", "/dev/mqueue", "nosuid,nodev,noexec"),
];

function standardMount(type: string, destination: string, options: string): MountSpec {
  return { type, destination, goferAttach: null, options: options.split(",") };
}
