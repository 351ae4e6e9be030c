/** Builds control messages for recvmsg(2) (cmsg(3)) in a buffer, cut to the caller's room. */

import { cmsgAlign, Cmsghdr, MSG_CTRUNC } from "../../ffi/abi/socket.ts";

/** LIMIT: room for 253 descriptors, credentials, times and packet information. */
const BUFFER_BYTES = 4096;
const HEADER = Cmsghdr.size;

export class ControlWriter {
  readonly u8: Uint8Array<ArrayBuffer> = new Uint8Array(BUFFER_BYTES);
  readonly dv: DataView = new DataView(this.u8.buffer);
  /** Bytes written. */
  length: number = 0;
  /** MSG_CTRUNC if a message did not fit. */
  flags: number = 0;
  private capacity: number = 0;

  /** Begin; `capacity` is the caller's msg_controllen. */
  start(capacity: number): void {
    this.length = 0;
    this.flags = 0;
    this.capacity = Math.min(capacity, BUFFER_BYTES);
    this.u8.fill(0);
  }

  /** Bytes left for the data of one more message; negative: not even its header fits. */
  get room(): number {
    return this.capacity - this.length - HEADER;
  }

  /** Offset for the data of the next message: fill it in, then call `put`. */
  get data(): number {
    return this.length + HEADER;
  }

  /** Adds one message with `bytes` of data at `data`; the data is cut if it does not fit. */
  put(level: number, type: number, bytes: number): void {
    const { room } = this;
    if (room < 0) {
      this.flags |= MSG_CTRUNC;
      return;
    }
    if (bytes > room) {
      this.flags |= MSG_CTRUNC;
      bytes = room;
    }
    this.dv.setUint32(this.length + Cmsghdr.at.len, HEADER + bytes, true);
    this.dv.setInt32(this.length + Cmsghdr.at.level, level, true);
    this.dv.setInt32(this.length + Cmsghdr.at.type, type, true);
    this.length = Math.min(this.capacity, this.length + HEADER + cmsgAlign(bytes));
  }

  putInt(level: number, type: number, value: number): void {
    if (this.room >= 0) this.dv.setInt32(this.data, value, true);
    this.put(level, type, 4);
  }
}
