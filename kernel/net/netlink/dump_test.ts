// Dumps of netlink: a bounded part for each receive, whatever the list has.

import { assert, assertEquals } from "@std/assert";
import { POLLIN } from "../../../ffi/abi/poll.ts";
import { EBUSY } from "../../../ffi/abi/errno.ts";
import * as N from "../../../ffi/abi/netlink.ts";
import * as D from "../../../ffi/abi/sock_diag.ts";
import { AF_INET, AF_NETLINK, AF_UNIX, SOCK_DGRAM, SOCK_RAW } from "../../../ffi/abi/socket.ts";
import { ANY4, LOOPBACK4 } from "../inet/address.ts";
import { NetLab } from "../net_testing.ts";
import { NetlinkSocket } from "./netlink_socket.ts";

const HEADER = N.Nlmsghdr.size, ALL = 0xffffffff;

interface Answer {
  readonly type: number;
  readonly flags: number;
  readonly word: number;
}

function open(lab: NetLab, protocol: number): NetlinkSocket {
  const socket = lab.socket(AF_NETLINK, SOCK_RAW, protocol);
  if (!(socket instanceof NetlinkSocket)) throw new Error("no netlink socket");
  return socket;
}

function ask(lab: NetLab, socket: NetlinkSocket, type: number, body: Uint8Array): void {
  const u8 = new Uint8Array(HEADER + body.length), dv = new DataView(u8.buffer);
  dv.setUint32(N.Nlmsghdr.at.len, u8.length, true);
  dv.setUint16(N.Nlmsghdr.at.type, type, true);
  dv.setUint16(N.Nlmsghdr.at.flags, N.NLM_F_REQUEST | N.NLM_F_DUMP, true);
  u8.set(body, HEADER);
  assertEquals(lab.send(socket, String.fromCharCode(...u8)), u8.length);
}

/** The messages of one datagram; null: none yet, but a later turn may bring some. */
function receive(lab: NetLab, socket: NetlinkSocket): Answer[] | null {
  const text = lab.receive(socket, 65536);
  if (text === "EAGAIN") return null;
  const dv = new DataView(Uint8Array.from(text, (c) => c.charCodeAt(0)).buffer);
  const found: Answer[] = [];
  for (let at = 0; at < dv.byteLength;) {
    const flags = dv.getUint16(at + N.Nlmsghdr.at.flags, true);
    const type = dv.getUint16(at + N.Nlmsghdr.at.type, true);
    found.push({ type, flags, word: dv.getInt32(at + HEADER, true) });
    at += (dv.getUint32(at, true) + 3) & ~3;
  }
  return found;
}

function unixRequest(states: number): Uint8Array {
  const u8 = new Uint8Array(D.UnixDiagReq.size);
  u8[0] = AF_UNIX;
  new DataView(u8.buffer).setUint32(D.UnixDiagReq.at.states, states, true);
  return u8;
}

Deno.test("a dump of many sockets waits in small parts, and ends", () => {
  const lab = new NetLab(), socket = open(lab, N.NETLINK_SOCK_DIAG);
  for (let i = 0; i < 5000; i++) lab.socket(AF_UNIX, SOCK_DGRAM);
  ask(lab, socket, D.SOCK_DIAG_BY_FAMILY, unixRequest(ALL));
  const all: Answer[] = [];
  let receives = 0;
  for (; all.at(-1)?.type !== N.NLMSG_DONE; receives++) {
    assert((socket.poll() & POLLIN) !== 0 && socket.queuedBytes < 16384);
    all.push(...receive(lab, socket) ?? []);
  }
  assert(receives > 50);
  assertEquals(all.length, 5001);
  assertEquals([socket.dump, socket.poll() & POLLIN, receive(lab, socket)], [null, 0, null]);
});

