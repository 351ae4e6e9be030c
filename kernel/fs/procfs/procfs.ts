/**
 * procfs: /proc as programs know it. Processes and machine facts reach it through the `ProcSource`
 * interfaces of this folder, which the task side implements: file systems may not import tasks.
 *
 * Not here: /sys (fs/sysfs); who mounts it (the OCI boot and mount(2)).
 */

/** Magic number of statfs(2): PROC_SUPER_MAGIC. */
export const PROC_SUPER_MAGIC = 0x9fa0;
