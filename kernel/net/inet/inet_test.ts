import { TEST_ACCOUNT } from "../../core/account_testing.ts";
import { assertEquals } from "@std/assert";
import { IPPROTO_IP, IPPROTO_IPV6, IPV6_V6ONLY } from "../../../ffi/abi/inet.ts";
import * as I from "../../../ffi/abi/inet.ts";
import {
  AF_INET,
  AF_INET6,
  AF_UNSPEC,
  MSG_OOB,
  MSG_PEEK,
  MSG_TRUNC,
  SHUT_RDWR,
  SHUT_WR,
  SOCK_DGRAM,
  SOCK_STREAM,
} from "../../../ffi/abi/socket.ts";
import { NO_CAPS, userCredentials } from "../../cred/credentials.ts";
import { POLLERR, POLLHUP, POLLIN, POLLOUT } from "../../vfs/open_file.ts";
import { errno } from "../../vfs/vfs_testing.ts";
import { SocketAddress } from "../message.ts";
import { inet6Address, inetAddress, NetLab, portOf } from "../net_testing.ts";
import { OptionValue } from "../socket_options.ts";
import type { Socket } from "../socket.ts";
import { describeAddress, LOOPBACK4, LOOPBACK6 } from "./address.ts";
import { TcpSocket } from "./tcp/tcp_socket.ts";

const BITS = POLLIN | POLLOUT | POLLHUP | POLLERR;
const LO = "127.0.0.1";

function server(lab: NetLab, backlog = 5): readonly [Socket, SocketAddress] {
  const s = lab.socket(AF_INET, SOCK_STREAM);
  lab.bind(s, inetAddress(LO, 0));
  assertEquals(s.listen(lab, backlog), 0);
  return [s, inetAddress(LO, portOf(s))];
}

/** Client and server ends of a connection. */
function connected(lab: NetLab): readonly [TcpSocket, TcpSocket] {
  const [listener, address] = server(lab), client = lab.socket(AF_INET, SOCK_STREAM);
  assertEquals(lab.connect(client, address), 0);
  const other = lab.accept(listener);
  listener.drop();
  if (!(client instanceof TcpSocket) || !(other instanceof TcpSocket)) throw new Error("no TCP");
  return [client, other];
}

function setInt(socket: Socket, level: number, name: number, value: number): string | number {
  const option = new OptionValue();
  option.setInt(value);
  return errno(socket.setProtocolOption(level, name, option));
}

Deno.test("a connection carries bytes, half-closes, and ends", () => {
  const lab = new NetLab(), [a, b] = connected(lab);
  assertEquals([lab.send(a, "request"), lab.receive(b, 3), lab.receive(b)], [7, "req", "uest"]);
  assertEquals([a.shutdown(SHUT_WR), lab.receive(b), lab.send(a, "x")], [0, "", "EPIPE"]);
  assertEquals([a.state, b.state], [I.TCP_FIN_WAIT2, I.TCP_CLOSE_WAIT]);
  assertEquals([lab.send(b, "reply"), lab.receive(a)], [5, "reply"]);
  b.shutdown(SHUT_WR);
  assertEquals([a.state, b.state, lab.receive(a)], [I.TCP_CLOSE, I.TCP_CLOSE, ""]);
  assertEquals(errno(a.peerName(new SocketAddress())), "ENOTCONN");
});

Deno.test("closing with unread data resets; what arrived before can be read", () => {
  const lab = new NetLab(), [a, b] = connected(lab);
  lab.send(a, "unread");
  lab.send(b, "before");
  b.drop();
  assertEquals(a.poll() & BITS, BITS);
  assertEquals([lab.receive(a), lab.receive(a), lab.receive(a)], ["before", "ECONNRESET", ""]);
  assertEquals(lab.send(a, "x"), "EPIPE");
});

Deno.test("a send to a closed peer goes out once, then is EPIPE", () => {
  const lab = new NetLab(), [a, b] = connected(lab);
  b.drop();
  assertEquals([lab.receive(a), lab.send(a, "1"), lab.send(a, "2")], ["", 1, "EPIPE"]);
});

Deno.test("SO_LINGER with no time resets", () => {
  const lab = new NetLab(), [a, b] = connected(lab);
  b.options.lingerOn = true;
  b.drop();
  assertEquals(lab.receive(a), "ECONNRESET");
});

