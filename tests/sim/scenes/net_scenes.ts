/** Scenes of sockets: of the file system, of the loopback, of netlink, of packets. */

import { type ActingGuest, ints, join } from "./acting_guest.ts";
import type { Scenes } from "./scene.ts";

const AF_UNIX = 1, AF_INET = 2, AF_NETLINK = 16, AF_PACKET = 17, AF_INET6 = 10;
const STREAM = 1, DGRAM = 2, RAW = 3, SEQPACKET = 5, NONBLOCK = 0o4000;
const SOL_SOCKET = 1, SCM_RIGHTS = 1, SCM_CREDENTIALS = 2;
const MSG_DONTWAIT = 0x40, MSG_PEEK = 2, MSG_OOB = 1;
const LOOPBACK = 0x7f000001;

function inet(port: number, address: number = LOOPBACK): Uint8Array<ArrayBuffer> {
  const bytes = [port >> 8, port & 255, address >>> 24, address >> 16 & 255, address >> 8 & 255];
  return join(ints(2, AF_INET), ints(1, ...bytes, address & 255), new Uint8Array(8));
}

function named(name: string): Uint8Array<ArrayBuffer> {
  return join(ints(2, AF_UNIX), new TextEncoder().encode(name));
}

/** A message header with one piece of text, and a control message. */
function message(
  guest: ActingGuest,
  data: number,
  length: number,
  control: Uint8Array<ArrayBuffer>,
): number {
  const piece = guest.put(ints(8, data, length)), at = guest.put(control);
  return guest.put(join(ints(8, 0, 0, piece, 1, at, control.length), ints(4, 0, 0)));
}

function rights(...fds: readonly number[]): Uint8Array<ArrayBuffer> {
  const length = 16 + 4 * fds.length, end = new Uint8Array(-length & 7);
  return join(ints(8, length), ints(4, SOL_SOCKET, SCM_RIGHTS, ...fds), end);
}

function sendRights(guest: ActingGuest, socket: number, ...fds: readonly number[]): void {
  guest.must("sendmsg", socket, message(guest, guest.put("fd"), 2, rights(...fds)), 0);
}

/** A message with its control messages. */
function receive(guest: ActingGuest, socket: number): unknown {
  const data = guest.room(64), header = message(guest, data, 64, new Uint8Array(96));
  const result = guest.call("recvmsg", socket, header, MSG_DONTWAIT);
  const control = guest.word(header + 32);
  return [result, guest.bytes(data, 8), guest.bytes(control, 64), guest.bytes(header + 40, 12)];
}

function socket(guest: ActingGuest, family: number, type: number, protocol: number = 0): number {
  return guest.must("socket", family, type, protocol);
}

/** A socket that listens at a port of the loopback. */
function listener(guest: ActingGuest, port: number): number {
  const fd = socket(guest, AF_INET, STREAM);
  guest.must("setsockopt", fd, SOL_SOCKET, 2, ints(4, 1), 4);
  guest.must("bind", fd, inet(port), 16);
  guest.must("listen", fd, 4);
  return fd;
}

