/** F_SETLEASE and F_GETLEASE of fcntl(2). The leases: vfs/leases.ts. */

import { F_OWNER_PID, F_UNLCK } from "../../../ffi/abi/fcntl.ts";
import { kernelPid } from "../../task/pid_namespace.ts";
import type { Task } from "../../task/task.ts";
import { type LeaseHolder, setLease } from "../../vfs/leases.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { signalMessage } from "./async.ts";
import { dropOwner, ownerByDefault } from "./owner.ts";

/** Sends SIGIO to the owner that F_SETOWN named. */
export class SignalledHolder implements LeaseHolder {
  readonly pid: number;
  private readonly fd: number;

  constructor(t: Task, fd: number) {
    this.pid = kernelPid(t);
    this.fd = fd;
  }

  onBreak(file: OpenFile): void {
    signalMessage(file, this.fd);
  }
}

/** F_SETLEASE by descriptor `fd`, which siginfo shows. */
export function changeLease(t: Task, file: OpenFile, type: number, fd: number): number {
  const r = setLease(t, file, type, new SignalledHolder(t, fd));
  if (r !== 0) return r;
  if (type === F_UNLCK) dropOwner(file);
  else ownerByDefault(t, file, F_OWNER_PID, t.pid);
  return 0;
}

/** F_GETLEASE. */
export function leaseOf(file: OpenFile): number {
  return file.inode.leases?.typeOf(file) ?? F_UNLCK;
}
