/** Arguments that socket calls share: the socket, addresses, struct msghdr. */

import { EBADF, EFAULT, EINVAL, ENOTSOCK } from "../../../ffi/abi/errno.ts";
import { Msghdr, SOCKADDR_STORAGE_SIZE } from "../../../ffi/abi/socket.ts";
import type { SocketAddress } from "../message.ts";
import { Socket } from "../socket.ts";
import type { Task } from "../../task/task.ts";

/** A struct msghdr of user memory: addresses and lengths. */
interface MessageHeader {
  readonly name: number;
  readonly nameBytes: number;
  readonly iov: number;
  readonly iovCount: number;
  readonly control: number;
  readonly controlBytes: number;
}

/** The struct's 56 bytes. A buffer of 128 lies outside of V8's heap. */
const bytes = new Uint8Array(128), view = new DataView(bytes.buffer);

/** Reads a struct msghdr: or -EFAULT, or -EINVAL if the address has a negative length. */
export function readHeader(t: Task, addr: number): MessageHeader | number {
  if (t.mm.copyIn(bytes, 0, addr, Msghdr.size) < 0) return -EFAULT;
  const { at } = Msghdr, nameBytes = view.getInt32(at.namelen, true);
  if (nameBytes < 0) return -EINVAL;
  return {
    name: wordAt(at.name),
    nameBytes,
    iov: wordAt(at.iov),
    iovCount: wordAt(at.iovlen),
    control: wordAt(at.control),
    controlBytes: wordAt(at.controllen),
  };
}

function wordAt(at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 0x100000000;
}

/** The socket of a descriptor, or -EBADF, -ENOTSOCK. */
export function socketOf(t: Task, fd: number): Socket | number {
  const file = t.files.get(fd);
  if (file === null) return -EBADF;
  return file instanceof Socket ? file : -ENOTSOCK;
}

/** Copies an address of `length` bytes (an int) from `addr` to `out`: 0, -EINVAL or -EFAULT. */
export function addressIn(t: Task, addr: number, length: number, out: SocketAddress): number {
  if (length < 0 || length > SOCKADDR_STORAGE_SIZE) return -EINVAL;
  out.length = length;
  out.u8.fill(0);
  if (length === 0) return 0;
  return t.mm.copyIn(out.u8, 0, addr, length) < 0 ? -EFAULT : 0;
}

/** Stores as much of `from` as the int at `lengthAddr` has room for, and the whole length there. */
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
