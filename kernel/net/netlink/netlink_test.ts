import { assertEquals } from "@std/assert";
import { POLLIN } from "../../../ffi/abi/poll.ts";
import * as N from "../../../ffi/abi/netlink.ts";
import { AF_INET, AF_NETLINK, AF_UNSPEC, SOCK_RAW } from "../../../ffi/abi/socket.ts";
import { EEXIST, EOPNOTSUPP, EPERM } from "../../../ffi/abi/errno.ts";
import { NO_CAPS, userCredentials } from "../../cred/credentials.ts";
import { SocketAddress } from "../message.ts";
import { NetLab } from "../net_testing.ts";
import type { Socket } from "../socket.ts";

const HEADER = N.Nlmsghdr.size;

/** A request as a byte string: the header and a body of `bytes` zeros with `set` words in it. */
function request(type: number, flags: number, bytes: number, set: [number, number][] = []): string {
  const u8 = new Uint8Array(HEADER + bytes), dv = new DataView(u8.buffer);
  dv.setUint32(N.Nlmsghdr.at.len, u8.length, true);
  dv.setUint16(N.Nlmsghdr.at.type, type, true);
  dv.setUint16(N.Nlmsghdr.at.flags, flags | N.NLM_F_REQUEST, true);
  dv.setUint32(N.Nlmsghdr.at.seq, 77, true);
  for (const [at, value] of set) dv.setUint32(HEADER + at, value, true);
  return String.fromCharCode(...u8);
}

/** All replies in the queue: type, and the first word of the body as a signed number. */
function answers(lab: NetLab, socket: Socket): [number, number][] {
  const found: [number, number][] = [];
  for (;;) {
    const text = lab.receive(socket, 16384);
    if (text === "EAGAIN") return found;
    const u8 = Uint8Array.from(text, (c) => c.charCodeAt(0)), dv = new DataView(u8.buffer);
    for (let at = 0; at < u8.length;) {
      assertEquals(dv.getUint32(at + N.Nlmsghdr.at.seq, true), 77);
      const type = dv.getUint16(at + N.Nlmsghdr.at.type, true);
      found.push([type, dv.getInt32(at + HEADER, true)]);
      at += dv.getUint32(at, true);
    }
  }
}

function lab(): { lab: NetLab; socket: Socket; ask: (text: string) => [number, number][] } {
  const lab = new NetLab(), socket = lab.socket(AF_NETLINK, SOCK_RAW, N.NETLINK_ROUTE);
  const ask = (text: string) => {
    assertEquals(lab.send(socket, text), text.length);
    return answers(lab, socket);
  };
  return { lab, socket, ask };
}

Deno.test("dumps of links, addresses and routes list lo and end", () => {
  const { ask } = lab(), types = (t: number) => ask(request(t, N.NLM_F_DUMP, 16)).map(([x]) => x);
  assertEquals(types(N.RTM_GETLINK), [N.RTM_NEWLINK, N.NLMSG_DONE]);
  assertEquals(types(N.RTM_GETADDR), [N.RTM_NEWADDR, N.RTM_NEWADDR, N.NLMSG_DONE]);
  assertEquals(types(N.RTM_GETROUTE).length, 5);
  assertEquals(types(N.RTM_GETNEIGH), [N.NLMSG_DONE]);
});

Deno.test("lo can be switched off and on by an administrator", () => {
  const { lab: l, ask } = lab(), { index, flags, change } = N.Ifinfomsg.at;
  const set = (up: number) =>
    ask(request(N.RTM_NEWLINK, N.NLM_F_ACK, 16, [[index, 1], [flags, up], [change, 1]]));
  assertEquals([set(0), l.net.links.lo.isUp], [[[N.NLMSG_ERROR, 0]], false]);
  assertEquals([set(1), l.net.links.lo.isUp], [[[N.NLMSG_ERROR, 0]], true]);
  l.cred = userCredentials(1000, 1000, [], NO_CAPS);
  assertEquals([set(0), l.net.links.lo.isUp], [[[N.NLMSG_ERROR, -EPERM]], true]);
});

Deno.test("unsupported changes are refused, and an existing address is EEXIST", () => {
  const { ask } = lab(), { index } = N.Ifaddrmsg.at;
  const attribute = (address: number): [number, number][] => [
    [index, 1],
    [8, 8 | (N.IFA_LOCAL << 16)],
    [12, address],
  ];
  const add = (address: number, family: number) =>
    ask(request(N.RTM_NEWADDR, 0, 16, [[0, family | 8 << 8], ...attribute(address)]));
  assertEquals(add(0x0100007f, AF_INET), [[N.NLMSG_ERROR, -EEXIST]]);
  assertEquals(add(0x0100000a, AF_UNSPEC), [[N.NLMSG_ERROR, -EOPNOTSUPP]]);
  assertEquals(ask(request(N.RTM_NEWROUTE, 0, 12)), [[N.NLMSG_ERROR, -EOPNOTSUPP]]);
});

Deno.test("broken requests are answered by nothing or an error, and never more", () => {
  const { ask } = lab();
  assertEquals(ask("short"), []);
  assertEquals(ask(request(N.RTM_GETLINK, N.NLM_F_DUMP, 16).substring(0, 20)), []);
  assertEquals(ask("\xff".repeat(64)), []);
  assertEquals(ask(request(N.RTM_GETLINK, 0, 0)).length, 1);
  assertEquals(ask(request(N.RTM_NEWLINK, 0, 2)).length, 1);
  assertEquals(ask(request(N.RTM_NEWADDR, 0, 3)).length, 1);
  assertEquals(ask(request(N.RTM_GETADDR, N.NLM_F_DUMP, 0)).length, 3);
});

Deno.test("port ids: the pid first, then others; polling", () => {
  const { lab: l, socket } = lab(), name = new SocketAddress();
  const idOf = (s: Socket) => {
    name.start(AF_NETLINK, 12);
    assertEquals(s.bind(l, name), 0);
    s.localName(name);
    return name.dv.getUint32(4, true);
  };
  assertEquals(idOf(socket), 7);
  const other = l.socket(AF_NETLINK, SOCK_RAW, N.NETLINK_ROUTE);
  assertEquals(idOf(other) > 4194304, true);
  name.start(AF_NETLINK, 12);
  name.dv.setUint32(4, 7, true);
  assertEquals(l.bind(l.socket(AF_NETLINK, SOCK_RAW, N.NETLINK_ROUTE), name), "EADDRINUSE");
  name.start(AF_UNSPEC, 12);
  assertEquals(l.bind(socket, name), "EINVAL");
  assertEquals(socket.poll() & POLLIN, 0);
  l.send(socket, request(N.RTM_GETLINK, N.NLM_F_DUMP, 16));
  assertEquals(socket.poll() & POLLIN, POLLIN);
});
