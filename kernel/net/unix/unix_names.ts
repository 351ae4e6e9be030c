/**
 * Names of UNIX sockets (unix(7)): abstract ones in a table of the network namespace, paths at an
 * inode. A name is the byte string in sun_path: "" unnamed, NUL first if abstract, else a path
 * without its NUL.
 */

import { EINVAL } from "../../../ffi/abi/errno.ts";
import { AF_UNIX, UNIX_PATH_MAX } from "../../../ffi/abi/socket.ts";
import { bytesToString } from "../../core/bytes.ts";
import type { SocketAddress } from "../message.ts";
import type { UnixSocket } from "./unix_socket.ts";

/** Offset of sun_path. */
const PATH_AT = 2;
/** LIMIT: names that bind(2) chooses have five hex digits. */
const AUTOBIND_NAMES = 0x100000;

/** The name in an address, or -EINVAL; "": only the family was given (autobind). */
export function nameOf(address: SocketAddress): string | number {
  const { length } = address;
  if (length < PATH_AT || length > PATH_AT + UNIX_PATH_MAX) return -EINVAL;
  if (address.family !== AF_UNIX) return -EINVAL;
  if (length === PATH_AT) return "";
  const text = bytesToString(address.u8, PATH_AT, length);
  if (text.charCodeAt(0) === 0) return text;
  const end = text.indexOf("\0");
  return end < 0 ? text : text.substring(0, end);
}

/** Whether a name is abstract. */
export function isAbstract(name: string): boolean {
  return name.length > 0 && name.charCodeAt(0) === 0;
}

/** Writes the address of a name; a path gets its NUL. */
export function putName(name: string, out: SocketAddress): void {
  const withNul = name.length > 0 && !isAbstract(name);
  out.start(AF_UNIX, Math.min(PATH_AT + name.length + (withNul ? 1 : 0), out.u8.length));
  for (let i = 0; i < name.length; i++) out.u8[PATH_AT + i] = name.charCodeAt(i);
}

/** The sender's address for a message. */
export function nameBytes(name: string): Uint8Array<ArrayBuffer> {
  if (name === "") return NO_NAME;
  const withNul = !isAbstract(name);
  const u8 = new Uint8Array(PATH_AT + name.length + (withNul ? 1 : 0));
  u8[0] = AF_UNIX;
  for (let i = 0; i < name.length; i++) u8[PATH_AT + i] = name.charCodeAt(i);
  return u8;
}
const NO_NAME = new Uint8Array(0);

/** The abstract names of one network namespace. */
export class AbstractNames {
  private readonly names: Map<string, UnixSocket> = new Map();
  private lastAutobind: number = 0;

  get(name: string): UnixSocket | null {
    return this.names.get(name) ?? null;
  }
  /** False: the name is taken. */
  take(name: string, socket: UnixSocket): boolean {
    if (this.names.has(name)) return false;
    this.names.set(name, socket);
    return true;
  }
  /** Accepted sockets show the listener's name too; only the socket that took it releases it. */
  release(name: string, socket: UnixSocket): void {
    if (this.names.get(name) === socket) this.names.delete(name);
  }
  /** A free name of five hex digits, or null. */
  chooseFree(): string | null {
    for (let i = 0; i < AUTOBIND_NAMES; i++) {
      this.lastAutobind = (this.lastAutobind + 1) % AUTOBIND_NAMES;
      const name = "\0" + this.lastAutobind.toString(16).padStart(5, "0");
      if (!this.names.has(name)) return name;
    }
    return null;
  }
}
