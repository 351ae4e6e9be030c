/**
 * The rows of /proc/net/tcp, udp, unix and their sisters: the sockets that some process has a descriptor of
 * (proc_pid_net(5), proc_net(5)), and the loopback device.
 *
 * DIFFERS: sockets without a descriptor (not accepted yet, on their way in a message) are not shown.
 */

import { IPPROTO_TCP, IPPROTO_UDP, TCP_LISTEN } from "../../../ffi/abi/inet.ts";
import {
  RT_SCOPE_HOST,
  RT_SCOPE_LINK,
  RTN_PROHIBIT,
  RTN_UNREACHABLE,
} from "../../../ffi/abi/netlink.ts";
import { AF_INET, AF_INET6 } from "../../../ffi/abi/socket.ts";
import {
  type NetDevice,
  type NetDevices,
  type NetTable,
  NetTables,
  type NetTexts,
} from "../../fs/procfs/net_tables.ts";
import { ANY4, type Endpoint, isV4, MAPPED } from "../../net/inet/address.ts";
import { type InetView, type SocketLister, viewInet } from "../../net/inet_view.ts";
import { networkOf } from "../../net/links/prefix.ts";
import { refusalOf } from "../../net/links/refusals.ts";
import type { NetNamespace } from "../../net/net_namespace.ts";
import { Socket } from "../../net/socket.ts";
import { NetlinkSocket } from "../../net/netlink/netlink_socket.ts";
import { PacketSocket } from "../../net/packet/packet_socket.ts";
import { UnixSocket } from "../../net/unix/unix_socket.ts";
import type { FdTable } from "../../vfs/fd_table.ts";
import type { Kernel } from "../kernel_services.ts";
import { setGroupTables } from "./group_tables.ts";

/** The tables of a network namespace, filled from its sockets. */
export function netTablesOf(kernel: Kernel, net: NetNamespace): NetTables {
  if (net.tables !== null) return net.tables;
  const tables = net.tables = new NetTables();
  tables.devices = tables.texts = new TransportTables(net);
  tables.set("tcp", new InetTable(kernel, net, AF_INET, IPPROTO_TCP));
  tables.set("tcp6", new InetTable(kernel, net, AF_INET6, IPPROTO_TCP));
  tables.set("udp", new InetTable(kernel, net, AF_INET, IPPROTO_UDP));
  tables.set("udp6", new InetTable(kernel, net, AF_INET6, IPPROTO_UDP));
  tables.set("unix", new UnixTable(kernel, net));
  tables.set("packet", new PacketTable(kernel, net));
  tables.set("netlink", new NetlinkTable(kernel, net));
  tables.set("sockstat", new SocketCounts(kernel, net));
  tables.set("if_inet6", new Inet6Addresses(net));
  tables.set("route", new Routes(net));
  setGroupTables(tables, net);
  return tables;
}

/** All sockets of a namespace that are open somewhere, by inode number. */
export function openSockets(kernel: Kernel, net: NetNamespace): Socket[] {
  const found = new Map<number, Socket>(), seen = new Set<FdTable>();
  for (const { files } of kernel.pids.tasks.values()) {
    if (seen.has(files)) continue;
    seen.add(files);
    for (const fd of files.openFds()) {
      const file = files.getAny(fd);
      if (file instanceof Socket && file.net === net) found.set(file.inode.ino, file);
    }
  }
  return [...found.values()].sort((a, b) => a.inode.ino - b.inode.ino);
}

export class OpenSockets implements SocketLister {
  private readonly kernel: Kernel;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  sockets(net: NetNamespace): readonly Socket[] {
    return openSockets(this.kernel, net);
  }
}

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, "0");
}

/** What Linux prints of an address in memory; here a number that tells sockets apart. */
function pointer(socket: Socket): string {
  return socket.inode.ino.toString(16).padStart(16, "0");
}

/** Rows made of the sockets of a namespace. */
abstract class SocketTable implements NetTable {
  private readonly kernel: Kernel;
  private readonly net: NetNamespace;

