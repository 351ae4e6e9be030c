/**
 * Opens /dev/kvm, with one sentence for each way in which that fails. A file of its own, since the
 * launcher, which opens the device for the boot process, loads nothing else of kvm.
 */

import { EACCES, ENODEV, ENOENT, ENXIO, EPERM } from "../../ffi/abi/errno.ts";
import { AT_FDCWD, O_CLOEXEC, O_RDWR } from "../../ffi/abi/fcntl.ts";
import { errnoName } from "../../ffi/sys/errors.ts";
import { openat } from "../../ffi/sys/files.ts";

export const DEVICE = "/dev/kvm";

/** @throws Error */
export function openDevice(): number {
  const fd = openat(AT_FDCWD, DEVICE, O_RDWR | O_CLOEXEC);
  if (fd >= 0) return fd;
  switch (-fd) {
    case ENOENT:
      throw new Error(`there is no ${DEVICE}: the host has no virtual machines`);
    case EACCES:
    case EPERM:
      throw new Error(`${DEVICE} may not be opened by this user (is it in the group kvm?)`);
    case ENXIO:
    case ENODEV:
      throw new Error(`${DEVICE} has no driver behind it`);
    default:
      throw new Error(`${DEVICE} cannot be opened: ${errnoName(fd)}`);
  }
}
