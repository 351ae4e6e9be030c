import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { POLLIN, POLLOUT } from "../../ffi/abi/poll.ts";
import { TEST_ACCOUNT } from "../../kernel/core/account_testing.ts";
import { CAP_NET_RAW } from "../../ffi/abi/capability.ts";
import * as I from "../../ffi/abi/inet.ts";
import * as N from "../../ffi/abi/netlink.ts";
import * as S from "../../ffi/abi/socket.ts";
import { addressOf, allocBuffer } from "../../ffi/sys/cstring.ts";
import { NO_CAPS, userCredentials } from "../../kernel/cred/credentials.ts";
import { KernelCursor } from "../../kernel/mm/cursor.ts";
import { SocketAddress } from "../../kernel/net/message.ts";
import {
  inet6Address,
  inetAddress,
  NetLab,
  portOf,
  unixAddress,
} from "../../kernel/net/net_testing.ts";
import { Socket } from "../../kernel/net/socket.ts";
import { OptionValue } from "../../kernel/net/socket_options.ts";
import { errno } from "../../kernel/vfs/vfs_testing.ts";
import { RealHost } from "./real_host.ts";
import { HostLab } from "./host_lab_testing.ts";
import { RealHostNetwork } from "./host_network.ts";

Deno.test("a stream: bytes, waiting, the end, a broken pipe", () => {
  const lab = new HostLab(), [a, b] = lab.connected();
  assertEquals(lab.take(b), "EAGAIN");
  assertEquals([lab.put(a, "hello"), a.poll() & POLLOUT], [5, POLLOUT]);
  lab.host.poll(1e9);
  assertEquals([b.poll() & POLLIN, b.pendingBytes], [POLLIN, 5]);
  assertEquals([lab.take(b, 2, S.MSG_PEEK), lab.take(b, 3), lab.take(b)], ["he", "hel", "lo"]);
  assertEquals(a.shutdown(S.SHUT_WR), 0);
  assertEquals([lab.take(b), lab.put(a, "x")], ["", "EPIPE"]);
  a.drop();
  b.drop();
});

Deno.test("a read at an offset sees the rest, and then waits", () => {
  const lab = new HostLab(), [a, b] = lab.connected();
  lab.put(a, "abcdef");
  assertEquals(lab.take(b, 4, S.MSG_PEEK), "abcd");
  lab.last.reset(S.MSG_PEEK);
  lab.last.skipped = 4;
  const at = allocBuffer(16), cursor = new KernelCursor();
  assertEquals(b.receive(cursor.set(addressOf(at), 10), lab.last), 2);
  assertEquals(new TextDecoder().decode(at.slice(0, 2)), "ef");
  lab.last.skipped = 6;
  assertEquals(errno(b.receive(cursor.set(addressOf(at), 10), lab.last)), "EAGAIN");
  a.drop();
  lab.host.poll(1e9);
  assertEquals([b.receive(cursor.set(addressOf(at), 10), lab.last), lab.last.isWhole], [0, true]);
  b.drop();
});

Deno.test("addresses of other families and lengths do not get to the host", () => {
  const lab = new HostLab(), s = lab.socket(S.AF_INET, S.SOCK_STREAM);
  assertEquals(lab.bind(s, unixAddress("/tmp/x")), "EINVAL");
  assertEquals(lab.bind(s, unixAddress("/tmp/a-longer-name")), "EAFNOSUPPORT");
  const address = new SocketAddress();
  assertEquals(lab.connect(s, address), "EINVAL");
  address.start(S.AF_INET, 2);
  assertEquals(lab.connect(s, address), "EINVAL");
  address.start(S.AF_NETLINK, 128);
  assertEquals(lab.connect(s, address), "EAFNOSUPPORT");
  assertEquals(lab.bind(s, inetAddress("192.0.2.77", 0)), "EADDRNOTAVAIL");
  s.drop();
});

Deno.test("types and protocols that a guest may not have", () => {
  const lab = new HostLab();
  const open = (type: number, protocol: number): string => {
    const maker = lab.net.familyOf(S.AF_INET, type);
    const made = typeof maker === "number" ? maker : maker.create(lab, type, protocol);
    if (!(made instanceof Socket)) return String(errno(made));
    made.drop();
    return "ok";
  };
  assertEquals(open(S.SOCK_SEQPACKET, 0), "ESOCKTNOSUPPORT");
  assertEquals(open(S.SOCK_RAW, 0), "EPROTONOSUPPORT");
  assertEquals(open(S.SOCK_RAW, 999), "EPROTONOSUPPORT");
  assertEquals(open(S.SOCK_STREAM, I.IPPROTO_UDP), "EPROTONOSUPPORT");
  assertEquals(open(S.SOCK_DGRAM, I.IPPROTO_ICMPV6), "EPROTONOSUPPORT");
  lab.cred = userCredentials(1000, 1000, [], NO_CAPS);
  assertEquals([CAP_NET_RAW, open(S.SOCK_RAW, I.IPPROTO_ICMP)], [13, "EPERM"]);
  const s = lab.socket(S.AF_INET, S.SOCK_STREAM);
  assertEquals(lab.bind(s, inetAddress("127.0.0.1", 80)), "EACCES");
  s.drop();
});