Deno.test("a stream peeks, throws away, and holds back a sender that is too fast", () => {
  const lab = new NetLab(), [a, b] = connected(lab);
  lab.send(a, "0123456789");
  assertEquals([lab.receive(b, 4, MSG_PEEK), lab.receive(b, 4, MSG_TRUNC)], ["0123", "\0\0\0\0"]);
  assertEquals(lab.receive(b, 100), "456789");
  let sent = 0;
  for (;;) {
    const n = lab.send(a, "x".repeat(65536));
    if (typeof n === "string") break;
    sent += n;
  }
  assertEquals([sent > 100_000, a.poll() & POLLOUT], [true, 0]);
  while (lab.receive(b, 65536) !== "EAGAIN") continue;
  assertEquals(a.poll() & POLLOUT, POLLOUT);
});

Deno.test("connecting without waiting is in progress, then done, then connected", () => {
  const lab = new NetLab(), [, address] = server(lab), c = lab.socket(AF_INET, SOCK_STREAM);
  assertEquals(c.poll() & BITS, POLLOUT | POLLHUP);
  const connect = () => lab.connect(c, address, true);
  assertEquals([connect(), c.poll() & BITS], ["EINPROGRESS", POLLOUT]);
  assertEquals([connect(), connect()], [0, "EISCONN"]);
});

Deno.test("nobody listens: refused, at once or later, and the socket can be used again", () => {
  const lab = new NetLab(), c = lab.socket(AF_INET, SOCK_STREAM), nobody = inetAddress(LO, 9);
  assertEquals([lab.connect(c, nobody), lab.connect(c, nobody, true)], [
    "ECONNREFUSED",
    "EINPROGRESS",
  ]);
  assertEquals(c.poll() & BITS, BITS);
  const [, address] = server(lab);
  assertEquals([lab.connect(c, address, true), lab.connect(c, address)], ["ECONNREFUSED", 0]);
});

Deno.test("with a full backlog a client waits until somebody accepts", () => {
  const lab = new NetLab(), [listener, address] = server(lab, 0);
  const [a, b] = [0, 1].map(() => lab.socket(AF_INET, SOCK_STREAM));
  assertEquals([lab.connect(a!, address), lab.connect(b!, address)], [0, "EAGAIN"]);
  assertEquals([b!.poll() & BITS, lab.send(b!, "x")], [0, "EAGAIN"]);
  const first = lab.accept(listener);
  assertEquals([b!.poll() & BITS, lab.connect(b!, address)], [POLLOUT, 0]);
  assertEquals([lab.send(a!, "a"), lab.receive(first)], [1, "a"]);
  listener.drop();
  assertEquals([lab.receive(b!), lab.connect(lab.socket(AF_INET, SOCK_STREAM), address)], [
    "ECONNRESET",
    "ECONNREFUSED",
  ]);
});

Deno.test("a client that gives up waiting is forgotten by the listener", () => {
  const lab = new NetLab(), [listener, address] = server(lab, 0);
  const [a, b] = [0, 1].map(() => lab.socket(AF_INET, SOCK_STREAM));
  lab.connect(a!, address);
  lab.connect(b!, address, true);
  b!.drop();
  lab.accept(listener);
  assertEquals(errno(listener.accept(TEST_ACCOUNT) as number), "EAGAIN");
});

