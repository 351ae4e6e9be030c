/** Where in the area of a HostNetwork each struct of a call stands, and the struct msghdr of a call. */

import { Msghdr, SOCKADDR_STORAGE_SIZE } from "../../../ffi/abi/socket.ts";
import type { HostArea } from "../../core/host_network.ts";

/** struct msghdr; an int (socklen_t); a sockaddr; a value of an option; control messages. */
export const MSG_AT = 0, LENGTH_AT = 64, NAME_AT = 128, VALUE_AT = 256, CONTROL_AT = 2048;
export const VALUE_BYTES = 1024, CONTROL_BYTES = 4096;
/** struct iovec array: as many as the host takes in one call (UIO_MAXIOV). */
export const IOV_AT = 8192, MAX_SEGMENTS = 1024;
/** Bytes on their way where they cannot go straight: more than a datagram. */
export const BOUNCE_AT = 40960, BOUNCE_BYTES = 131072;

/** The msghdr of one call over the iovec array. `nameLength` and `controlLength` 0: none. */
export function prepareMessage(
  area: HostArea,
  segments: number,
  nameLength: number,
  controlLength: number,
): void {
  const { dv, address } = area, at = Msghdr.at;
  put64(dv, MSG_AT + at.name, nameLength === 0 ? 0 : address + NAME_AT);
  dv.setUint32(MSG_AT + at.namelen, nameLength, true);
  put64(dv, MSG_AT + at.iov, address + IOV_AT);
  put64(dv, MSG_AT + at.iovlen, segments);
  put64(dv, MSG_AT + at.control, controlLength === 0 ? 0 : address + CONTROL_AT);
  put64(dv, MSG_AT + at.controllen, controlLength);
  dv.setInt32(MSG_AT + at.flags, 0, true);
}

/** One segment: `length` bytes at offset `from` of the area. */
export function prepareSegment(area: HostArea, from: number, length: number): void {
  put64(area.dv, IOV_AT, area.address + from);
  put64(area.dv, IOV_AT + 8, length);
}

/** Bytes that the first `segments` of the iovec array cover. */
export function coveredBytes(area: HostArea, segments: number): number {
  let bytes = 0;
  for (let i = 0; i < segments; i++) bytes += area.dv.getUint32(IOV_AT + 16 * i + 8, true);
  return bytes;
}

/** The int at LENGTH_AT says that a whole sockaddr_storage may be stored at NAME_AT. */
export function expectName(area: HostArea): void {
  area.dv.setInt32(LENGTH_AT, SOCKADDR_STORAGE_SIZE, true);
}

function put64(dv: DataView, at: number, value: number): void {
  dv.setUint32(at, value, true);
  dv.setUint32(at + 4, Math.floor(value / 0x100000000), true);
}
