/** Arguments that socket calls share: the socket, addresses, struct msghdr. */

import { EBADF, EFAULT, EINVAL, ENOTSOCK } from "../../../ffi/abi/errno.ts";
import { SOCKADDR_STORAGE_SIZE } from "../../../ffi/abi/socket.ts";
import { SocketAddress } from "../message.ts";
import { Socket } from "../socket.ts";
import type { Task } from "../../task/task.ts";

/** The socket address of the running call. */
export const address: SocketAddress = new SocketAddress();

/** The struct msghdr of the running call, 56 bytes. A buffer of 128 lies outside of V8's heap. */
export const header: Uint8Array<ArrayBuffer> = new Uint8Array(128);
export const headerView: DataView = new DataView(header.buffer);

/** The pointer or length of 8 bytes at offset `at` of the struct msghdr. */
export function headerWord(at: number): number {
  return headerView.getUint32(at, true) + headerView.getUint32(at + 4, true) * 0x100000000;
}

/** The socket of a descriptor, or -EBADF, -ENOTSOCK. */
export function socketOf(t: Task, fd: number): Socket | number {
  const file = t.files.get(fd);
  if (file === null) return -EBADF;
  return file instanceof Socket ? file : -ENOTSOCK;
}

/** Copy an address of `length` bytes (an int) from `addr` to `out`: 0, -EINVAL or -EFAULT. */
export function addressIn(t: Task, addr: number, length: number, out: SocketAddress): number {
  if (length < 0 || length > SOCKADDR_STORAGE_SIZE) return -EINVAL;
  out.length = length;
  out.u8.fill(0);
  if (length === 0) return 0;
  return t.mm.copyIn(out.u8, 0, addr, length) < 0 ? -EFAULT : 0;
}

/** Store as much of `from` as the int at `lengthAddr` has room for, and the whole length there. */
export function addressOut(
  t: Task,
  addr: number,
  lengthAddr: number,
  from: SocketAddress,
): number {
  const word = t.mm.load32(lengthAddr);
  if (word < 0) return -EFAULT;
  const room = word | 0;
  if (room < 0) return -EINVAL;
  const n = Math.min(room, from.length);
  if (n > 0 && t.mm.copyOut(addr, from.u8, 0, n) < 0) return -EFAULT;
  return t.mm.store32(lengthAddr, from.length) < 0 ? -EFAULT : 0;
}
