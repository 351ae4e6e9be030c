/**
 * What the control calls of System V IPC (semctl, shmctl, msgctl) share: struct ipc64_perm, structs
 * of C ints, and the commands IPC_SET and IPC_RMID.
 */

import { EFAULT, EINVAL } from "../../../ffi/abi/errno.ts";
import { Ipc64Perm, IPC_SET } from "../../../ffi/abi/ipc.ts";
import type { IpcClock, IpcObject, IpcOwner, IpcTable } from "../sysv/ipc_object.ts";
import type { Task } from "../../task/task.ts";

const P = Ipc64Perm.at;

/** Fills the ipc64_perm at offset 0 of the scratch buffer, which the caller has cleared. */
export function putPerm(t: Task, o: IpcObject): void {
  const { dv } = t.kernel.scratch, { userNs } = t.cred;
  dv.setInt32(P.key, o.key, true);
  dv.setUint32(P.uid, userNs.shownUid(o.uid), true);
  dv.setUint32(P.gid, userNs.shownGid(o.gid), true);
  dv.setUint32(P.cuid, userNs.shownUid(o.cuid), true);
  dv.setUint32(P.cgid, userNs.shownGid(o.cgid), true);
  dv.setUint32(P.mode, o.mode, true);
  dv.setUint16(P.seq, o.seq, true);
}

/** Decodes the owner of IPC_SET from the ipc64_perm at offset 0 of the scratch buffer. */
export function decodeOwner(t: Task): IpcOwner {
  const { dv } = t.kernel.scratch, { userNs } = t.cred;
  return {
    uid: userNs.kernelUid(dv.getUint32(P.uid, true)),
    gid: userNs.kernelGid(dv.getUint32(P.gid, true)),
    mode: dv.getUint32(P.mode, true),
  };
}

/** The objects of one kind in a namespace: semaphore sets or shared memory segments. */
interface IpcObjects<T extends IpcObject> {
  readonly table: IpcTable<T>;
  readonly clock: IpcClock;
  remove(object: T): void;
}

/**
 * IPC_SET and IPC_RMID of semctl(2) and shmctl(2); `bytes`: the size of the struct that IPC_SET
 * reads.
 */
export function changeObject<T extends IpcObject>(
  t: Task,
  objects: IpcObjects<T>,
  id: number,
  command: number,
  addr: number,
  bytes: number,
): number {
  const isSet = command === IPC_SET;
  if (isSet && t.mm.copyIn(t.kernel.scratch.u8, 0, addr, bytes) !== 0) return -EFAULT;
  const object = objects.table.find(id);
  if (object === null) return -EINVAL;
  const r = object.mayControl(t.cred);
  if (r < 0) return r;
  if (isSet) return object.setOwner(decodeOwner(t), objects.clock.nowSec());
  objects.remove(object);
  return 0;
}

/** Copies the first `len` bytes of the scratch buffer out: `result` or -EFAULT. */
export function copyScratchOut(t: Task, addr: number, len: number, result: number): number {
  return t.mm.copyOut(addr, t.kernel.scratch.u8, 0, len) === 0 ? result : -EFAULT;
}

/** Fills the scratch buffer with a struct of C ints. */
export function putInts(t: Task, ints: readonly number[]): void {
  const { dv } = t.kernel.scratch;
  for (const [i, n] of ints.entries()) dv.setInt32(i * 4, n, true);
}