  constructor(kernel: Kernel, net: NetNamespace) {
    this.kernel = kernel;
    this.net = net;
  }

  protected sockets(): Socket[] {
    return openSockets(this.kernel, this.net);
  }
  abstract rows(): string;
}

class InetTable extends SocketTable {
  private readonly family: number;
  private readonly protocol: number;

  constructor(kernel: Kernel, net: NetNamespace, family: number, protocol: number) {
    super(kernel, net);
    this.family = family;
    this.protocol = protocol;
  }

  override rows(): string {
    let text = "", n = 0;
    for (const socket of this.sockets()) {
      if (socket.family !== this.family || socket.protocol !== this.protocol) continue;
      const view = viewInet(socket);
      if (view !== null) text += this.row(view, n++) + "\n";
    }
    return text;
  }

  private row(view: InetView, index: number): string {
    const isTcp = this.protocol === IPPROTO_TCP, isV6 = this.family === AF_INET6;
    const isListening = isTcp && view.state === TCP_LISTEN, { socket } = view;
    const timers = isTcp ? isListening ? "100 0 0 10 0" : "20 4 0 10 -1" : "0";
    const line = `${String(index).padStart(isTcp ? 4 : 5)}: ` +
      `${endpointText(view.local, isV6)} ${endpointText(view.remote, isV6)} ` +
      `${hex(view.state, 2)} ${hex(isListening ? 0 : view.unsent, 8)}:${hex(view.received, 8)} ` +
      `00:00000000 00000000 ${String(view.uid).padStart(5)}        0 ` +
      `${socket.inode.ino} ${isTcp ? 1 : 2} ${pointer(socket)} ${timers}`;
    return isV6 ? line : line.padEnd(isTcp ? 149 : 127);
  }
}

/** Each 32-bit word of the address as a little-endian processor reads it, and the port. */
function endpointText(endpoint: Endpoint, isV6: boolean): string {
  const { address } = endpoint;
  let text = "";
  for (let word = isV6 ? 0 : 12; word < 16; word += 4) {
    for (let i = 3; i >= 0; i--) text += hex(address.charCodeAt(word + i), 2);
  }
  return `${text}:${hex(endpoint.port, 4)}`;
}

class UnixTable extends SocketTable {
  override rows(): string {
    let text = "";
    for (const socket of this.sockets()) {
      if (socket instanceof UnixSocket) text += unixRow(socket);
    }
    return text;
  }
}

class PacketTable extends SocketTable {
  override rows(): string {
    let text = "";
    for (const socket of this.sockets()) {
      if (!(socket instanceof PacketSocket)) continue;
      const { heardProtocol, linkIndex, queuedBytes, uid, inode, type } = socket;
      const columns = [String(type).padEnd(6), hex(heardProtocol, 4).toLowerCase().padEnd(5)];
      const numbers = [String(linkIndex).padEnd(5), +(heardProtocol !== 0)];
      text += `${pointer(socket)} 3      ${columns.join(" ")}  ${numbers.join(" ")} ` +
        `${String(queuedBytes).padEnd(6)} ${String(uid).padEnd(6)} ${inode.ino}\n`;
    }
    return text;
  }
}

class NetlinkTable extends SocketTable {
  override rows(): string {
    let text = "";
    for (const socket of this.sockets()) {
      if (!(socket instanceof NetlinkSocket)) continue;
      const { protocol, portId, groupMask, queuedBytes, drops, inode } = socket;
      text += `${pointer(socket)} ${String(protocol).padEnd(3)} ${String(portId).padEnd(10)} ` +
        `${hex(groupMask, 8).toLowerCase()} ${String(queuedBytes).padEnd(8)} 0        0     ` +
        `2        ${String(drops).padEnd(8)} ${inode.ino}\n`;
    }
    return text;
  }
}

/** SS_UNCONNECTED, SS_CONNECTED of linux/net.h; __SO_ACCEPTCON. */
const UNCONNECTED = 1, CONNECTED = 3, ACCEPTS = 0x10000;

