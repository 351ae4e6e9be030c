/** Listening sockets of the stand-alone server: `unix:PATH` and `tcp:HOST:PORT`. */

import { EADDRINUSE, ECONNREFUSED } from "../../ffi/abi/errno.ts";
import {
  IPPROTO_TCP,
  SockaddrIn,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
  TCP_NODELAY,
} from "../../ffi/abi/inet.ts";
import {
  AF_INET,
  AF_UNIX,
  SO_KEEPALIVE,
  SO_REUSEADDR,
  SOCK_CLOEXEC,
  SOCK_STREAM,
  SockaddrUn,
  SOL_SOCKET,
} from "../../ffi/abi/socket.ts";
import * as N from "../../ffi/abi/syscall_numbers.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { errnoName } from "../../ffi/sys/errors.ts";
import { syscall } from "../../ffi/sys/native.ts";

const BACKLOG = 64;
/** LIMIT: a silent TCP client gets keepalive probes after 60 s; after so many it counts as gone. */
const KEEP_IDLE_S = 60, KEEP_INTERVAL_S = 15, KEEP_COUNT = 4;

/** Where to listen. */
export type ListenAddress =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: readonly number[]; readonly port: number };

/**
 * Reads `unix:PATH` or `tcp:HOST:PORT`, HOST an IPv4 address or "localhost". Throws an Error with
 * the reason.
 */
export function parseListenAddress(text: string): ListenAddress {
  if (text.startsWith("unix:")) {
    const path = text.slice(5);
    const { length } = new TextEncoder().encode(path);
    if (length === 0 || length > 107) {
      throw new Error(`--listen ${text}: a socket's path has 1 to 107 bytes, this one ${length}`);
    }
    return { kind: "unix", path };
  }
  const tcp = /^tcp:([^:]+):(\d+)$/.exec(text);
  if (tcp === null) {
    throw new Error(`--listen ${text}: expected unix:PATH or tcp:HOST:PORT`);
  }
  const name = tcp[1] === "localhost" ? "127.0.0.1" : tcp[1] ?? "";
  const host = name.split(".").map((part) => /^\d{1,3}$/.test(part) ? Number(part) : 256);
  const port = Number(tcp[2]);
  if (host.length !== 4 || host.some((part) => part > 255)) {
    throw new Error(`--listen ${text}: "${tcp[1]}" is no IPv4 address`);
  }
  if (port < 1 || port > 65535) throw new Error(`--listen ${text}: port ${port} is not 1 to 65535`);
  return { kind: "tcp", host, port };
}

/** Writes a sockaddr to scratch area 0 and returns its size. */
function putAddress(address: ListenAddress): number {
  const at = scratch.areaOffset(0);
  const { dv, u8 } = scratch;
  if (address.kind === "unix") {
    const bytes = new TextEncoder().encode(address.path);
    dv.setUint16(at + SockaddrUn.at.family, AF_UNIX, true);
    u8.set(bytes, at + SockaddrUn.at.path);
    u8[at + SockaddrUn.at.path + bytes.length] = 0;
    return SockaddrUn.at.path + bytes.length + 1;
  }
  u8.fill(0, at, at + SockaddrIn.size);
  dv.setUint16(at + SockaddrIn.at.family, AF_INET, true);
  dv.setUint16(at + SockaddrIn.at.port, address.port, false);
  u8.set(address.host, at + SockaddrIn.at.addr);
  return SockaddrIn.size;
}

/**
 * Whether a name is a UNIX socket whose server has ended: a connection is refused. A connection to
 * any other file is refused too.
 */
function isStale(address: ListenAddress & { readonly kind: "unix" }): boolean {
  if (!Deno.lstatSync(address.path).isSocket) return false;
  const fd = syscall(N.SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const size = putAddress(address);
  const r = syscall(N.SYS_connect, fd, scratch.area(0), size);
  syscall(N.SYS_close, fd);
  return r === -ECONNREFUSED;
}

/**
 * Makes the listening socket. A socket file without a listener is replaced. Throws an Error with
 * the address.
 */
export function listenOn(address: ListenAddress, text: string): number {
  const family = address.kind === "unix" ? AF_UNIX : AF_INET;
  const fd = syscall(N.SYS_socket, family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new Error(`--listen ${text}: socket: ${errnoName(fd)}`);
  if (address.kind === "tcp") setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  let size = putAddress(address);
  let r = syscall(N.SYS_bind, fd, scratch.area(0), size);
  if (r === -EADDRINUSE && address.kind === "unix" && isStale(address)) {
    syscall(N.SYS_unlink, scratch.cstr(address.path));
    size = putAddress(address);
    r = syscall(N.SYS_bind, fd, scratch.area(0), size);
  }
  if (r >= 0) r = syscall(N.SYS_listen, fd, BACKLOG);
  if (r >= 0) return fd;
  syscall(N.SYS_close, fd);
  throw new Error(`--listen ${text}: ${errnoName(r)}`);
}

function setOption(fd: number, level: number, option: number, value: number): void {
  const at = scratch.areaOffset(0);
  scratch.dv.setInt32(at, value, true);
  syscall(N.SYS_setsockopt, fd, level, option, scratch.area(0), 4);
}

/**
 * Sets the options of a TCP client's socket. Requests and replies are small and must not wait for
 * each other. A client whose machine is lost sends nothing: keepalive probes start after a minute
 * of silence, and its resources are free two minutes after its loss.
 */
export function prepareTcp(fd: number): void {
  setOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  setOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  setOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S);
  setOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S);
  setOption(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_COUNT);
}
