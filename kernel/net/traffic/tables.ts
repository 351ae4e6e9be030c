/**
 * Counters as /proc/net shows them: snmp, netstat and snmp6 (proc(5); names as in
 * Documentation/networking/snmp_counter.rst), and those of each link. Of TcpExt only counters that
 * can change are not 0.
 */

import * as I from "../../../ffi/abi/inet.ts";
import { type LinkCounters, NO_COUNTERS } from "../../core/link_counters.ts";
import { TcpSocket } from "../inet/tcp/tcp_socket.ts";
import { isEstablished } from "../inet/tcp/tcp_info.ts";
import type { Link } from "../link/link.ts";
import type { NetNamespace } from "../net_namespace.ts";
import type { IpCounters, MessageCounter, Traffic, UdpCounters } from "./counters.ts";

type Rows = readonly (readonly [name: string, value: number])[];

/** The text of /proc/net/`name`, or null. */
export function trafficTable(net: NetNamespace, name: string): string | null {
  if (name === "snmp") return snmp(net);
  if (name === "netstat") return netstat(net.traffic);
  return name === "snmp6" ? snmp6(net.traffic) : null;
}

/** The counters of a link for /proc/net/dev and sysfs. */
export function countersOf({ received, sent }: Link): LinkCounters {
  return {
    ...NO_COUNTERS,
    rx_packets: received.packets,
    tx_packets: sent.packets,
    rx_bytes: received.bytes,
    tx_bytes: sent.bytes,
  };
}

/** A line of names and a line of values. */
function lines(title: string, rows: Rows): string {
  const names = rows.map(([name]) => name), values = rows.map(([, value]) => value);
  return `${title}: ${names.join(" ")}\n${title}: ${values.join(" ")}\n`;
}

/** Rows of names that are always 0. */
function none(names: string): Rows {
  return names.split(" ").map((name) => [name, 0]);
}

/** ICMP types with names in both versions. */
const NAMES_4: readonly (readonly [number, string])[] = [
  [I.ICMP_DEST_UNREACH, "DestUnreachs"],
  [11, "TimeExcds"],
  [12, "ParmProbs"],
  [4, "SrcQuenchs"],
  [5, "Redirects"],
  [I.ICMP_ECHO, "Echos"],
  [I.ICMP_ECHOREPLY, "EchoReps"],
  [13, "Timestamps"],
  [14, "TimestampReps"],
  [17, "AddrMasks"],
  [18, "AddrMaskReps"],
];
const NAMES_6: readonly (readonly [number, string])[] = [
  [I.ICMPV6_DEST_UNREACH, "DestUnreachs"],
  [2, "PktTooBigs"],
  [3, "TimeExcds"],
  [4, "ParmProblems"],
  [I.ICMPV6_ECHO_REQUEST, "Echos"],
  [I.ICMPV6_ECHO_REPLY, "EchoReplies"],
  [130, "GroupMembQueries"],
  [131, "GroupMembResponses"],
  [132, "GroupMembReductions"],
  [133, "RouterSolicits"],
  [134, "RouterAdvertisements"],
  [135, "NeighborSolicits"],
  [136, "NeighborAdvertisements"],
  [137, "Redirects"],
  [143, "MLDv2Reports"],
];

function named(
  prefix: string,
  counter: MessageCounter,
  names: readonly (readonly [number, string])[],
): Rows {
  return names.map(([type, name]) => [prefix + name, counter.of(type)]);
}

function byType(prefix: string, { types }: MessageCounter): Rows {
  return [...types].sort(([a], [b]) => a - b).map(([type, n]) => [`${prefix}Type${type}`, n]);
}

const REASSEMBLY = "ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates";

function snmp(net: NetNamespace): string {
  const { v4, tcp } = net.traffic;
  const { icmpIn, icmpOut } = v4;
  const types = [...byType("In", icmpIn), ...byType("Out", icmpOut)];
  return lines("Ip", [
    ["Forwarding", net.number("net/ipv4/ip_forward", 0) !== 0 ? 1 : 2],
    ["DefaultTTL", net.number("net/ipv4/ip_default_ttl", 64)],
    ["InReceives", v4.in.packets],
    ...none("InHdrErrors InAddrErrors"),
    ["ForwDatagrams", v4.forwarded],
    ...none("InUnknownProtos InDiscards"),
    ["InDelivers", v4.in.packets - v4.forwarded],
    ["OutRequests", v4.out.packets],
    ...none(`OutDiscards OutNoRoutes ${REASSEMBLY}`),
    ["OutTransmits", v4.out.packets + v4.forwarded],
  ]) + lines("Icmp", [
    ["InMsgs", icmpIn.all],
    ...none("InErrors InCsumErrors"),
    ...named("In", icmpIn, NAMES_4),
    ["OutMsgs", icmpOut.all],
    ...none("OutErrors OutRateLimitGlobal OutRateLimitHost"),
    ...named("Out", icmpOut, NAMES_4),
  ]) + (types.length > 0 ? lines("IcmpMsg", types) : "") + lines("Tcp", [
    ["RtoAlgorithm", 1],
    ["RtoMin", 200],
    ["RtoMax", 120000],
    ["MaxConn", -1],
    ["ActiveOpens", tcp.opened],
    ["PassiveOpens", tcp.accepted],
    ["AttemptFails", tcp.failed],
    ["EstabResets", tcp.reset],
    ["CurrEstab", established(net)],
    ["InSegs", tcp.segmentsIn],
    ["OutSegs", tcp.segmentsOut],
    ...none("RetransSegs InErrs"),
    ["OutRsts", tcp.resetsOut],
    ["InCsumErrors", 0],
  ]) + lines("Udp", udpRows(v4.udp)) + lines("UdpLite", udpRows(v4.udpLite));
}

