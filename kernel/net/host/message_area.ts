/** The layout of the memory area of a HostNetwork, in which the structs of host calls are built. */

import { Msghdr, SOCKADDR_STORAGE_SIZE } from "../../../ffi/abi/socket.ts";
import type { HostArea } from "../../core/host_network.ts";

/**
 * Offsets of struct msghdr, an int (socklen_t), a sockaddr, an option's value, and control
 * messages.
 */
export const MSG_AT = 0, LENGTH_AT = 64, NAME_AT = 128, VALUE_AT = 256, CONTROL_AT = 2048;
export const VALUE_BYTES = 1024, CONTROL_BYTES = 4096;
/** The iovec array, with as many segments as the host takes in one call (UIO_MAXIOV). */
export const IOV_AT = 8192, MAX_SEGMENTS = 1024;
/** A buffer for bytes that cannot be moved directly; larger than a datagram. */
export const BOUNCE_AT = 40960, BOUNCE_BYTES = 131072;

/**
 * Prepare the msghdr of one call with the iovec array. `nameLength`, `controlLength`: 0 for none.
 */
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

/** Makes the iovec array one segment: `length` bytes at offset `from` of the area. */
export function prepareSegment(area: HostArea, from: number, length: number): void {
  put64(area.dv, IOV_AT, area.address + from);
  put64(area.dv, IOV_AT + 8, length);
}

/** The bytes in the first `segments` of the iovec array. */
export function coveredBytes(area: HostArea, segments: number): number {
  let bytes = 0;
  for (let i = 0; i < segments; i++) bytes += area.dv.getUint32(IOV_AT + 16 * i + 8, true);
  return bytes;
}

/** Sets the int at LENGTH_AT to the room at NAME_AT, a sockaddr_storage. */
export function expectName(area: HostArea): void {
  area.dv.setInt32(LENGTH_AT, SOCKADDR_STORAGE_SIZE, true);
}

function put64(dv: DataView, at: number, value: number): void {
  dv.setUint32(at, value, true);
  dv.setUint32(at + 4, Math.floor(value / 0x100000000), true);
}
