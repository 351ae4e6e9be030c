/** Rows of /proc/net/tcp, udp, raw and the like, and how many sockets of each protocol there are (sockstat). */

import {
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPPROTO_UDPLITE,
  TCP_LISTEN,
} from "../../../ffi/abi/inet.ts";
import { AF_INET, AF_INET6, SOCK_RAW, SOCK_STREAM } from "../../../ffi/abi/socket.ts";
import type { NetTables } from "../../fs/procfs/net_tables.ts";
import type { Endpoint } from "../../net/inet/address.ts";
import { type InetView, viewInet, viewRaw } from "../../net/inet_view.ts";
import type { NetNamespace } from "../../net/net_namespace.ts";
import type { Socket } from "../../net/socket.ts";
import type { Kernel } from "../kernel_services.ts";
import { hex, pointer, SocketRows, SocketTable } from "./socket_table.ts";

/** What stands in place of a protocol for all raw sockets. */
const RAW = -1;

export function setInetTables(tables: NetTables, kernel: Kernel, net: NetNamespace): void {
  for (const [name, protocol, protocol6 = protocol] of TABLES) {
    tables.set(name, new InetTable(kernel, net, AF_INET, protocol));
    tables.set(`${name}6`, new InetTable(kernel, net, AF_INET6, protocol6));
  }
  tables.set("sockstat", new SocketCounts(kernel, net, AF_INET));
  tables.set("sockstat6", new SocketCounts(kernel, net, AF_INET6));
}

const TABLES: readonly (readonly [name: string, protocol: number, ofIpv6?: number])[] = [
  ["tcp", IPPROTO_TCP],
  ["udp", IPPROTO_UDP],
  ["udplite", IPPROTO_UDPLITE],
  ["icmp", IPPROTO_ICMP, IPPROTO_ICMPV6],
  ["raw", RAW],
];

/** How a table shows a socket; null: not at all. */
function viewOf(socket: Socket, protocol: number): InetView | null {
  const isRaw = socket.type === SOCK_RAW;
  if (protocol === RAW) return isRaw ? viewRaw(socket) : null;
  return !isRaw && socket.protocol === protocol ? viewInet(socket) : null;
}

class InetTable extends SocketRows {
  private readonly family: number;
  private readonly protocol: number;

  constructor(kernel: Kernel, net: NetNamespace, family: number, protocol: number) {
    super(kernel, net);
    this.family = family;
    this.protocol = protocol;
  }

  override row(socket: Socket, shown: number): string {
    const view = socket.family === this.family ? viewOf(socket, this.protocol) : null;
    return view === null ? "" : this.line(view, shown) + "\n";
  }

  private line(view: InetView, index: number): string {
    const isTcp = this.protocol === IPPROTO_TCP, isV6 = this.family === AF_INET6;
    const isRaw4 = this.protocol === RAW && !isV6, width = isTcp ? 149 : 127;
    const isListening = isTcp && view.state === TCP_LISTEN, { socket } = view;
    const timers = isTcp ? isListening ? "100 0 0 10 0" : "20 4 0 10 -1" : "0";
    const line = `${String(index).padStart(isTcp || isRaw4 ? 4 : 5)}: ` +
      `${endpointText(view.local, isV6)} ${endpointText(view.remote, isV6)} ` +
      `${hex(view.state, 2)} ${hex(isListening ? 0 : view.unsent, 8)}:${hex(view.received, 8)} ` +
      `00:00000000 00000000 ${String(view.uid).padStart(5)}        0 ` +
      `${socket.inode.ino} ${isTcp ? 1 : 2} ${pointer(socket)} ${timers}`;
    return isV6 || isRaw4 ? line : line.padEnd(width);
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

class SocketCounts extends SocketTable {
  private readonly family: number;

  constructor(kernel: Kernel, net: NetNamespace, family: number) {
    super(kernel, net);
    this.family = family;
  }

  override rows(): string {
    const all = this.sockets(), sockets = all.filter((s) => s.family === this.family);
    const used = (protocol: number): number =>
      sockets.filter((s) => viewOf(s, protocol) !== null).length;
    const udp = used(IPPROTO_UDP), lite = used(IPPROTO_UDPLITE);
    const tcp = used(IPPROTO_TCP), raw = used(RAW);
    if (this.family === AF_INET6) {
      return `TCP6: inuse ${tcp}\nUDP6: inuse ${udp}\nUDPLITE6: inuse ${lite}\n` +
        `RAW6: inuse ${raw}\nFRAG6: inuse 0 memory 0\n`;
    }
    const made = all.filter((s) => s.protocol === IPPROTO_TCP && s.type === SOCK_STREAM).length;
    return `sockets: used ${all.length}\n` +
      `TCP: inuse ${tcp} orphan 0 tw 0 alloc ${made} mem 0\nUDP: inuse ${udp} mem 0\n` +
      `UDPLITE: inuse ${lite}\nRAW: inuse ${raw}\nFRAG: inuse 0 memory 0\n`;
  }
}