/** A process with a network of its own, whose loopback is up. */
function networked(guest: ActingGuest): ActingGuest {
  const child = guest.fork();
  child.must("unshare", 0x10000000 | 0x40000000);
  const fd = socket(child, AF_INET, DGRAM);
  const name = new TextEncoder().encode("lo\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
  child.must("ioctl", fd, 0x8914, join(name, ints(2, 1), new Uint8Array(22)));
  return child;
}

export const NET_SCENES: Scenes = {
  "descriptors in flight, some of which hold each other": (guest) => {
    const [a, b] = guest.pair("socketpair", AF_UNIX, STREAM, 0);
    const [c, d] = guest.pair("socketpair", AF_UNIX, STREAM, 0), [r, w] = guest.pair("pipe2");
    guest.must("write", w, "inside", 6);
    sendRights(guest, a, r, b);
    sendRights(guest, c, d);
    guest.must("close", r);
    guest.must("close", c);
    guest.must("close", d);
    return (world) => {
      const g = guest.in(world), seen: unknown[] = [receive(g, b)];
      // The descriptors that came have the lowest free numbers.
      seen.push(g.read(r - 2, 9), g.call("write", w, "more", 4), g.read(r - 2, 9));
      return [...seen, receive(g, b), g.readFile("/proc/net/unix").length];
    };
  },

  "credentials in flight, and a stream that is shut down half": (guest) => {
    const [a, b] = guest.pair("socketpair", AF_UNIX, STREAM, 0);
    guest.must("setsockopt", b, SOL_SOCKET, 16, ints(4, 1), 4);
    const own = join(ints(8, 28), ints(4, SOL_SOCKET, SCM_CREDENTIALS, guest.tid, 0, 0, 0));
    guest.must("sendmsg", a, message(guest, guest.put("who"), 3, own), 0);
    guest.must("write", a, "tail", 4);
    guest.must("shutdown", a, 1);
    return (world) => {
      const g = guest.in(world), seen = [receive(g, b), receive(g, b), g.read(b, 9)];
      return [...seen, g.call("write", b, "back", 4), g.read(a, 9), g.call("write", a, "x", 1)];
    };
  },

  "a listener with connections that wait, and a process that accepts": (guest) => {
    const fd = socket(guest, AF_UNIX, STREAM), client = socket(guest, AF_UNIX, STREAM);
    guest.must("bind", fd, named("/tmp/listener"), 15);
    guest.must("listen", fd, 3);
    guest.must("connect", client, named("/tmp/listener"), 15);
    guest.must("write", client, "early", 5);
    const idle = socket(guest, AF_UNIX, SEQPACKET);
    guest.must("bind", idle, named("\0abstract"), 11);
    guest.must("listen", idle, 1);
    const acceptor = guest.fork();
    acceptor.waits("accept4", idle, 0, 0, 0);
    return (world) => {
      const g = guest.in(world), taken = g.call("accept4", fd, 0, 0, 0) ?? -1;
      const seen: unknown[] = [taken, g.read(taken, 9)], packets = socket(g, AF_UNIX, SEQPACKET);
      seen.push(g.call("connect", packets, named("\0abstract"), 11), acceptor.in(world).result);
      return [...seen, g.call("write", packets, "one", 3), g.readFile("/proc/net/unix").length];
    };
  },

  "datagrams of the file system that wait": (guest) => {
    const one = socket(guest, AF_UNIX, DGRAM), other = socket(guest, AF_UNIX, DGRAM);
    guest.must("bind", one, named("/tmp/dgram"), 12);
    guest.must("bind", other, named(""), 2);
    for (const text of ["first", "second", ""]) {
      guest.must("sendto", other, text, text.length, 0, named("/tmp/dgram"), 12);
    }
    return (world) => {
      const g = guest.in(world), from = g.room(64), size = g.put(ints(4, 64)), seen: unknown[] = [];
      for (let i = 0; i < 4; i++) {
        const at = g.room(16);
        seen.push(g.call("recvfrom", one, at, 16, MSG_DONTWAIT, from, size), g.bytes(at, 8));
        seen.push(g.bytes(from, 12), g.word(size));
      }
      return seen;
    };
  },

  "TCP connections of the loopback, with bytes under way": (guest) => {
    const g0 = networked(guest), fd = listener(g0, 8001), client = socket(g0, AF_INET, STREAM);
    g0.must("connect", client, inet(8001), 16);
    const server = g0.must("accept4", fd, 0, 0, 0), later = socket(g0, AF_INET, STREAM);
    g0.must("connect", later, inet(8001), 16);
    g0.must("sendto", client, "request", 7, 0, 0, 0);
    g0.must("sendto", client, "!", 1, MSG_OOB, 0, 0);
    g0.must("sendto", server, "answer", 6, 0, 0, 0);
    g0.must("shutdown", server, 1);
    g0.must("setsockopt", client, 6, 1, ints(4, 1), 4);
    return (world) => {
      const g = g0.in(world), name = g.room(16), size = g.put(ints(4, 16));
      const seen: unknown[] = [g.read(server, 4), g.read(server, 64), g.read(client, 64)];
      seen.push(g.read(client, 64), g.call("getpeername", server, name, size), g.bytes(name, 16));
      const taken = g.call("accept4", fd, 0, 0, 0) ?? -1;
      seen.push(taken, g.call("sendto", later, "hi", 2, 0, 0, 0), g.read(taken, 9));
      const info = g.room(104), length = g.put(ints(4, 104));
      seen.push(g.call("getsockopt", client, 6, 11, info, length), g.bytes(info, 8));
      return [...seen, g.call("close", client), g.read(server, 9), g.readFile("/proc/net/tcp")];
    };
  },

  "processes that wait at sockets": (guest) => {
    const g0 = networked(guest), fd = listener(g0, 8002), acceptor = g0.fork(), reader = g0.fork();
    const client = socket(g0, AF_INET, STREAM), udp = socket(g0, AF_INET, DGRAM);
    g0.must("bind", udp, inet(9002), 16);
    acceptor.waits("accept4", fd, 0, 0, 0);
    const own = socket(reader, AF_INET, DGRAM);
    reader.must("bind", own, inet(9003), 16);
    reader.must("setsockopt", own, SOL_SOCKET, 20, ints(8, 5, 0), 16);
    reader.waits("recvfrom", own, reader.room(64), 64, 0, 0, 0);
    return (world) => {
      const g = g0.in(world), seen = [g.call("connect", client, inet(8002), 16)];
      seen.push(acceptor.in(world).result, g.call("sendto", udp, "dgram", 5, 0, inet(9003), 16));
      return [...seen, reader.in(world).result];
    };
  },

  "datagrams of the loopback, options and groups": (guest) => {
    const g0 = networked(guest),
      fd = socket(g0, AF_INET, DGRAM),
      other = socket(g0, AF_INET, DGRAM);
    g0.must("bind", fd, inet(9001, 0), 16);
    g0.call("setsockopt", fd, 0, 35, ints(1, 224, 0, 0, 9, 127, 0, 0, 1), 8);
    g0.must("setsockopt", fd, 0, 8, ints(4, 1), 4);
    g0.must("connect", other, inet(9001), 16);
    g0.must("sendto", other, "one", 3, 0, 0, 0);
    g0.must("sendto", other, "two", 3, 0, 0, 0);
    const six = socket(g0, AF_INET6, DGRAM);
    return (world) => {
      const g = g0.in(world), seen: unknown[] = [receive(g, fd), receive(g, fd), receive(g, fd)];
      seen.push(g.call("sendto", other, "six", 3, 0, 0, 0), g.call("close", six));
      return [...seen, receive(g, fd), g.readFile("/proc/net/udp")];
    };
  },

  "raw sockets, filters and packets": (guest) => {
    const g0 = networked(guest),
      raw = socket(g0, AF_INET, RAW, 1),
      udp = socket(g0, AF_INET, DGRAM);
    const packets = socket(g0, AF_PACKET, RAW, 0x0300), ring = socket(g0, AF_PACKET, RAW, 0x0300);
    const filter = g0.put(join(ints(2, 6), ints(1, 0, 0), ints(4, 40)));
    g0.must("setsockopt", packets, SOL_SOCKET, 26, join(ints(8, 1, filter)), 16);
    g0.must("setsockopt", ring, 263, 5, ints(4, 4096, 2, 2048, 4), 16);
    const at = g0.must("mmap", 0, 8192, 3, 1, ring, 0);
    g0.must("sendto", udp, "payload", 7, 0, inet(9009), 16);
    return (world) => {
      const g = g0.in(world), seen: unknown[] = [g.read(packets, 64), g.read(packets, 64)];
      seen.push(g.bytes(at, 64), g.call("recvfrom", raw, g.room(64), 64, MSG_DONTWAIT, 0, 0));
      seen.push(g.call("sendto", udp, "again", 5, 0, inet(9009), 16), g.bytes(at + 2048, 64));
      return [...seen, g.readFile("/proc/net/packet").length, g.read(packets, 64)];
    };
  },

  "netlink: a dump that is read half, and groups": (guest) => {
    const g0 = networked(guest), fd = socket(g0, AF_NETLINK, RAW, 0);
    const news = socket(g0, AF_NETLINK, RAW, 0);
    g0.must("bind", news, join(ints(2, AF_NETLINK, 0), ints(4, 0, 0x1ff)), 12);
    for (const type of [18, 22, 26]) {
      const request = join(ints(4, 32), ints(2, type, 0x301), ints(4, type, 0), new Uint8Array(16));
      g0.must("sendto", fd, request, 32, 0, 0, 0);
      if (type === 18) g0.must("recvfrom", fd, g0.room(64), 64, MSG_PEEK, 0, 0);
    }
    const name = new TextEncoder().encode("lo\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    g0.must(
      "ioctl",
      socket(g0, AF_INET, DGRAM),
      0x8922,
      join(name, ints(4, 9000), new Uint8Array(20)),
    );
    return (world) => {
      const g = g0.in(world), seen: unknown[] = [];
      for (let i = 0; i < 6; i++) {
        const at = g.room(4096), result = g.call("recvfrom", fd, at, 4096, MSG_DONTWAIT, 0, 0);
        seen.push(result, g.bytes(at, 64));
      }
      return [...seen, g.call("recvfrom", news, g.room(4096), 4096, MSG_DONTWAIT, 0, 0)];
    };
  },

  "a stream with a buffer that is full": (guest) => {
    const [a, b] = guest.pair("socketpair", AF_UNIX, STREAM | NONBLOCK, 0);
    guest.must("setsockopt", a, SOL_SOCKET, 7, ints(4, 4608), 4);
    let sent = 0;
    for (let r: number | null = 1; r !== null && r > 0; sent += Math.max(0, r ?? 0)) {
      r = guest.call("write", a, guest.room(4096), 4096);
    }
    const writer = guest.fork();
    writer.must("fcntl", a, 4, 2);
    writer.waits("write", a, "blocked", 7);
    return (world) => {
      const g = guest.in(world), seen: unknown[] = [sent];
      for (let i = 0; i < 8; i++) seen.push(g.call("read", b, g.room(4096), 4096));
      return [...seen, writer.in(world).result, g.read(b, 16)];
    };
  },
};