Deno.test("a part of a dump without a message takes a turn of its own", () => {
  const lab = new NetLab(), socket = open(lab, N.NETLINK_SOCK_DIAG);
  for (let i = 0; i < 5000; i++) lab.socket(AF_UNIX, SOCK_DGRAM);
  ask(lab, socket, D.SOCK_DIAG_BY_FAMILY, unixRequest(0));
  let turns = 0;
  let last = receive(lab, socket);
  for (; last === null && socket.needsTurn; turns++) last = receive(lab, socket);
  assertEquals([turns, last?.map(({ type }) => type)], [1, [N.NLMSG_DONE]]);
});

Deno.test("while a dump is read, another one is refused", () => {
  const lab = new NetLab(), socket = open(lab, N.NETLINK_SOCK_DIAG);
  for (let i = 0; i < 200; i++) lab.socket(AF_UNIX, SOCK_DGRAM);
  ask(lab, socket, D.SOCK_DIAG_BY_FAMILY, unixRequest(ALL));
  ask(lab, socket, D.SOCK_DIAG_BY_FAMILY, unixRequest(ALL));
  const all: Answer[] = [];
  for (let part = receive(lab, socket); part !== null; part = receive(lab, socket)) {
    all.push(...part);
  }
  const errors = all.filter(({ type }) => type === N.NLMSG_ERROR);
  assertEquals(errors.map(({ word }) => word), [-EBUSY]);
  assertEquals(all.filter(({ type }) => type === N.NLMSG_DONE).length, 1);
});

function address(last: number): string {
  return ANY4.slice(0, 12) + String.fromCharCode(10, 0, last >> 8, last & 255);
}

function withAddresses(count: number): { lab: NetLab; socket: NetlinkSocket } {
  const lab = new NetLab(), { links } = lab.net;
  for (let i = 0; i < count; i++) {
    const own = address(i), label = "lo", broadcast = null;
    const one = { address: own, prefix: 32, scope: 0, peer: own, broadcast, label, origin: 0 };
    assertEquals(links.addAddress(links.lo, one), 0);
  }
  return { lab, socket: open(lab, N.NETLINK_ROUTE) };
}

Deno.test("a dump of addresses that change meanwhile is marked once for each change", () => {
  const { lab, socket } = withAddresses(500), { links } = lab.net;
  const body = new Uint8Array(N.Ifaddrmsg.size);
  const read = (change: () => void): number[] => {
    ask(lab, socket, N.RTM_GETADDR, body);
    const flags: number[] = [];
    for (let part = receive(lab, socket), n = 0; part !== null; part = receive(lab, socket)) {
      flags.push(...part.map((one) => one.flags));
      if (n++ === 1) change();
    }
    return flags;
  };
  const marked = (flags: number[]) => flags.filter((f) => (f & N.NLM_F_DUMP_INTR) !== 0).length;
  assertEquals(marked(read(() => {})), 0);
  assertEquals(marked(read(() => links.removeAddress(links.lo, address(7), 32))), 1);
});

Deno.test("a dump of routes continues after the last one, though routes are deleted", () => {
  const lab = new NetLab(), { links } = lab.net, socket = open(lab, N.NETLINK_ROUTE);
  for (let i = 0; i < 500; i++) {
    const route = {
      type: N.RTN_UNICAST,
      network: address(i),
      bits: 32,
      via: null,
      link: links.lo,
      metric: 0,
      source: null,
      scope: 253,
      protocol: 3,
      connected: null,
    };
    assertEquals(links.addRoute(route, false, false), 0);
  }
  const body = new Uint8Array(N.Rtmsg.size);
  body[0] = AF_INET;
  ask(lab, socket, N.RTM_GETROUTE, body);
  let count = 0;
  for (let part = receive(lab, socket), n = 0; part !== null; part = receive(lab, socket)) {
    count += part.filter(({ type }) => type === N.RTM_NEWROUTE).length;
    // The first three were sent already.
    if (n++ < 3) links.removeRoute(address(n), 32, () => true);
  }
  // Table local has the address, its network and the broadcast address.
  assertEquals(links.linkOf(LOOPBACK4), links.lo);
  assertEquals(count, 500 + 3);
});
