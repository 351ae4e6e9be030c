import { assertEquals } from "@std/assert";
import { IPPROTO_IP, IPPROTO_IPV6, IPV6_V6ONLY } from "../../../ffi/abi/inet.ts";
import * as I from "../../../ffi/abi/inet.ts";
import { AF_INET, AF_INET6, SOCK_STREAM } from "../../../ffi/abi/socket.ts";
import { NO_CAPS, userCredentials } from "../../cred/credentials.ts";
import { errno } from "../../vfs/vfs_testing.ts";
import { SocketAddress } from "../message.ts";
import { inet6Address, inetAddress, NetLab } from "../net_testing.ts";
import { OptionValue } from "../socket_options.ts";
import { describeAddress, LOOPBACK4, LOOPBACK6 } from "./address.ts";
import { connectPair, listenOnLoopback, LO, setInt } from "./tcp/tcp_testing.ts";

Deno.test("ports: which sockets may share them", () => {
  const lab = new NetLab();
  const tcp = (address: SocketAddress, reuse = false, v6Only = false) => {
    const s = lab.socket(address.family, SOCK_STREAM);
    s.options.reuseAddress = reuse;
    if (v6Only) setInt(s, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    return [lab.bind(s, address), s] as const;
  };
  assertEquals(tcp(inetAddress("0.0.0.0", 5000))[0], 0);
  assertEquals(tcp(inetAddress(LO, 5000))[0], "EADDRINUSE");
  assertEquals(tcp(inet6Address(0, 5000))[0], "EADDRINUSE");
  assertEquals(tcp(inet6Address(0, 5000), false, true)[0], 0);
  assertEquals(tcp(inet6Address(1, 5000))[0], "EADDRINUSE");
  assertEquals(tcp(inetAddress(LO, 5001))[0], 0);
  assertEquals(tcp(inetAddress("127.0.0.2", 5001))[0], 0);
  assertEquals(tcp(inetAddress("192.0.2.1", 5002))[0], "EADDRNOTAVAIL");
  const [r1, s1] = tcp(inetAddress(LO, 5003), true), [r2, s2] = tcp(inetAddress(LO, 5003), true);
  assertEquals([r1, r2, errno(s1.listen(lab, 1)), errno(s2.listen(lab, 1))], [
    0,
    0,
    0,
    "EADDRINUSE",
  ]);
  assertEquals(tcp(inetAddress(LO, 5003), true)[0], "EADDRINUSE");
  s1.drop();
  assertEquals(errno(s2.listen(lab, 1)), 0);
});

Deno.test("low ports need a capability", () => {
  const lab = new NetLab();
  lab.cred = userCredentials(1000, 1000, [], NO_CAPS);
  assertEquals(lab.bind(lab.socket(AF_INET, SOCK_STREAM), inetAddress(LO, 80)), "EACCES");
});

Deno.test("an AF_INET6 socket for both families sees IPv4 clients as mapped", () => {
  const lab = new NetLab(), s = lab.socket(AF_INET6, SOCK_STREAM);
  lab.bind(s, inet6Address(0, 5005));
  s.listen(lab, 5);
  assertEquals(lab.connect(lab.socket(AF_INET, SOCK_STREAM), inetAddress("127.0.0.9", 5005)), 0);
  const other = lab.accept(s), name = new SocketAddress();
  other.peerName(name);
  assertEquals([name.length, name.dv.getUint16(18), name.dv.getUint32(20)], [
    28,
    0xffff,
    0x7f000001,
  ]);
  other.localName(name);
  assertEquals(name.dv.getUint32(20), 0x7f000009);
  assertEquals(lab.connect(lab.socket(AF_INET6, SOCK_STREAM), inet6Address(1, 5005)), 0);
});

Deno.test("only the loopback is reachable, and only while it is up", () => {
  const lab = new NetLab(),
    c = lab.socket(AF_INET, SOCK_STREAM),
    [, address] = listenOnLoopback(lab);
  assertEquals(lab.connect(c, inetAddress("192.0.2.1", 80)), "ENETUNREACH");
  lab.net.links.lo.isUp = false;
  assertEquals(lab.connect(c, address), "ENETUNREACH");
});

Deno.test("options have bounds and defaults", () => {
  const lab = new NetLab(), s = lab.socket(AF_INET, SOCK_STREAM), value = new OptionValue();
  assertEquals(setInt(s, IPPROTO_IP, I.IP_TTL, 0), "EINVAL");
  assertEquals([
    setInt(s, IPPROTO_IP, I.IP_TTL, 9),
    s.getProtocolOption(IPPROTO_IP, I.IP_TTL, value),
  ], [
    0,
    0,
  ]);
  assertEquals(value.int, 9);
  assertEquals(setInt(s, I.IPPROTO_TCP, I.TCP_NODELAY, 5), 0);
  s.getProtocolOption(I.IPPROTO_TCP, I.TCP_NODELAY, value);
  assertEquals(value.int, 1);
  assertEquals(setInt(s, I.IPPROTO_TCP, 9999, 1), "ENOPROTOOPT");
  assertEquals(setInt(s, IPPROTO_IPV6, IPV6_V6ONLY, 1), "ENOPROTOOPT");
});

Deno.test("sockets that are closed leave no memory and no ports behind", () => {
  const lab = new NetLab();
  for (let i = 0; i < 3; i++) {
    const [a, b] = connectPair(lab);
    lab.send(a, "x".repeat(100_000));
    a.drop();
    b.drop();
    assertEquals([a.ports.all().length, lab.net.frames.usedBytes], [0, 0]);
  }
});

Deno.test("addresses as text", () => {
  assertEquals([describeAddress(LOOPBACK4), describeAddress(LOOPBACK6)], [LO, "::1"]);
});