function established({ inet }: NetNamespace): number {
  const connections = inet?.tcp.all() ?? [];
  return connections.filter((s) => s instanceof TcpSocket && isEstablished(s.state)).length;
}

function udpRows({ received, refused, dropped, overflows, sent }: UdpCounters): Rows {
  return [
    ["InDatagrams", received],
    ["NoPorts", refused],
    ["InErrors", dropped + overflows],
    ["OutDatagrams", sent],
    ["RcvbufErrors", overflows],
    ...none("SndbufErrors InCsumErrors IgnoredMulti MemErrors"),
  ];
}

/** Multicast and broadcast packets, and bytes of all packets. */
function octets(c: IpCounters): Rows {
  return [
    ["InOctets", c.in.bytes],
    ["OutOctets", c.out.bytes],
    ["InMcastOctets", c.inToGroups.bytes],
    ["OutMcastOctets", c.outToGroups.bytes],
    ["InBcastOctets", c.inToAll.bytes],
    ["OutBcastOctets", c.outToAll.bytes],
  ];
}

function netstat({ v4, tcp }: Traffic): string {
  return lines("TcpExt", [
    ["ListenOverflows", tcp.overflows],
    ["ListenDrops", tcp.overflows],
    ["TCPPureAcks", tcp.acksIn],
    ["TCPOrigDataSent", tcp.dataOut],
  ]) + lines("IpExt", [
    ...none("InNoRoutes InTruncatedPkts"),
    ["InMcastPkts", v4.inToGroups.packets],
    ["OutMcastPkts", v4.outToGroups.packets],
    ["InBcastPkts", v4.inToAll.packets],
    ["OutBcastPkts", v4.outToAll.packets],
    ...octets(v4),
    ["InCsumErrors", 0],
    ["InNoECTPkts", v4.in.packets],
    ...none("InECT1Pkts InECT0Pkts InCEPkts ReasmOverlaps"),
  ]);
}

function snmp6({ v6 }: Traffic): string {
  const { icmpIn, icmpOut } = v6;
  const prefixed = (prefix: string, rows: Rows): Rows => rows.map(([n, v]) => [prefix + n, v]);
  const rows: Rows = [
    ...prefixed("Ip6", [
      ["InReceives", v6.in.packets],
      ...none(
        "InHdrErrors InTooBigErrors InNoRoutes InAddrErrors InUnknownProtos InTruncatedPkts InDiscards",
      ),
      ["InDelivers", v6.in.packets - v6.forwarded],
      ["OutForwDatagrams", v6.forwarded],
      ["OutRequests", v6.out.packets],
      ...none(`OutDiscards OutNoRoutes ${REASSEMBLY}`),
      ["InMcastPkts", v6.inToGroups.packets],
      ["OutMcastPkts", v6.outToGroups.packets],
      ...octets(v6),
      ["InNoECTPkts", v6.in.packets],
      ...none("InECT1Pkts InECT0Pkts InCEPkts"),
      ["OutTransmits", v6.out.packets + v6.forwarded],
    ]),
    ...prefixed("Icmp6", [
      ["InMsgs", icmpIn.all],
      ["InErrors", 0],
      ["OutMsgs", icmpOut.all],
      ...none("OutErrors InCsumErrors OutRateLimitHost"),
      ...named("In", icmpIn, NAMES_6),
      ...named("Out", icmpOut, NAMES_6),
      ...byType("In", icmpIn),
      ...byType("Out", icmpOut),
    ]),
    ...prefixed("Udp6", udpRows(v6.udp)),
    ...prefixed("UdpLite6", udpRows(v6.udpLite).filter(([name]) => name !== "IgnoredMulti")),
  ];
  return rows.map(([name, value]) => `${name.padEnd(32)}\t${value}\n`).join("");
}
