/** Addresses of UNIX sockets with path names: unix(7). */

import { AF_UNIX, SockaddrUn } from "../../ffi/abi/socket.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { UserError } from "../user_error.ts";

/** LIMIT: bytes of a socket's name, without the NUL. */
const PATH_BYTES = SockaddrUn.size - SockaddrUn.at.path - 1;

/** Puts the address of `path` into scratch area 0. @returns its length @throws UserError */
export function putUnixAddress(path: string): number {
  const at = scratch.areaOffset(0), bytes = new TextEncoder().encode(path);
  if (bytes.length > PATH_BYTES) throw new UserError(`${path} is too long for a socket's name`);
  scratch.u8.fill(0, at, at + SockaddrUn.size);
  scratch.dv.setUint16(at + SockaddrUn.at.family, AF_UNIX, true);
  scratch.u8.set(bytes, at + SockaddrUn.at.path);
  return SockaddrUn.at.path + bytes.length + 1;
}
