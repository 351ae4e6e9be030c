/** A submitted request: struct io_uring_sqe, read once from shared memory. */

import { IoUringSqe } from "../../ffi/abi/io_uring.ts";

const { at } = IoUringSqe;

export class Sqe {
  opcode: number = 0;
  /** IOSQE_* */
  flags: number = 0;
  ioprio: number = 0;
  fd: number = -1;
  /** off, or addr2; -1: the file's own position. */
  off: number = 0;
  offLo: number = 0;
  offHi: number = 0;
  addr: number = 0;
  addrLo: number = 0;
  addrHi: number = 0;
  /** `addr` as an offset that may be -1. */
  addrOffset: number = 0;
  len: number = 0;
  /** Flags of the operation. */
  rwFlags: number = 0;
  userLo: number = 0;
  userHi: number = 0;
  bufIndex: number = 0;
  personality: number = 0;
  /** splice_fd_in, or file_index. */
  spliceFd: number = 0;
  addr3: number = 0;
  pad2: number = 0;

  /** Reads the request at `offset` of shared memory. */
  load(dv: DataView<SharedArrayBuffer>, offset: number): void {
    this.opcode = dv.getUint8(offset + at.opcode);
    this.flags = dv.getUint8(offset + at.flags);
    this.ioprio = dv.getUint16(offset + at.ioprio, true);
    this.fd = dv.getInt32(offset + at.fd, true);
    this.offLo = dv.getUint32(offset + at.off, true);
    this.offHi = dv.getUint32(offset + at.off + 4, true);
    this.off = this.offLo + (this.offHi | 0) * 0x100000000;
    this.addrLo = dv.getUint32(offset + at.addr, true);
    this.addrHi = dv.getUint32(offset + at.addr + 4, true);
    this.addr = this.addrLo + this.addrHi * 0x100000000;
    this.addrOffset = this.addrLo + (this.addrHi | 0) * 0x100000000;
    this.len = dv.getUint32(offset + at.len, true);
    this.rwFlags = dv.getUint32(offset + at.rwFlags, true);
    this.userLo = dv.getUint32(offset + at.userData, true);
    this.userHi = dv.getUint32(offset + at.userData + 4, true);
    this.bufIndex = dv.getUint16(offset + at.bufIndex, true);
    this.personality = dv.getUint16(offset + at.personality, true);
    this.spliceFd = dv.getInt32(offset + at.spliceFdIn, true);
    this.addr3 = unsigned64(dv, offset + at.addr3);
    this.pad2 = unsigned64(dv, offset + at.pad2);
  }

  /** True if `addr` is the user_data of the other request. */
  isAbout(other: Sqe): boolean {
    return other.userLo === this.addrLo && other.userHi === this.addrHi;
  }
}

function unsigned64(dv: DataView<SharedArrayBuffer>, offset: number): number {
  return dv.getUint32(offset, true) + dv.getUint32(offset + 4, true) * 0x100000000;
}
