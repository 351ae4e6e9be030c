/** Rows of /proc/net/tcp, udp, raw and the like, and the counts of /proc/net/sockstat. */

import {
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPPROTO_UDPLITE,
  TCP_LISTEN,
} from "../../ffi/abi/inet.ts";
import { AF_INET, AF_INET6, SOCK_RAW, SOCK_STREAM } from "../../ffi/abi/socket.ts";
import type { NetTables } from "./fs/net_tables.ts";
import type { Endpoint } from "../net/inet/address.ts";
import { type InetView, viewInet, viewRaw } from "../net/inet/inet_view.ts";
import type { NetNamespace } from "../net/net_namespace.ts";
import type { Socket } from "../net/socket.ts";
import { hex, pointer, SocketNumbers, SocketRows } from "./socket_table.ts";

/** Stands for all raw sockets in place of a protocol. */
const RAW = -1;

/** Sets the rows of these tables. */
export function setInetTables(tables: NetTables, net: NetNamespace): void {
  for (const [name, protocol, protocol6 = protocol] of TABLES) {
    tables.set(name, new InetTable(net, AF_INET, protocol));
    tables.set(`${name}6`, new InetTable(net, AF_INET6, protocol6));
  }
  tables.set("sockstat", new SocketCounts(net, AF_INET));
  tables.set("sockstat6", new SocketCounts(net, AF_INET6));
}

const TABLES: readonly (readonly [name: string, protocol: number, ofIpv6?: number])[] = [
  ["tcp", IPPROTO_TCP],
  ["udp", IPPROTO_UDP],
  ["udplite", IPPROTO_UDPLITE],
  ["icmp", IPPROTO_ICMP, IPPROTO_ICMPV6],
  ["raw", RAW],
];

/** A socket as a table shows it; null: not in the table. */
function viewOf(socket: Socket, protocol: number): InetView | null {
  const isRaw = socket.type === SOCK_RAW;
  if (protocol === RAW) return isRaw ? viewRaw(socket) : null;
  return !isRaw && socket.protocol === protocol ? viewInet(socket) : null;
}

export class InetTable extends SocketRows {
  private readonly family: number;
  private readonly protocol: number;

  constructor(net: NetNamespace, family: number, protocol: number) {
    super(net);
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

const HEX_BYTES: readonly string[] = Array.from({ length: 256 }, (_, byte) => hex(byte, 2));

/** The address as little-endian 32-bit words, and the port. */
function endpointText(endpoint: Endpoint, isV6: boolean): string {
  const { address } = endpoint;
  let text = "";
  for (let word = isV6 ? 0 : 12; word < 16; word += 4) {
    for (let i = 3; i >= 0; i--) text += HEX_BYTES[address.charCodeAt(word + i)]!;
  }
  return `${text}:${hex(endpoint.port, 4)}`;
}

/** Indexes of the counts of /proc/net/sockstat. */
const ALL = 0, TCP = 1, UDP = 2, LITE = 3, RAWS = 4, MADE = 5;

export class SocketCounts extends SocketNumbers {
  protected override readonly kinds = 6;
  private readonly family: number;

  constructor(net: NetNamespace, family: number) {
    super(net);
    this.family = family;
  }

  override count(socket: Socket, numbers: number[]): void {
    numbers[ALL]!++;
    if (socket.protocol === IPPROTO_TCP && socket.type === SOCK_STREAM) numbers[MADE]!++;
    if (socket.family !== this.family) return;
    const kind = kindOf(socket);
    if (kind >= 0 && viewOf(socket, kind === RAWS ? RAW : socket.protocol) !== null) {
      numbers[kind]!++;
    }
  }

  override format(numbers: readonly number[]): string {
    const tcp = numbers[TCP], udp = numbers[UDP], lite = numbers[LITE], raw = numbers[RAWS];
    if (this.family === AF_INET6) {
      return `TCP6: inuse ${tcp}\nUDP6: inuse ${udp}\nUDPLITE6: inuse ${lite}\n` +
        `RAW6: inuse ${raw}\nFRAG6: inuse 0 memory 0\n`;
    }
    return `sockets: used ${numbers[ALL]}\n` +
      `TCP: inuse ${tcp} orphan 0 tw 0 alloc ${numbers[MADE]} mem 0\n` +
      `UDP: inuse ${udp} mem 0\n` +
      `UDPLITE: inuse ${lite}\nRAW: inuse ${raw}\nFRAG: inuse 0 memory 0\n`;
  }
}

function kindOf({ type, protocol }: Socket): number {
  if (type === SOCK_RAW) return RAWS;
  return protocol === IPPROTO_TCP
    ? TCP
    : protocol === IPPROTO_UDP
    ? UDP
    : protocol === IPPROTO_UDPLITE
    ? LITE
    : -1;
}
