import { assertEquals } from "@std/assert";
import { POLLERR, POLLHUP, POLLIN, POLLOUT } from "../../../../ffi/abi/poll.ts";
import { TEST_ACCOUNT } from "../../../core/account_testing.ts";
import * as I from "../../../../ffi/abi/inet.ts";
import {
  AF_INET,
  AF_UNSPEC,
  MSG_OOB,
  MSG_PEEK,
  MSG_TRUNC,
  SHUT_WR,
  SOCK_STREAM,
} from "../../../../ffi/abi/socket.ts";
import { errno } from "../../../vfs/vfs_testing.ts";
import { SocketAddress } from "../../message.ts";
import { inetAddress, NetLab } from "../../net_testing.ts";
import type { Socket } from "../../socket.ts";
import { TcpSocket } from "./tcp_socket.ts";
import { connectPair, listenOnLoopback, LO, setInt } from "./tcp_testing.ts";

const BITS = POLLIN | POLLOUT | POLLHUP | POLLERR;

const MS = 1e6;

/** A connection whose second socket has a full queue. */
function connectWithFullQueue(lab: NetLab): readonly [TcpSocket, TcpSocket] {
  const [a, b] = connectPair(lab), bytes = "x".repeat(65536);
  while (lab.send(a, bytes) !== "EAGAIN");
  return [a, b];
}

/** Let `ms` pass, as the kernel's loop does. */
function advanceTime(lab: NetLab, ms: number): void {
  const { host } = lab.test, { timers } = lab.net, end = host.monotonic + ms * MS;
  for (; timers.nextDeadlineNs <= end; timers.expire(host.monotonic)) {
    host.monotonic = timers.nextDeadlineNs;
  }
  host.monotonic = end;
}

Deno.test("a connection carries bytes, half-closes, and ends", () => {
  const lab = new NetLab(), [a, b] = connectPair(lab);
  assertEquals([lab.send(a, "request"), lab.receive(b, 3), lab.receive(b)], [7, "req", "uest"]);
  assertEquals([a.shutdown(SHUT_WR), lab.receive(b), lab.send(a, "x")], [0, "", "EPIPE"]);
  assertEquals([a.state, b.state], [I.TCP_FIN_WAIT2, I.TCP_CLOSE_WAIT]);
  assertEquals([lab.send(b, "reply"), lab.receive(a)], [5, "reply"]);
  b.shutdown(SHUT_WR);
  assertEquals([a.state, b.state, lab.receive(a)], [I.TCP_CLOSE, I.TCP_CLOSE, ""]);
  assertEquals(errno(a.peerName(new SocketAddress())), "ENOTCONN");
});

Deno.test("closing with unread data resets; data that arrived before can be read", () => {
  const lab = new NetLab(), [a, b] = connectPair(lab);
  lab.send(a, "unread");
  lab.send(b, "before");
  b.drop();
  assertEquals(a.poll() & BITS, BITS);
  assertEquals([lab.receive(a), lab.receive(a), lab.receive(a)], ["before", "ECONNRESET", ""]);
  assertEquals(lab.send(a, "x"), "EPIPE");
});

Deno.test("a send to a closed peer goes out once, then is EPIPE", () => {
  const lab = new NetLab(), [a, b] = connectPair(lab);
  b.drop();
  assertEquals([lab.receive(a), lab.send(a, "1"), lab.send(a, "2")], ["", 1, "EPIPE"]);
});

Deno.test("SO_LINGER with no time resets", () => {
  const lab = new NetLab(), [a, b] = connectPair(lab);
  b.options.lingerOn = true;
  b.drop();
  assertEquals(lab.receive(a), "ECONNRESET");
});

Deno.test("a stream peeks, discards, and stops a sender that is too fast", () => {
  const lab = new NetLab(), [a, b] = connectPair(lab);
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
  const lab = new NetLab(),
    [, address] = listenOnLoopback(lab),
    c = lab.socket(AF_INET, SOCK_STREAM);
  assertEquals(c.poll() & BITS, POLLOUT | POLLHUP);
  const connect = () => lab.connect(c, address, true);
  assertEquals([connect(), c.poll() & BITS], ["EINPROGRESS", POLLOUT]);
  assertEquals([connect(), connect()], [0, "EISCONN"]);
});

Deno.test("no listener: refused, at once or later, and the socket can be used again", () => {
  const lab = new NetLab(), c = lab.socket(AF_INET, SOCK_STREAM), nobody = inetAddress(LO, 9);
  assertEquals([lab.connect(c, nobody), lab.connect(c, nobody, true)], [
    "ECONNREFUSED",
    "EINPROGRESS",
  ]);
  assertEquals(c.poll() & BITS, BITS);
  const [, address] = listenOnLoopback(lab);
  assertEquals([lab.connect(c, address, true), lab.connect(c, address)], ["ECONNREFUSED", 0]);
});

