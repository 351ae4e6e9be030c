/**
 * The tables of /proc/net (proc_pid_net(5)), and the rows about UNIX, netlink and packet sockets,
 * addresses and routes. Neighbours: socket_table.ts, inet_tables.ts, group_tables.ts.
 *
 * DIFFERS: connections that wait for accept(2) are not shown.
 */

import {
  RT_SCOPE_HOST,
  RT_SCOPE_LINK,
  RTN_PROHIBIT,
  RTN_UNREACHABLE,
} from "../../ffi/abi/netlink.ts";
import type { NetDevice, NetDevices } from "../core/net_device.ts";
import { type NetTable, NetTables, type NetTexts } from "./fs/net_tables.ts";
import { ANY4, isV4, MAPPED } from "../net/inet/address.ts";
import { networkOf } from "../net/link/prefix.ts";
import { refusalOf } from "../net/link/route.ts";
import type { NetNamespace } from "../net/net_namespace.ts";
import { NetlinkSocket } from "../net/netlink/netlink_socket.ts";
import { PacketSocket } from "../net/packet/packet_socket.ts";
import type { Socket } from "../net/socket.ts";
import { UnixSocket } from "../net/unix/unix_socket.ts";
import { setGroupTables } from "./group_tables.ts";
import { setInetTables } from "./inet_tables.ts";
import { ProtocolTable } from "./protocol_table.ts";
import { hex, pointer, SocketRows } from "./socket_table.ts";

/** The tables of a network namespace, with rows made from its sockets. */
export function netTablesOf(net: NetNamespace): NetTables {
  if (net.tables !== null) return net.tables;
  const tables = net.tables = new NetTables();
  tables.devices = tables.texts = new TransportTables(net);
  setInetTables(tables, net);
  tables.set("protocols", new ProtocolTable(net));
  tables.set("unix", new UnixTable(net));
  tables.set("packet", new PacketTable(net));
  tables.set("netlink", new NetlinkTable(net));
  tables.set("if_inet6", new Inet6Addresses(net));
  tables.set("route", new Routes(net));
  setGroupTables(tables, net);
  return tables;
}

export class UnixTable extends SocketRows {
  override row(socket: Socket, _shown: number): string {
    return socket instanceof UnixSocket ? unixRow(socket) : "";
  }
}

export class PacketTable extends SocketRows {
  override row(socket: Socket, _shown: number): string {
    if (!(socket instanceof PacketSocket)) return "";
    const { heardProtocol, linkIndex, queuedBytes, uid, inode, type } = socket;
    const columns = [String(type).padEnd(6), hex(heardProtocol, 4).toLowerCase().padEnd(5)];
    const numbers = [String(linkIndex).padEnd(5), +(heardProtocol !== 0)];
    return `${pointer(socket)} 3      ${columns.join(" ")}  ${numbers.join(" ")} ` +
      `${String(queuedBytes).padEnd(6)} ${String(uid).padEnd(6)} ${inode.ino}\n`;
  }
}

export class NetlinkTable extends SocketRows {
  override row(socket: Socket, _shown: number): string {
    if (!(socket instanceof NetlinkSocket)) return "";
    const { protocol, portId, groupMask, queuedBytes, drops, inode } = socket;
    return `${pointer(socket)} ${String(protocol).padEnd(3)} ${String(portId).padEnd(10)} ` +
      `${hex(groupMask, 8).toLowerCase()} ${String(queuedBytes).padEnd(8)} 0        0     ` +
      `2        ${String(drops).padEnd(8)} ${inode.ino}\n`;
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

/** IPv6 addresses: link index, prefix length, scope, flags (permanent). */
export class Inet6Addresses implements NetTable {
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

/** The IPv4 routes of table main, with addresses as little-endian words. */
export class Routes implements NetTable {
  private readonly net: NetNamespace;

  constructor(net: NetNamespace) {
    this.net = net;
  }

  rows(): string {
    let text = "";
    for (const route of this.net.links.routes.listOf(true)) {
      const isHost = route.bits === 32 ? RTF_HOST : 0;
      const isRefused = route.type === RTN_UNREACHABLE || route.type === RTN_PROHIBIT;
      const isNowhere = refusalOf(route.type) < 0;
      const flags = RTF_UP | (route.via === null ? 0 : RTF_GATEWAY) | isHost |
        (isRefused ? RTF_REJECT : 0);
      const mask = networkOf(MAPPED + "\xff".repeat(4), route.bits);
      const words = [route.network, route.via ?? ANY4].map(littleWord);
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

/** Devices and texts of the transport, which is known only when a guest runs. */
export class TransportTables implements NetDevices, NetTexts {
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
