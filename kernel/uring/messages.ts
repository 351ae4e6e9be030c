/**
 * Receives messages into buffers that the ring chooses (IORING_OP_RECVMSG with
 * IOSQE_BUFFER_SELECT), once or multishot. With multishot each buffer begins with the output of
 * msghdr, and has room for address and control messages behind it.
 */

import { EFAULT, EINVAL, EOVERFLOW } from "../../ffi/abi/errno.ts";
import * as U from "../../ffi/abi/io_uring.ts";
import { Msghdr } from "../../ffi/abi/socket.ts";
import { type MessageRoom, receiveMessage, sysRecvmsg } from "../net/calls/receive.ts";
import { setArguments } from "./arguments.ts";
import { isSelecting, selectBuffer, useBuffers } from "./buffers.ts";
import { completeRepeatedly, moreToCome } from "./selected_buffers.ts";
import type { Worker } from "./worker.ts";

const INT_MAX = 0x7fffffff;
const HEAD = U.IoUringRecvmsgOut;

/** The fields of the process's struct msghdr. */
interface Asked {
  readonly name: number;
  readonly nameRoom: number;
  readonly control: number;
  readonly controlRoom: number;
  /** Length of its only buffer; 0: no limit. */
  readonly len: number;
}

/** IORING_OP_RECVMSG. */
export function receiveMessages(w: Worker): number {
  const { sqe } = w;
  if (!isSelecting(sqe)) {
    setArguments(w, [sqe.fd, sqe.addr, sqe.rwFlags]);
    const n = sysRecvmsg(w, w.args);
    if (n >= 0) w.cqeFlags |= moreToCome(w);
    return n;
  }
  const asked = readHeader(w);
  if (typeof asked === "number") return asked;
  if ((sqe.ioprio & U.IORING_RECV_MULTISHOT) !== 0) {
    const head = HEAD.size + asked.nameRoom + asked.controlRoom;
    return completeRepeatedly(w, () => receiveWhole(w, asked, head), head);
  }
  const n = receiveInto(w, asked);
  if (n > 0) w.cqeFlags = useBuffers(w, n) | moreToCome(w);
  return n;
}

function readHeader({ mm, sqe }: Worker): Asked | number {
  const at = sqe.addr, { at: M } = Msghdr;
  const name = mm.load64(at + M.name), nameRoom = mm.load32(at + M.namelen);
  const iov = mm.load64(at + M.iov), count = mm.load64(at + M.iovlen);
  const control = mm.load64(at + M.control), controlRoom = mm.load64(at + M.controllen);
  if (name < 0 || nameRoom < 0 || iov < 0 || count < 0 || control < 0 || controlRoom < 0) {
    return -EFAULT;
  }
  if (count > 1 || nameRoom > INT_MAX) return -EINVAL;
  if (controlRoom + nameRoom + HEAD.size > INT_MAX) return -EOVERFLOW;
  const len = count === 0 ? 0 : mm.load64(iov + 8);
  if (len < 0) return -EFAULT;
  return { name, nameRoom, control, controlRoom, len };
}

/** Receives bytes into one buffer; the other parts go to the addresses in msghdr. */
function receiveInto(w: Worker, asked: Asked): number {
  const { sqe, mm } = w, { name, nameRoom, control, controlRoom, len } = asked;
  const buffer = selectBuffer(w);
  if (typeof buffer === "number") return buffer;
  const r = w.io.set(buffer.addr, len === 0 ? buffer.len : Math.min(len, buffer.len));
  if (r < 0) return r;
  const isNamed = name !== 0;
  const room = roomAt(name, isNamed ? nameRoom : 0, control, controlRoom);
  const n = receiveMessage(w, sqe.fd, sqe.rwFlags, room);
  if (n < 0) return n;
  const { at } = Msghdr;
  const isLost = (isNamed && mm.store32(sqe.addr + at.namelen, room.nameBytes) < 0) ||
    mm.store32(sqe.addr + at.flags, room.flags) < 0 ||
    mm.store64(sqe.addr + at.controllen, room.controlBytes) < 0;
  return isLost ? -EFAULT : n;
}

/**
 * Receives a whole message into one buffer, whose bytes begin at `head`: struct
 * io_uring_recvmsg_out, address, control messages, bytes.
 */
function receiveWhole(w: Worker, { nameRoom, controlRoom }: Asked, head: number): number {
  const { sqe, mm } = w;
  const buffer = selectBuffer(w);
  if (typeof buffer === "number") return buffer;
  if (buffer.len < head) return -EFAULT;
  const r = w.io.set(buffer.addr + head, buffer.len - head);
  if (r < 0) return r;
  const at = buffer.addr, nameAt = at + HEAD.size;
  const room = roomAt(nameAt, nameRoom, nameAt + nameRoom, controlRoom);
  const n = receiveMessage(w, sqe.fd, sqe.rwFlags, room);
  if (n < 0) return n;
  const isLost = mm.store32(at + HEAD.at.namelen, room.nameBytes) < 0 ||
    mm.store32(at + HEAD.at.controllen, room.controlBytes) < 0 ||
    mm.store32(at + HEAD.at.payloadlen, n) < 0 ||
    mm.store32(at + HEAD.at.flags, room.flags) < 0;
  return isLost ? -EFAULT : head + Math.min(n, buffer.len - head);
}

function roomAt(
  name: number,
  nameRoom: number,
  control: number,
  controlRoom: number,
): MessageRoom {
  return { name, nameRoom, control, controlRoom, nameBytes: 0, controlBytes: 0, flags: 0 };
}
