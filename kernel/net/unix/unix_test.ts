import { assert, assertEquals } from "@std/assert";
import { POLLERR, POLLHUP, POLLIN, POLLOUT } from "../../../ffi/abi/poll.ts";
import {
  AF_UNIX,
  MSG_PEEK,
  MSG_TRUNC,
  SHUT_WR,
  SO_PEERCRED,
  SOCK_DGRAM,
  SOCK_SEQPACKET,
  SOCK_STREAM,
} from "../../../ffi/abi/socket.ts";
import { AT_FDCWD } from "../../../ffi/abi/fcntl.ts";
import { unlinkAt } from "../../vfs/remove.ts";
import { BpfProgram } from "../../bpf/classic_program.ts";
import { BufferCursor, errno } from "../../vfs/vfs_testing.ts";
import { Message, PeerCredentials, SocketAddress } from "../message.ts";
import { NetLab, unixAddress } from "../net_testing.ts";
import { getSocketOption, OptionValue } from "../socket_options.ts";
import type { Socket } from "../socket.ts";

const BITS = POLLIN | POLLOUT | POLLHUP | POLLERR;

function sendRights(lab: NetLab, socket: Socket, text: string, files: Socket[]): number {
  const message = new Message();
  message.reset(0);
  message.caller = lab;
  message.rights = files.map((file) => {
    file.hold();
    return file;
  });
  const n = socket.send(new BufferCursor(new TextEncoder().encode(text)), message);
  message.dropRights();
  return n;
}

for (const type of [SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM]) {
  Deno.test(`a pair of type ${type} carries bytes both ways`, () => {
    const lab = new NetLab(), [a, b] = lab.pair(type);
    assertEquals([lab.receive(a), lab.send(a, "ping"), lab.receive(b)], ["EAGAIN", 4, "ping"]);
    assertEquals([lab.send(b, "pong"), lab.receive(a, 2, MSG_PEEK)], [4, "po"]);
    assertEquals(lab.receive(a), "pong");
  });

  Deno.test(`type ${type} gives its memory back`, () => {
    const lab = new NetLab(), [a, b] = lab.pair(type);
    lab.send(a, "x".repeat(50_000));
    b.drop();
    a.drop();
    assertEquals(lab.net.frames.usedBytes, 0);
  });

  Deno.test(`descriptors through type ${type} are kept under way and closed when lost`, () => {
    const lab = new NetLab(), [a, b] = lab.pair(type), [c, d] = lab.pair(SOCK_STREAM);
    assertEquals(sendRights(lab, a, "fd", [c]), 2);
    assertEquals(c.refs, 2);
    assertEquals([lab.receive(b, 10, MSG_PEEK), lab.last.rights?.length, c.refs], ["fd", 1, 3]);
    lab.last.dropRights();
    assertEquals([lab.receive(b), lab.last.rights?.[0] === c, c.refs], ["fd", true, 2]);
    lab.last.dropRights();
    sendRights(lab, a, "fd", [c, d]);
    b.drop();
    assertEquals([c.refs, d.refs], [1, 1]);
  });
}

Deno.test("a chain of sockets under way in each other is closed, however long", () => {
  const lab = new NetLab();
  let [last] = lab.pair(SOCK_STREAM);
  for (let i = 0; i < 3_000; i++) {
    const [a, b] = lab.pair(SOCK_STREAM);
    assertEquals(sendRights(lab, a, "x", [last]), 1);
    last.drop();
    a.drop();
    last = b;
  }
  last.drop();
  const { deferred } = lab.net;
  while (!deferred.isEmpty) deferred.step();
  assertEquals(lab.net.frames.usedBytes, 0);
});

Deno.test("a stream joins sent bytes, but a read stops after descriptors", () => {
  const lab = new NetLab(), [a, b] = lab.pair(SOCK_STREAM);
  lab.send(a, "one");
  lab.send(a, "two");
  sendRights(lab, a, "fd", [a]);
  lab.send(a, "three");
  assertEquals([lab.receive(b, 2), lab.receive(b), lab.last.isWhole], ["on", "etwofd", true]);
  lab.last.dropRights();
  assertEquals([lab.receive(b), lab.last.rights], ["three", null]);
});