function unixRow(socket: UnixSocket): string {
  const isConnected = socket.peerSocket !== null;
  const name = socket.name === "" ? "" : " " + socket.name.replaceAll("\0", "@");
  return `${pointer(socket)}: ${hex(isConnected ? 3 : 2, 8)} 00000000 ` +
    `${hex(socket.isListening ? ACCEPTS : 0, 8)} ${hex(socket.type, 4)} ` +
    `${hex(isConnected ? CONNECTED : UNCONNECTED, 2)} ${String(socket.inode.ino).padStart(5)}` +
    `${name}\n`;
}

class SocketCounts extends SocketTable {
  override rows(): string {
    const sockets = this.sockets();
    const count = (protocol: number): number =>
      sockets.filter((s) => s.family === AF_INET && s.protocol === protocol).length;
    const tcp = count(IPPROTO_TCP), udp = count(IPPROTO_UDP);
    return `sockets: used ${sockets.length}\nTCP: inuse ${tcp} orphan 0 tw 0 alloc ${tcp} mem 0\n` +
      `UDP: inuse ${udp} mem 0\nUDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n`;
  }
}

/** Addresses of IPv6: index, prefix length, scope, flags (permanent). */
class Inet6Addresses implements NetTable {
  private readonly net: NetNamespace;

  constructor(net: NetNamespace) {
    this.net = net;
  }

  rows(): string {
    let text = "";
    for (const link of this.net.links.links) {
      if (!link.isUp) continue;
      for (const { address, prefix, scope } of link.addresses) {
        if (isV4(address)) continue;
        const digits = Array.from(address, (c) => hex(c.charCodeAt(0), 2).toLowerCase()).join("");
        const kind = scope === RT_SCOPE_HOST ? 0x10 : scope === RT_SCOPE_LINK ? 0x20 : 0;
        const numbers = [link.index, prefix, kind, 0x80].map((n) =>
          n.toString(16).padStart(2, "0")
        );
        text += `${digits} ${numbers.join(" ")} ${link.name.padStart(8)}\n`;
      }
    }
    return text;
  }
}

/** The main table of IPv4: addresses as a little-endian processor reads them. */
class Routes implements NetTable {
  private readonly net: NetNamespace;

  constructor(net: NetNamespace) {
    this.net = net;
  }

  rows(): string {
    let text = "";
    for (const route of this.net.links.allRoutes()) {
      if (!isV4(route.network)) continue;
      const isHost = route.bits === 32 ? RTF_HOST : 0;
      const isRefused = route.type === RTN_UNREACHABLE || route.type === RTN_PROHIBIT;
      const isNowhere = refusalOf(route.type) < 0;
      const flags = RTF_UP | (route.via === null ? 0 : RTF_GATEWAY) | isHost |
        (isRefused ? RTF_REJECT : 0);
      const mask = networkOf(MAPPED + "\xff".repeat(4), route.bits);
      const words = [networkOf(route.network, route.bits), route.via ?? ANY4].map(littleWord);
      const row =
        `${isNowhere ? "*" : route.link.name}\t${words.join("\t")}\t${hex(flags, 4)}\t0\t0\t` +
        `${route.metric}\t${littleWord(mask)}\t0\t0\t0`;
      text += row.padEnd(127) + "\n";
    }
    return text;
  }
}

const RTF_UP = 1, RTF_GATEWAY = 2, RTF_HOST = 4, RTF_REJECT = 0x200;

function littleWord(address: string): string {
  return [15, 14, 13, 12].map((i) => hex(address.charCodeAt(i), 2)).join("");
}

/** Devices and texts of what carries the packets; which that is, is known when somebody asks. */
class TransportTables implements NetDevices, NetTexts {
  private readonly net: NetNamespace;

  constructor(net: NetNamespace) {
    this.net = net;
  }

  list(): readonly NetDevice[] {
    return this.net.transport.devices();
  }
  table(name: string): string | null {
    return this.net.transport.table(name);
  }
}