Deno.test("options go to the host if they are listed; the time to linger never does", () => {
  const lab = new HostLab(), s = lab.socket(S.AF_INET, S.SOCK_STREAM), value = new OptionValue();
  const set = (level: number, name: number, n: number): string | number => {
    value.setInt(n);
    return errno(s.setProtocolOption(level, name, value));
  };
  assertEquals(set(I.IPPROTO_TCP, I.TCP_NODELAY, 1), 0);
  value.length = 4;
  assertEquals([s.getProtocolOption(I.IPPROTO_TCP, I.TCP_NODELAY, value), value.int], [0, 1]);
  assertEquals(set(I.IPPROTO_TCP, 31, 1), "ENOPROTOOPT");
  assertEquals(set(263, 1, 1), "ENOPROTOOPT");
  value.length = 4096;
  assertEquals(errno(s.setProtocolOption(I.IPPROTO_TCP, I.TCP_NODELAY, value)), 0);
  value.length = 0;
  assertEquals(errno(s.setProtocolOption(I.IPPROTO_TCP, I.TCP_NODELAY, value)), "EINVAL");
  value.dv.setInt32(0, 1, true);
  value.dv.setInt32(4, 30, true);
  value.length = 8;
  assertEquals(s.setSocketOption(lab, S.SO_LINGER, value), 0);
  value.length = 8;
  s.getSocketOption(S.SO_LINGER, value);
  assertEquals([value.int, value.dv.getInt32(4, true)], [1, 30]);
  s.drop();
});

Deno.test("rtnetlink answers are the host's; requests that change something are refused", () => {
  const lab = new HostLab();
  assertEquals(lab.net.transport.devices().map((d) => d.name).includes("lo"), true);
  const socket = lab.socket(S.AF_NETLINK, S.SOCK_RAW, N.NETLINK_ROUTE);
  const ask = (type: number, flags: number, bytes: number): DataView => {
    const u8 = new Uint8Array(N.Nlmsghdr.size + bytes), dv = new DataView(u8.buffer);
    dv.setUint32(N.Nlmsghdr.at.len, u8.length, true);
    dv.setUint16(N.Nlmsghdr.at.type, type, true);
    dv.setUint16(N.Nlmsghdr.at.flags, flags | N.NLM_F_REQUEST, true);
    dv.setUint32(N.Nlmsghdr.at.seq, 77, true);
    lab.send(socket, String.fromCharCode(...u8));
    const text = lab.receive(socket, 16384);
    while (lab.receive(socket, 16384) !== "EAGAIN");
    return new DataView(Uint8Array.from(text, (c) => c.charCodeAt(0)).buffer);
  };
  const link = ask(N.RTM_GETLINK, N.NLM_F_DUMP, 16);
  assertEquals(link.getUint16(N.Nlmsghdr.at.type, true), N.RTM_NEWLINK);
  assertEquals(link.getUint32(N.Nlmsghdr.at.seq, true), 77);
  for (const type of [N.RTM_NEWLINK, N.RTM_DELLINK, N.RTM_NEWADDR, N.RTM_NEWROUTE, N.RTM_SETLINK]) {
    const error = ask(type, N.NLM_F_ACK, 16);
    assertEquals(error.getInt32(N.Nlmsghdr.size, true), -1, `type ${type}`);
  }
  const short = ask(N.RTM_GETROUTE, 0, 1);
  assertEquals(errno(short.getInt32(N.Nlmsghdr.size, true)), "EAFNOSUPPORT");
  socket.drop();
});

Deno.test("tables and settings of the namespace are read before its /proc is out of sight", () => {
  const network = new RealHostNetwork(true);
  assertStringIncludes(network.table("dev") ?? "", "lo:");
  assertEquals([network.table("tcp"), network.table("../self/environ")], [null, null]);
  assertEquals(network.settings.get("net/ipv4/conf/all/forwarding")?.length, 1);
});

Deno.test("guests cannot take all descriptors; closed ones do not count", () => {
  const host = new RealHost(1, 1 << 30, 1 << 30), network = new RealHostNetwork(false);
  const lab = new NetLab(host, Object.assign(network, { maxSockets: 2 }));
  const a = lab.socket(S.AF_INET, S.SOCK_DGRAM), b = lab.socket(S.AF_INET6, S.SOCK_STREAM);
  assertThrows(() => lab.socket(S.AF_INET, S.SOCK_STREAM), Error, "ENFILE");
  a.drop();
  lab.bind(b, inet6Address(1, 0));
  b.listen(lab, 1);
  const c = lab.socket(S.AF_INET6, S.SOCK_STREAM);
  lab.connect(c, inet6Address(1, portOf(b)), true);
  assertEquals(errno(Number(b.accept(TEST_ACCOUNT))), "ENFILE");
  c.drop();
  b.drop();
});
