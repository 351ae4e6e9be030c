/** /proc/net/protocols: what each kind of socket supports, and the number of its sockets. */

import {
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPPROTO_UDPLITE,
} from "../../ffi/abi/inet.ts";
import {
  AF_INET,
  AF_INET6,
  AF_NETLINK,
  AF_PACKET,
  AF_UNIX,
  SOCK_RAW,
  SOCK_STREAM,
} from "../../ffi/abi/socket.ts";
import type { Socket } from "../net/socket.ts";
import { SocketNumbers } from "./socket_table.ts";

interface Protocol {
  readonly name: string;
  /** Bytes of a socket in Linux 6.12. */
  readonly size: number;
  readonly takes: (socket: Socket) => boolean;
  /** Pages in use, which are not counted here; -1: Linux does not count them either. */
  readonly pages: 0 | -1;
  /** Memory pressure; NI: not implemented by the protocol. */
  readonly pressure: "no" | "NI";
  readonly header: number;
  readonly hasSlab: boolean;
  /**
   * y or n for close, connect, disconnect, accept, ioctl, init, destroy, shutdown, setsockopt,
   * getsockopt, ...
   */
  readonly can: string;
}

function inet(family: number, protocol: number): (socket: Socket) => boolean {
  return (s) => s.family === family && s.type !== SOCK_RAW && s.protocol === protocol;
}

function raw(family: number): (socket: Socket) => boolean {
  return (s) => s.family === family && s.type === SOCK_RAW;
}

function unix(isStream: boolean): (socket: Socket) => boolean {
  return (s) => s.family === AF_UNIX && (s.type === SOCK_STREAM) === isStream;
}

function udp(name: string, size: number, family: number, protocol: number): Protocol {
  return {
    name,
    size,
    takes: inet(family, protocol),
    pages: 0,
    pressure: "NI",
    header: 0,
    hasSlab: true,
    can: "yyynyyynyyyynnyyyn",
  };
}

function tcp(name: string, size: number, family: number): Protocol {
  return {
    name,
    size,
    takes: inet(family, IPPROTO_TCP),
    pages: 0,
    pressure: "no",
    header: 192,
    hasSlab: true,
    can: "yyyyyyyyyyyynyyyyy",
  };
}

function plain(
  name: string,
  size: number,
  takes: (socket: Socket) => boolean,
  hasSlab: boolean,
  can: string,
): Protocol {
  return { name, size, takes, pages: -1, pressure: "NI", header: 0, hasSlab, can };
}

const PING = "yyynnynnyyyyyynyyn", RAW = "yyynyyynyyyyyyyynn";
const NOTHING = "nnnnnnnnnnnnnnnnnn", CLOSE = "ynnnnnnnnnnnnnnnnn";

const PROTOCOLS: readonly Protocol[] = [
  plain("PACKET", 1600, (s) => s.family === AF_PACKET, false, NOTHING),
  plain("PINGv6", 1344, inet(AF_INET6, IPPROTO_ICMPV6), true, PING),
  plain("RAWv6", 1344, raw(AF_INET6), true, RAW),
  udp("UDPLITEv6", 1472, AF_INET6, IPPROTO_UDPLITE),
  udp("UDPv6", 1472, AF_INET6, IPPROTO_UDP),
  tcp("TCPv6", 2432, AF_INET6),
  plain("UNIX-STREAM", 1152, unix(true), true, CLOSE),
  plain("UNIX", 1152, unix(false), true, CLOSE),
  udp("UDP-Lite", 1344, AF_INET, IPPROTO_UDPLITE),
  plain("PING", 1016, inet(AF_INET, IPPROTO_ICMP), true, PING),
  plain("RAW", 1152, raw(AF_INET), true, RAW),
  udp("UDP", 1344, AF_INET, IPPROTO_UDP),
  tcp("TCP", 2304, AF_INET),
  plain("NETLINK", 1096, (s) => s.family === AF_NETLINK, false, NOTHING),
];

export class ProtocolTable extends SocketNumbers {
  protected override readonly kinds = PROTOCOLS.length;

  override count(socket: Socket, numbers: number[]): void {
    for (let i = 0; i < PROTOCOLS.length; i++) if (PROTOCOLS[i]!.takes(socket)) numbers[i]!++;
  }
  override format(numbers: readonly number[]): string {
    return PROTOCOLS.map((p, i) => row(p, numbers[i] ?? 0)).join("");
  }
}

function row(protocol: Protocol, used: number): string {
  const { name, size, pages, pressure, header, hasSlab, can } = protocol;
  return `${name.padEnd(9)} ${String(size).padStart(4)} ${String(used).padStart(6)}  ` +
    `${String(pages).padStart(6)}   ${pressure.padEnd(3)} ${String(header).padStart(6)}   ` +
    `${(hasSlab ? "yes" : "no").padEnd(3)}  ${"kernel".padEnd(10)} ` +
    `${Array.from(can).map((c) => ` ${c}`).join(" ")}\n`;
}