Deno.test("with a full backlog a client waits until a connection is accepted", () => {
  const lab = new NetLab(), [listener, address] = listenOnLoopback(lab, 0);
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
  const lab = new NetLab(), [listener, address] = listenOnLoopback(lab, 0);
  const [a, b] = [0, 1].map(() => lab.socket(AF_INET, SOCK_STREAM));
  lab.connect(a!, address);
  lab.connect(b!, address, true);
  b!.drop();
  lab.accept(listener);
  assertEquals(errno(listener.accept(TEST_ACCOUNT) as number), "EAGAIN");
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

Deno.test("AF_UNSPEC takes a connection apart", () => {
  const lab = new NetLab(), [a, b] = connectPair(lab), none = new SocketAddress();
  none.start(AF_UNSPEC, 16);
  assertEquals([lab.connect(a, none), lab.receive(b), a.state], [0, "ECONNRESET", I.TCP_CLOSE]);
  const [, address] = listenOnLoopback(lab);
  assertEquals(lab.connect(a, address), 0);
});

Deno.test("data that wait for longer than TCP_USER_TIMEOUT end a connection", () => {
  const lab = new NetLab(), [a, b] = connectWithFullQueue(lab);
  assertEquals(setInt(a, I.IPPROTO_TCP, I.TCP_USER_TIMEOUT, 1000), 0);
  advanceTime(lab, 999);
  assertEquals([a.state, a.error], [I.TCP_ESTABLISHED, 0]);
  // A read restarts the time.
  lab.receive(b, 1000);
  advanceTime(lab, 999);
  assertEquals(a.state, I.TCP_ESTABLISHED);
  advanceTime(lab, 1);
  assertEquals([a.state, lab.send(a, "x"), lab.send(a, "x")], [I.TCP_CLOSE, "ETIMEDOUT", "EPIPE"]);
  // The peer has the bytes up to the window, and then the end.
  assertEquals(b.state, I.TCP_ESTABLISHED);
  let got = 0;
  while (b.incoming.length > 0) got += lab.receive(b, 1 << 16).length;
  assertEquals([got, lab.receive(b)], [131072, "ECONNRESET"]);
  assertEquals(lab.net.timers.size, 0);
});

Deno.test("an urgent byte that was not sent is lost with the data beyond the window", () => {
  const lab = new NetLab(), [a, b] = connectPair(lab);
  setInt(a, I.IPPROTO_TCP, I.TCP_USER_TIMEOUT, 1000);
  lab.send(a, "x".repeat(131072));
  assertEquals([lab.send(a, "yz", null, MSG_OOB), b.atMark], [2, 0]);
  advanceTime(lab, 1000);
  assertEquals([a.error, b.incoming.length, b.pendingBytes], [110, 131072, 131072]);
});

Deno.test("a timeout is forgotten when there is room, when it is off, and at the end", () => {
  const lab = new NetLab(), [a, b] = connectWithFullQueue(lab);
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
  const lab = new NetLab(), [, address] = listenOnLoopback(lab, 0);
  lab.connect(lab.socket(AF_INET, SOCK_STREAM), address);
  const asks = (name: number, value: number) => {
    const s = lab.socket(AF_INET, SOCK_STREAM);
    setInt(s, I.IPPROTO_TCP, name, value);
    assertEquals(lab.connect(s, address), "EAGAIN");
    let ms = 0;
    for (; s.error === 0; ms += 500) advanceTime(lab, 500);
    assertEquals([lab.connect(s, address), lab.net.timers.size], ["ETIMEDOUT", 0]);
    s.drop();
    return ms;
  };
  assertEquals([asks(I.TCP_SYNCNT, 1), asks(I.TCP_SYNCNT, 3)], [3000, 15000]);
  assertEquals([asks(I.TCP_USER_TIMEOUT, 100), asks(I.TCP_USER_TIMEOUT, 2500)], [1000, 2500]);
});

Deno.test("TCP_DEFER_ACCEPT keeps a connection until it has data, ends, or time is over", () => {
  const lab = new NetLab(), [listener, address] = listenOnLoopback(lab);
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
  advanceTime(lab, 6999);
  assertEquals(accepted(), false);
  advanceTime(lab, 1);
  assertEquals(accepted(), true);
  // A closed client leaves nothing behind, and the option counts as it is now.
  const c = connect();
  c.options.lingerOn = true;
  c.drop();
  assertEquals([lab.net.timers.size, accepted()], [0, false]);
  connect();
  setInt(listener, I.IPPROTO_TCP, I.TCP_DEFER_ACCEPT, 0);
  advanceTime(lab, 1000);
  assertEquals(accepted(), true);
});