Deno.test("with SO_PASSCRED a stream keeps bytes of different credentials apart", () => {
  const lab = new NetLab(), [a, b] = lab.pair(SOCK_STREAM);
  b.options.passCredentials = true;
  lab.send(a, "x");
  const message = new Message();
  message.reset(0);
  message.credentials = new PeerCredentials(99, 5, 6, []);
  message.hasCredentials = true;
  a.send(new BufferCursor(new TextEncoder().encode("y")), message);
  assertEquals([lab.receive(b), lab.last.credentials?.pid], ["x", 7]);
  assertEquals([lab.receive(b), lab.last.credentials?.uid], ["y", 5]);
});

Deno.test("packets keep boundaries and are cut to the buffer", () => {
  for (const type of [SOCK_SEQPACKET, SOCK_DGRAM]) {
    const lab = new NetLab(), [a, b] = lab.pair(type);
    lab.send(a, "first");
    lab.send(a, "");
    lab.send(a, "second");
    assertEquals([lab.receive(b, 2), lab.last.outFlags & MSG_TRUNC], ["fi", MSG_TRUNC]);
    assertEquals([lab.receive(b), lab.receive(b), lab.receive(b)], ["", "second", "EAGAIN"]);
    assertEquals(lab.send(a, "x".repeat(300_000)), "EMSGSIZE");
  }
});

Deno.test("a full stream becomes writable when half of it is read", () => {
  const lab = new NetLab(), [a, b] = lab.pair(SOCK_STREAM);
  let sent = 0;
  for (;;) {
    const n = lab.send(a, "x".repeat(10_000));
    if (typeof n === "string") break;
    sent += n;
  }
  assertEquals([sent, a.poll() & POLLOUT], [212992, 0]);
  lab.receive(b, 100_000);
  assertEquals(a.poll() & POLLOUT, 0);
  lab.receive(b, 10_000);
  assertEquals(a.poll() & POLLOUT, POLLOUT);
});

Deno.test("shutdown is seen on both sides", () => {
  const lab = new NetLab(), [a, b] = lab.pair(SOCK_STREAM);
  lab.send(a, "last");
  a.shutdown(SHUT_WR);
  assertEquals([lab.send(a, "x"), lab.receive(b), lab.receive(b)], ["EPIPE", "last", ""]);
  assertEquals([lab.send(b, "ok"), lab.receive(a)], [2, "ok"]);
});

Deno.test("closing with unread bytes resets the peer, after the bytes in its queue", () => {
  const lab = new NetLab(), [a, b] = lab.pair(SOCK_STREAM);
  lab.send(a, "unread");
  lab.send(b, "for a");
  b.drop();
  assertEquals(a.poll() & BITS, POLLIN | POLLOUT | POLLHUP | POLLERR);
  assertEquals([lab.receive(a), lab.receive(a), lab.receive(a)], ["for a", "ECONNRESET", ""]);
  assertEquals(lab.send(a, "x"), "EPIPE");
});

Deno.test("listen, connect and accept by path: backlog, names, credentials", () => {
  const lab = new NetLab(), listener = lab.socket(AF_UNIX, SOCK_STREAM);
  assertEquals([lab.bind(listener, unixAddress("/s")), errno(listener.listen(lab, 1))], [0, 0]);
  assertEquals(lab.bind(lab.socket(AF_UNIX, SOCK_STREAM), unixAddress("/s")), "EADDRINUSE");
  const clients = [0, 1, 2].map(() => lab.socket(AF_UNIX, SOCK_STREAM));
  const results = clients.map((c) => lab.connect(c, unixAddress("/s")));
  assertEquals(results, [0, 0, "EAGAIN"]);
  assertEquals(clients[2]!.blockedOn === listener.queue, true);
  const server = lab.accept(listener);
  assertEquals(lab.connect(clients[2]!, unixAddress("/s")), 0);
  lab.send(clients[0]!, "hello");
  assertEquals(lab.receive(server), "hello");
  const name = new SocketAddress();
  assertEquals(clients[0]!.peerName(name), 0);
  assertEquals([...name.u8.subarray(0, name.length)], [1, 0, 47, 115, 0]);
  const value = new OptionValue();
  getSocketOption(server, SO_PEERCRED, value);
  assertEquals([value.length, value.int], [12, 7]);
  listener.drop();
  assertEquals([lab.receive(clients[1]!), lab.connect(clients[1]!, unixAddress("/s"))], [
    "ECONNRESET",
    "ECONNREFUSED",
  ]);
});

