/**
 * Ports of the guest's loopback that are published on ports of the host: reads `--publish`, and
 * makes the listening sockets, which the boot process gets (boot/ports/published_port.ts).
 */

import { EACCES, EADDRINUSE, EADDRNOTAVAIL } from "../../ffi/abi/errno.ts";
import { SockaddrIn } from "../../ffi/abi/inet.ts";
import {
  AF_INET,
  SO_REUSEADDR,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
} from "../../ffi/abi/socket.ts";
import {
  SYS_bind,
  SYS_getsockname,
  SYS_listen,
  SYS_setsockopt,
  SYS_socket,
} from "../../ffi/abi/syscall_numbers.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { check, errnoName } from "../../ffi/sys/errors.ts";
import { close } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { usageError, UserError } from "../user_error.ts";

const PORT_MAX = 65535, BACKLOG = 128, LOOPBACK = "127.0.0.1";
const ONE_BYTES = 4;

export interface PublishedPort {
  /** IPv4 address of the host. */
  readonly address: string;
  /** 0: any that is free. */
  readonly hostPort: number;
  readonly guestPort: number;
}

/** A published port with its socket. */
export interface OpenPort extends PublishedPort {
  readonly fd: number;
}

/** `[[ADDRESS:]HOST_PORT:]PORT`; without an address it is the loopback. @throws UserError */
export function parsePublish(text: string): PublishedPort {
  const parts = text.split(":"), guest = parts.pop() ?? "", host = parts.pop() ?? guest;
  const address = parts.pop() ?? LOOPBACK;
  const guestPort = portOf(guest), hostPort = portOf(host);
  if (parts.length > 0 || !(guestPort > 0) || !(hostPort >= 0) || !isIpv4(address)) {
    throw usageError(
      `--publish is "${text}", expected [[ADDRESS:]HOST_PORT:]PORT, as 8080 or 127.0.0.1:8080:80`,
    );
  }
  return { address, hostPort, guestPort };
}

/** NaN for what is no port. */
function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  return port <= PORT_MAX ? port : NaN;
}

function isIpv4(text: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(text) &&
    text.split(".").every((part) => Number(part) < 256);
}

/** @throws UserError for a port that cannot be had; then none is open */
export function openPorts(ports: readonly PublishedPort[]): OpenPort[] {
  const open: OpenPort[] = [];
  try {
    for (const port of ports) open.push(openPort(port));
  } catch (error) {
    for (const { fd } of open) close(fd);
    throw error;
  }
  return open;
}

function openPort({ address, hostPort, guestPort }: PublishedPort): OpenPort {
  const fd = check(
    syscall(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
    "socket",
  );
  const at = scratch.areaOffset(0), area = scratch.area(0);
  scratch.dv.setInt32(at, 1, true);
  syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_REUSEADDR, area, ONE_BYTES);
  scratch.u8.fill(0, at, at + SockaddrIn.size);
  scratch.dv.setUint16(at + SockaddrIn.at.family, AF_INET, true);
  scratch.dv.setUint16(at + SockaddrIn.at.port, hostPort);
  scratch.u8.set(address.split(".").map(Number), at + SockaddrIn.at.addr);
  const r = syscall(SYS_bind, fd, area, SockaddrIn.size);
  if (r < 0) {
    close(fd);
    throw new UserError(`--publish: port ${hostPort} of ${address} ${whyNot(r)}`);
  }
  check(syscall(SYS_listen, fd, BACKLOG), "listen");
  scratch.dv.setInt32(at + SockaddrIn.size, SockaddrIn.size, true);
  check(syscall(SYS_getsockname, fd, area, area + SockaddrIn.size), "getsockname");
  return { fd, address, guestPort, hostPort: scratch.dv.getUint16(at + SockaddrIn.at.port) };
}

function whyNot(error: number): string {
  switch (-error) {
    case EADDRINUSE:
      return "is in use";
    case EADDRNOTAVAIL:
      return "cannot be had: the address is not of this machine";
    case EACCES:
      return "needs more rights";
    default:
      return `cannot be had: ${errnoName(error)}`;
  }
}