Deno.test("ports: who may bind beside whom", () => {
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

Deno.test("low ports are for those who may", () => {
  const lab = new NetLab();
  lab.cred = userCredentials(1000, 1000, [], NO_CAPS);
  assertEquals(lab.bind(lab.socket(AF_INET, SOCK_STREAM), inetAddress(LO, 80)), "EACCES");
});

Deno.test("SO_REUSEPORT spreads connections over the listeners of one user", () => {
  const lab = new NetLab(), listeners: Socket[] = [];
  for (let i = 0; i < 2; i++) {
    const s = lab.socket(AF_INET, SOCK_STREAM);
    s.options.reusePort = true;
    assertEquals([lab.bind(s, inetAddress(LO, 5004)), s.listen(lab, 50)], [0, 0]);
    listeners.push(s);
  }
  const client = lab.socket(AF_INET, SOCK_STREAM);
  assertEquals(lab.connect(client, inetAddress(LO, 5004)), 0);
  assertEquals(listeners.filter((s) => (s.poll() & POLLIN) !== 0).length, 1);
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

Deno.test("there is nothing but the loopback, and nothing when it is down", () => {
  const lab = new NetLab(), c = lab.socket(AF_INET, SOCK_STREAM), [, address] = server(lab);
  assertEquals(lab.connect(c, inetAddress("192.0.2.1", 80)), "ENETUNREACH");
  lab.net.links.lo.isUp = false;
  assertEquals(lab.connect(c, address), "ENETUNREACH");
});

Deno.test("AF_UNSPEC takes a connection apart", () => {
  const lab = new NetLab(), [a, b] = connected(lab), none = new SocketAddress();
  none.start(AF_UNSPEC, 16);
  assertEquals([lab.connect(a, none), lab.receive(b), a.state], [0, "ECONNRESET", I.TCP_CLOSE]);
  const [, address] = server(lab);
  assertEquals(lab.connect(a, address), 0);
});

Deno.test("datagrams: addresses, connecting, refusal", () => {
  const lab = new NetLab(),
    a = lab.socket(AF_INET, SOCK_DGRAM),
    b = lab.socket(AF_INET, SOCK_DGRAM);
  lab.bind(a, inetAddress("0.0.0.0", 6000));
  const to = inetAddress(LO, 6000);
  assertEquals([lab.send(b, "none"), lab.send(b, "hello", to)], ["EDESTADDRREQ", 5]);
  assertEquals([lab.receive(a), lab.last.name.dv.getUint16(2)], ["hello", portOf(b)]);
  assertEquals([lab.connect(b, to), lab.send(b, "again"), lab.receive(a)], [0, 5, "again"]);
  const c = lab.socket(AF_INET, SOCK_DGRAM);
  lab.bind(c, inetAddress(LO, 6001));
  assertEquals([lab.send(c, "x", inetAddress(LO, portOf(b))), lab.receive(b)], [1, "EAGAIN"]);
  a.drop();
  assertEquals([lab.send(b, "1"), b.poll() & POLLERR, lab.receive(b)], [
    1,
    POLLERR,
    "ECONNREFUSED",
  ]);
  assertEquals(lab.send(c, "lost", to), 4, "an unconnected sender hears nothing");
  assertEquals(lab.send(c, "x".repeat(65508), to), "EMSGSIZE");
});

Deno.test("a full datagram queue drops, and says nothing", () => {
  const lab = new NetLab(),
    a = lab.socket(AF_INET, SOCK_DGRAM),
    b = lab.socket(AF_INET, SOCK_DGRAM);
  lab.bind(a, inetAddress(LO, 6002));
  for (let i = 0; i < 20; i++) {
    assertEquals(lab.send(b, "x".repeat(30_000), inetAddress(LO, 6002)), 30_000);
  }
  let got = 0;
  while (lab.receive(a, 30_000) !== "EAGAIN") got++;
  assertEquals(got > 1 && got < 20, true);
});

Deno.test("shutdown needs a connection", () => {
  const lab = new NetLab();
  for (const type of [SOCK_STREAM, SOCK_DGRAM]) {
    assertEquals(errno(lab.socket(AF_INET, type).shutdown(SHUT_RDWR)), "ENOTCONN");
  }
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
    const [a, b] = connected(lab);
    lab.send(a, "x".repeat(100_000));
    a.drop();
    b.drop();
    assertEquals([a.ports.all().length, lab.net.frames.usedBytes], [0, 0]);
  }
});

Deno.test("addresses as people write them", () => {
  assertEquals([describeAddress(LOOPBACK4), describeAddress(LOOPBACK6)], [LO, "::1"]);
});

/** A connection whose second socket has a full queue. */
function filled(lab: NetLab): readonly [TcpSocket, TcpSocket] {
  const [a, b] = connected(lab), bytes = "x".repeat(65536);
  while (lab.send(a, bytes) !== "EAGAIN");
  return [a, b];
}

const MS = 1e6;

/** Let `ms` pass, as the kernel's loop does. */
function pass(lab: NetLab, ms: number): void {
  const { host } = lab.test, { timers } = lab.net, end = host.monotonic + ms * MS;
  for (; timers.nextDeadlineNs <= end; timers.expire(host.monotonic)) {
    host.monotonic = timers.nextDeadlineNs;
  }
  host.monotonic = end;
}

Deno.test("data that wait for longer than TCP_USER_TIMEOUT end a connection", () => {
  const lab = new NetLab(), [a, b] = filled(lab);
  assertEquals(setInt(a, I.IPPROTO_TCP, I.TCP_USER_TIMEOUT, 1000), 0);
  pass(lab, 999);
  assertEquals([a.state, a.error], [I.TCP_ESTABLISHED, 0]);
  // A read restarts the time.
  lab.receive(b, 1000);
  pass(lab, 999);
  assertEquals(a.state, I.TCP_ESTABLISHED);
  pass(lab, 1);
  assertEquals([a.state, lab.send(a, "x"), lab.send(a, "x")], [I.TCP_CLOSE, "ETIMEDOUT", "EPIPE"]);
  // The peer has the bytes up to the window, and then the end.
  assertEquals(b.state, I.TCP_ESTABLISHED);
  let got = 0;
  while (b.incoming.length > 0) got += lab.receive(b, 1 << 16).length;
  assertEquals([got, lab.receive(b)], [131072, "ECONNRESET"]);
  assertEquals(lab.net.timers.size, 0);
});

Deno.test("an urgent byte that never left is lost with what was behind the window", () => {
  const lab = new NetLab(), [a, b] = connected(lab);
  setInt(a, I.IPPROTO_TCP, I.TCP_USER_TIMEOUT, 1000);
  lab.send(a, "x".repeat(131072));
  assertEquals([lab.send(a, "yz", null, MSG_OOB), b.atMark], [2, 0]);
  pass(lab, 1000);
  assertEquals([a.error, b.incoming.length, b.pendingBytes], [110, 131072, 131072]);
});

Deno.test("a timeout is forgotten when there is room, when it is off, and at the end", () => {
  const lab = new NetLab(), [a, b] = filled(lab);
  const set = (ms: number) => setInt(a, I.IPPROTO_TCP, I.TCP_USER_TIMEOUT, ms);
  assertEquals([set(1000), lab.net.timers.size, set(0), lab.net.timers.size], [0, 1, 0, 0]);
  set(1000);
  while (b.incoming.length > 0) lab.receive(b, 1 << 16);
  assertEquals(lab.net.timers.size, 0);
  lab.send(a, "x".repeat(200_000));
  assertEquals(lab.net.timers.size, 1);
  a.drop();
  assertEquals(lab.net.timers.size, 0);
});

Deno.test("connecting ends after TCP_SYNCNT tries, or TCP_USER_TIMEOUT", () => {
  const lab = new NetLab(), [, address] = server(lab, 0);
  lab.connect(lab.socket(AF_INET, SOCK_STREAM), address);
  const asks = (name: number, value: number) => {
    const s = lab.socket(AF_INET, SOCK_STREAM);
    setInt(s, I.IPPROTO_TCP, name, value);
    assertEquals(lab.connect(s, address), "EAGAIN");
    let ms = 0;
    for (; s.error === 0; ms += 500) pass(lab, 500);
    assertEquals([lab.connect(s, address), lab.net.timers.size], ["ETIMEDOUT", 0]);
    s.drop();
    return ms;
  };
  assertEquals([asks(I.TCP_SYNCNT, 1), asks(I.TCP_SYNCNT, 3)], [3000, 15000]);
  assertEquals([asks(I.TCP_USER_TIMEOUT, 100), asks(I.TCP_USER_TIMEOUT, 2500)], [1000, 2500]);
});

Deno.test("TCP_DEFER_ACCEPT keeps a connection until it has data, ends, or time is over", () => {
  const lab = new NetLab(), [listener, address] = server(lab);
  setInt(listener, I.IPPROTO_TCP, I.TCP_DEFER_ACCEPT, 5);
  const connect = () => {
    const client = lab.socket(AF_INET, SOCK_STREAM);
    assertEquals(lab.connect(client, address), 0);
    return client;
  };
  const accepted = () => typeof listener.accept(TEST_ACCOUNT) !== "number";
  const a = connect();
  assertEquals(accepted(), false);
  lab.send(a, "x");
  assertEquals([accepted(), lab.net.timers.size], [true, 0]);
  const b = connect();
  b.shutdown(SHUT_WR);
  assertEquals(accepted(), true);
  connect();
  pass(lab, 6999);
  assertEquals(accepted(), false);
  pass(lab, 1);
  assertEquals(accepted(), true);
  // A closed client leaves nothing behind, and the option counts as it is now.
  const c = connect();
  c.options.lingerOn = true;
  c.drop();
  assertEquals([lab.net.timers.size, accepted()], [0, false]);
  connect();
  setInt(listener, I.IPPROTO_TCP, I.TCP_DEFER_ACCEPT, 0);
  pass(lab, 1000);
  assertEquals(accepted(), true);
});