Deno.test("names: abstract, chosen, unlinked, taken again", () => {
  const lab = new NetLab(),
    a = lab.socket(AF_UNIX, SOCK_DGRAM),
    b = lab.socket(AF_UNIX, SOCK_DGRAM);
  assertEquals(lab.bind(a, unixAddress("\0name")), 0);
  assertEquals(lab.bind(b, unixAddress("\0name")), "EADDRINUSE");
  assertEquals([lab.send(b, "x", unixAddress("\0name")), lab.receive(a)], [1, "x"]);
  a.drop();
  assertEquals([lab.bind(b, unixAddress("\0name")), lab.bind(b, unixAddress("\0n2"))], [
    0,
    "EINVAL",
  ]);
  const auto = lab.socket(AF_UNIX, SOCK_DGRAM), name = new SocketAddress();
  assertEquals(lab.bind(auto, unixAddress("")), 0);
  auto.localName(name);
  assertEquals([name.length, name.u8[2]], [8, 0]);
  const c = lab.socket(AF_UNIX, SOCK_DGRAM);
  lab.bind(c, unixAddress("/c"));
  unlinkAt(lab, AT_FDCWD, "/c");
  assertEquals(lab.send(b, "x", unixAddress("/c")), "ENOENT");
  assertEquals(lab.bind(lab.socket(AF_UNIX, SOCK_DGRAM), unixAddress("/c")), 0);
});

Deno.test("a datagram sender waits for a full receiver, and is woken on its own queue", () => {
  const lab = new NetLab(),
    a = lab.socket(AF_UNIX, SOCK_DGRAM),
    b = lab.socket(AF_UNIX, SOCK_DGRAM);
  lab.bind(b, unixAddress("/b"));
  assertEquals(lab.connect(a, unixAddress("/b")), 0);
  let sent = 0;
  while (lab.send(a, "m") === 1) sent++;
  assertEquals([sent, a.blockedOn === b.queue, a.poll() & POLLOUT], [11, true, 0]);
  lab.receive(b);
  assertEquals(a.poll() & POLLOUT, POLLOUT);
  b.drop();
  assertEquals([lab.send(a, "x"), lab.send(a, "x")], ["ECONNREFUSED", "ENOTCONN"]);
});

Deno.test("a datagram socket with a peer takes messages from it only", () => {
  const lab = new NetLab(), [a] = lab.pair(SOCK_DGRAM), c = lab.socket(AF_UNIX, SOCK_DGRAM);
  lab.bind(a, unixAddress("/a"));
  assertEquals(lab.send(c, "x", unixAddress("/a")), "EPERM");
});

Deno.test("types do not mix, and plain files are no sockets", () => {
  const lab = new NetLab(), s = lab.socket(AF_UNIX, SOCK_STREAM);
  lab.bind(s, unixAddress("/s"));
  s.listen(lab, 1);
  assertEquals(lab.connect(lab.socket(AF_UNIX, SOCK_DGRAM), unixAddress("/s")), "EPROTOTYPE");
  assertEquals(lab.connect(lab.socket(AF_UNIX, SOCK_SEQPACKET), unixAddress("/s")), "EPROTOTYPE");
  assertEquals(lab.connect(lab.socket(AF_UNIX, SOCK_STREAM), unixAddress("/")), "ECONNREFUSED");
  assert(lab.connect(lab.socket(AF_UNIX, SOCK_STREAM), unixAddress("/none")) === "ENOENT");
});

Deno.test("a filter cuts and drops messages, and the sender gets no error", () => {
  for (const type of [SOCK_DGRAM, SOCK_SEQPACKET]) {
    const lab = new NetLab(), [a, b] = lab.pair(type);
    // LD the first byte; RET it.
    const source = Uint8Array.of(0x30, 0, 0, 0, 0, 0, 0, 0, 0x16, 0, 0, 0, 0, 0, 0, 0);
    b.options.filter = BpfProgram.parse(source, "socket");
    const sent = ["\x04cut", "\x03cut", "\x00gone", "", "\x63all"].map((text) => lab.send(a, text));
    assertEquals(sent, [4, 4, 5, 0, 4]);
    const got = Array.from({ length: 4 }, () => lab.receive(b));
    assertEquals(got, ["\x04cut", "\x03cu", "\x63all", "EAGAIN"]);
    b.options.filter = null;
    a.drop();
    b.drop();
  }
});
