/**
 * The kernel's HostNetwork: raw socket calls of this process, in the network namespace that the
 * launcher put it into. Files of /proc are opened or read while /proc can be seen. A file of
 * /proc/net belongs to a namespace, so its descriptor shows the same namespace later.
 *
 * Neighbours: kernel/core/host_network.ts (the contract), kernel/net/host/ (its user),
 * boot/seccomp/network_rules.ts (the calls that pass the filter).
 */

import { AT_FDCWD, O_CLOEXEC, O_RDONLY } from "../../ffi/abi/fcntl.ts";
import { SOCK_CLOEXEC, SOCK_NONBLOCK } from "../../ffi/abi/socket.ts";
import * as N from "../../ffi/abi/syscall_numbers.ts";
import { addressOf, allocBuffer } from "../../ffi/sys/cstring.ts";
import { openat, pread } from "../../ffi/sys/files.ts";
import { descriptorLimit } from "../../ffi/sys/descriptor_limit.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { descriptorShare } from "../../kernel/core/host_descriptors.ts";
import { AREA_BYTES, type HostArea, type HostNetwork } from "../../kernel/core/host_network.ts";
import { SETTINGS } from "../../kernel/proc/fs/sysctl_table.ts";

const SOCKET_FLAGS = SOCK_CLOEXEC | SOCK_NONBLOCK;
/** Files of /proc/net about the namespace, not about the sockets in it. */
const TABLES: readonly string[] = [
  "arp",
  "dev",
  "dev_mcast",
  "if_inet6",
  "igmp",
  "igmp6",
  "ipv6_route",
  "netstat",
  "route",
  "rt6_stats",
  "snmp",
  "snmp6",
];
/** LIMIT: bytes of one table. */
const MAX_TABLE = 4 << 20;
const PIECE = 65536;
/** Settings below net/; all others are the sandbox's own. */
const NET = "net/";
/** Settings of links that are read from the host. */
const LINK_SETTINGS: readonly string[] = ["all", "default", "lo"].flatMap((link) => [
  `net/ipv4/conf/${link}/forwarding`,
  `net/ipv6/conf/${link}/disable_ipv6`,
  `net/ipv6/conf/${link}/forwarding`,
]);

export class RealHostNetwork implements HostNetwork {
  readonly isOptional: boolean;
  readonly area: HostArea;
  readonly maxSockets: number = descriptorShare(descriptorLimit());
  readonly settings: ReadonlyMap<string, string>;
  readonly #tables: ReadonlyMap<string, number>;

  /** Called while /proc can be seen. */
  constructor(isOptional: boolean) {
    this.isOptional = isOptional;
    const u8 = allocBuffer(AREA_BYTES);
    this.area = { u8, dv: new DataView(u8.buffer), address: addressOf(u8) };
    this.#tables = openTables();
    this.settings = readSettings();
  }

  socket(family: number, type: number, protocol: number): number {
    return syscall(N.SYS_socket, family, type | SOCKET_FLAGS, protocol);
  }
  bind(fd: number, address: number, length: number): number {
    return syscall(N.SYS_bind, fd, address, length);
  }
  connect(fd: number, address: number, length: number): number {
    return syscall(N.SYS_connect, fd, address, length);
  }
  listen(fd: number, backlog: number): number {
    return syscall(N.SYS_listen, fd, backlog);
  }
  accept(fd: number, address: number, length: number): number {
    return syscall(N.SYS_accept4, fd, address, length, SOCKET_FLAGS);
  }
  shutdown(fd: number, how: number): number {
    return syscall(N.SYS_shutdown, fd, how);
  }
  getsockname(fd: number, address: number, length: number): number {
    return syscall(N.SYS_getsockname, fd, address, length);
  }
  getpeername(fd: number, address: number, length: number): number {
    return syscall(N.SYS_getpeername, fd, address, length);
  }
  setsockopt(fd: number, level: number, name: number, value: number, length: number): number {
    return syscall(N.SYS_setsockopt, fd, level, name, value, length);
  }
  getsockopt(fd: number, level: number, name: number, value: number, length: number): number {
    return syscall(N.SYS_getsockopt, fd, level, name, value, length);
  }
  sendmsg(fd: number, message: number, flags: number): number { // HOT
    return syscall(N.SYS_sendmsg, fd, message, flags);
  }
  recvmsg(fd: number, message: number, flags: number): number { // HOT
    return syscall(N.SYS_recvmsg, fd, message, flags);
  }

  table(name: string): string | null {
    const fd = this.#tables.get(name);
    if (fd === undefined) return null;
    const { area } = this, at = AREA_BYTES - PIECE;
    let text = "";
    while (text.length < MAX_TABLE) {
      const n = pread(fd, area.address + at, PIECE, text.length);
      if (n <= 0) break;
      for (let i = 0; i < n; i += 4096) {
        const part = area.u8.subarray(at + i, at + Math.min(n, i + 4096));
        text += String.fromCharCode(...part);
      }
    }
    return text;
  }
}

function openTables(): Map<string, number> {
  const tables = new Map<string, number>();
  for (const name of TABLES) {
    const fd = openat(AT_FDCWD, `/proc/self/net/${name}`, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) tables.set(name, fd);
  }
  return tables;
}

function readSettings(): Map<string, string> {
  const settings = new Map<string, string>();
  for (const path of [...SETTINGS.map((setting) => setting.path), ...LINK_SETTINGS]) {
    if (!path.startsWith(NET)) continue;
    try {
      settings.set(path, Deno.readTextFileSync(`/proc/sys/${path}`).replace(/\n$/, ""));
    } catch {
      // A setting that the namespace does not have keeps the sandbox's default.
    }
  }
  return settings;
}
