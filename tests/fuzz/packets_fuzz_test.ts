/**
 * Frames from outside into a network namespace: those of the corpus, changed, doubled, in any
 * order, with right and with wrong sums. Nothing is thrown; a socket gets the datagrams that a
 * second, simple reading of the frame finds, and no others; what comes back is well formed and
 * bounded; a connection of TCP beside them delivers its bytes; and nothing is left.
 *
 * A connection of TCP here has no segments (kernel/net/inet/tcp/tcp_socket.ts), so none can be lost
 * on the way: the frames are forged ones, of its own ports too.
 */

import { TEST_ACCOUNT } from "../../kernel/core/account_testing.ts";
import { assert, assertEquals } from "@std/assert";
import { decodeHex, encodeHex } from "@std/encoding";
import { IPPROTO_ICMP, IPPROTO_ICMPV6 } from "../../ffi/abi/inet.ts";
import {
  AF_INET,
  AF_INET6,
  AF_PACKET,
  SOCK_DGRAM,
  SOCK_RAW,
  SOCK_STREAM,
  SOL_PACKET,
} from "../../ffi/abi/socket.ts";
import * as P from "../../ffi/abi/packet.ts";
import * as quotas from "../../kernel/core/quota.ts";
import { MAPPED } from "../../kernel/net/inet/address.ts";
import type { Link, LinkKind } from "../../kernel/net/link/link.ts";
import { Message, SocketAddress } from "../../kernel/net/message.ts";
import { inetAddress, NetLab, portOf } from "../../kernel/net/net_testing.ts";
import { sendFrame } from "../../kernel/net/packet/send_frame.ts";
import { OptionValue } from "../../kernel/net/socket_options.ts";
import type { Socket } from "../../kernel/net/socket.ts";
import { BufferCursor } from "../../kernel/vfs/vfs_testing.ts";
import { ROOT } from "../harness/dvisor.ts";
import { runCases } from "../harness/fuzz_run.ts";
import type { Random } from "../harness/seeded.ts";
import { datagramIn, isSound, sealFrame } from "./packets_model.ts";

const FRAMES = 60, PORT = 5000, LISTENER = 80;
const MACS = ["\x02\0\0\0\0\x01", "\x02\0\0\0\0\x02"] as const;
const ALL = 0x0300, OUTGOING = 4, TYPE_AT = 10;
/** LIMIT: frames that come back for one: an answer, or an answer and what it is answered with. */
const ANSWERS_MAX = 2;
const MTU = 1500;

const CORPUS: readonly Uint8Array<ArrayBuffer>[] = Deno.readTextFileSync(
  `${ROOT}/tests/fuzz/corpus/packets/frames.txt`,
).trim().split("\n").map((line) => new Uint8Array(decodeHex(line.split(" ")[1]!)));

/** Two stations with a link between them, or with a bridge of a third one. */
class Wire {
  readonly near: NetLab = new NetLab();
  readonly far: NetLab = new NetLab();
  readonly link: Link;

  constructor(hasBridge: boolean) {
    const ends = [this.near, this.far].map((lab, i) => newLink(lab, "veth", "eth0", MACS[i]));
    const [one, two] = ends;
    if (hasBridge) bridgeTo(ends);
    else pair(one!, two!);
    ends.forEach((link, i) => {
      link.table.setUp(link.table.lo, true);
      link.table.setUp(link, true);
      addAddress(link, MAPPED + String.fromCharCode(10, 0, 1, i + 1), 24);
      addAddress(link, "\xfd" + "\0".repeat(14) + String.fromCharCode(i + 1), 64);
    });
    this.link = one!;
  }
}

function newLink({ net }: NetLab, kind: LinkKind, name: string, mac?: string): Link {
  const link = net.links.add(kind, name, mac);
  if (typeof link === "number") throw new Error("no link");
  return link;
}

function pair(one: Link, two: Link): void {
  one.peer = two;
  two.peer = one;
}

/** Each end is paired with a port of one bridge. */
function bridgeTo(ends: readonly Link[]): void {
  const middle = new NetLab(), bridge = newLink(middle, "bridge", "br0"), { table } = bridge;
  table.setUp(bridge, true);
  for (const [i, end] of ends.entries()) {
    const port = newLink(middle, "veth", `port${i}`);
    pair(port, end);
    table.setUp(port, true);
    assertEquals(table.enslave(port, bridge), 0);
  }
}

function addAddress(link: Link, address: string, prefix: number): void {
  const common = { scope: 0, broadcast: null, label: link.name, origin: 0 };
  assertEquals(link.table.addAddress(link, { address, prefix, peer: address, ...common }), 0);
}

/** The far station's namespace. */
function address6(port: number): SocketAddress {
  const address = new SocketAddress();
  address.start(AF_INET6, 28);
  address.dv.setUint16(2, port);
  address.u8[8] = 0xfd;
  address.u8[23] = 2;
  return address;
}

function take(socket: Socket, message: Message): Uint8Array<ArrayBuffer> | null {
  const io = new BufferCursor(new Uint8Array(65536));
  message.reset(0);
  return socket.receive(io, message) < 0 ? null : io.buffer.slice(0, io.done);
}

/** A ring that takes frames, of sizes that make sense or do not. */
function setRing(socket: Socket, random: Random): void {
  const value = new OptionValue(), version = random.below(4);
  value.setInt(version);
  socket.setProtocolOption(SOL_PACKET, P.PACKET_VERSION, value);
  value.setInt(random.pick([0, 0, 16, 100, 4000, 0x7ffffff0]));
  socket.setProtocolOption(SOL_PACKET, P.PACKET_RESERVE, value);
  const sizes = [random.pick([4096, 8192, 65536, 100]), random.pick([1, 2, 4, 0])];
  const frameBytes = random.pick([128, 256, 2048, 4096, 16, 0]);
  const frames = Math.floor(sizes[0]! / Math.max(1, frameBytes)) * sizes[1]!;
  const words = [...sizes, frameBytes, random.below(4) === 0 ? random.below(100) : frames];
  value.u8.fill(0, 0, 64);
  [...words, random.below(20), random.pick([0, 0, 64])].forEach((word, i) => {
    value.dv.setUint32(4 * i, word, true);
  });
  value.length = random.pick([16, 28, 28, 8]);
  socket.setProtocolOption(SOL_PACKET, P.PACKET_RX_RING, value);
}

/** The sockets of one case. */
class Sockets {
  readonly udp4: Socket;
  readonly udp6: Socket;
  readonly client: Socket;
  readonly server: Socket;
  /** Sees all frames of the near end. */
  readonly tap: Socket;
  readonly #all: Socket[] = [];
  readonly #message: Message = new Message();

  constructor({ near, far }: Wire, random: Random) {
    this.udp4 = this.#add(far.socket(AF_INET, SOCK_DGRAM));
    assertEquals(far.bind(this.udp4, inetAddress("0.0.0.0", PORT)), 0);
    this.udp6 = this.#add(far.socket(AF_INET6, SOCK_DGRAM));
    assertEquals(far.bind(this.udp6, address6(PORT)), 0);
    const listener = this.#add(far.socket(AF_INET, SOCK_STREAM));
    assertEquals(far.bind(listener, inetAddress("10.0.1.2", LISTENER)), 0);
    assertEquals(listener.listen(far, 5), 0);
    this.client = this.#add(near.socket(AF_INET, SOCK_STREAM));
    assertEquals(near.connect(this.client, inetAddress("10.0.1.2", LISTENER)), 0);
    this.server = this.#add(far.accept(listener));
    this.#add(far.socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
    this.#add(far.socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6));
    this.#add(far.socket(AF_INET, SOCK_RAW, 253));
    this.#add(far.socket(AF_PACKET, SOCK_RAW, ALL));
    setRing(this.#add(far.socket(AF_PACKET, SOCK_RAW, ALL)), random);
    this.tap = this.#add(near.socket(AF_PACKET, SOCK_RAW, ALL));
  }

  #add(socket: Socket): Socket {
    this.#all.push(socket);
    return socket;
  }

  datagrams(socket: Socket): string[] {
    const texts: string[] = [];
    for (let got = take(socket, this.#message); got !== null; got = take(socket, this.#message)) {
      texts.push(encodeHex(got));
    }
    return texts;
  }

  /** Frames that came in at the near end since it was asked last. */
  answers(): Uint8Array<ArrayBuffer>[] {
    const frames: Uint8Array<ArrayBuffer>[] = [], message = this.#message;
    for (let got = take(this.tap, message); got !== null; got = take(this.tap, message)) {
      if (message.name.u8[TYPE_AT] !== OUTGOING) frames.push(got);
    }
    return frames;
  }

  drop(): void {
    for (const socket of this.#all) socket.drop();
  }
}

const EDGES = [0, 1, 4, 5, 6, 7, 8, 0x0f, 0x45, 0x4f, 0x60, 0x7f, 0x80, 0xff];

/** A frame of the corpus, or one made at random. */
function draw(random: Random, ports: readonly number[]): Uint8Array<ArrayBuffer> {
  let frame = random.pick(CORPUS).slice();
  const view = () => new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  for (let n = random.pick([0, 1, 1, 2, 5]); n > 0; n--) {
    const at = random.below(Math.min(frame.length, 90)), isHeader = random.below(3) !== 0;
    const place = isHeader ? Math.min(at, frame.length - 1) : random.below(frame.length);
    const kind = random.below(8);
    if (kind < 2) frame[place]! ^= 1 << random.below(8);
    else if (kind === 2) frame[place] = random.pick(EDGES);
    else if (kind === 3) frame = frame.slice(0, P.ETH_HLEN + random.below(frame.length - 13));
    else if (kind === 4) {
      const longer = new Uint8Array(Math.min(MTU, frame.length + random.below(300)));
      longer.set(frame.subarray(0, longer.length));
      frame = longer;
    } else if (kind === 5 && frame.length > 38) {
      // Of the connection beside: its ports.
      view().setUint16(34, random.pick(ports));
      view().setUint16(36, random.pick(ports));
    } else if (kind === 6 && frame.length > 20) {
      // The length that IP says, of IPv4 or IPv6.
      view().setUint16(random.pick([16, 18]), random.pick([0, 19, 20, 28, 0xffff, frame.length]));
    } else if (frame.length > 24) {
      frame[20] = random.pick([0, 0x20, 0x40, 0x80, 0x1f, 0x3f]);
    }
  }
  if (random.below(3) !== 0) sealFrame(frame);
  return frame;
}

function send(socket: Socket, bytes: Uint8Array<ArrayBuffer>): number {
  const message = new Message();
  message.reset(0);
  return socket.send(new BufferCursor(bytes), message);
}

function usedQuotas(): string {
  return Object.entries(quotas).flatMap(([name, quota]) =>
    quota instanceof quotas.Quota ? [`${name} ${quota.countOf(TEST_ACCOUNT)}`] : []
  ).join("\n");
}

/** Bytes of the arenas that are in use. */
function usedFrames({ near, far }: Wire): number[] {
  return [near, far].map(({ test: { frames } }) => {
    frames.pool.trim();
    return frames.usedBytes;
  });
}

function runFrames(random: Random, wire: Wire): void {
  const used = usedQuotas(), frames = usedFrames(wire), sockets = new Sockets(wire, random);
  const { client, server } = sockets;
  const ports = [portOf(client), LISTENER, PORT, 0, 0xffff];
  let sent = "", received = "", last: Uint8Array<ArrayBuffer> | null = null;
  sockets.answers();
  for (let i = 0; i < FRAMES; i++) {
    const isAgain: boolean = last !== null && random.below(8) === 0;
    const bytes: Uint8Array<ArrayBuffer> = isAgain ? last! : draw(random, ports);
    last = bytes;
    const what = encodeHex(bytes);
    sendFrame(wire.link, { bytes: bytes.slice(), protocol: bytes[12]! << 8 | bytes[13]! }, null);
    for (const [socket, family] of [[sockets.udp4, 4], [sockets.udp6, 6]] as const) {
      const expected = datagramIn(bytes, PORT, family), got = sockets.datagrams(socket);
      if (expected === "perhaps") assert(got.length <= 1, what);
      else assertEquals(got, expected === null ? [] : [encodeHex(expected)], what);
    }
    const answers = sockets.answers();
    assert(answers.length <= ANSWERS_MAX, `${answers.length} answers to ${what}`);
    for (const answer of answers) {
      assert(isSound(answer), `${encodeHex(answer)} is the answer to ${what}`);
    }
    if (random.below(4) !== 0) continue;
    const part = Uint8Array.from({ length: 1 + random.below(500) }, () => random.below(256));
    assertEquals(send(client, part), part.length);
    sent += encodeHex(part);
    sockets.answers();
    received += sockets.datagrams(server).join("");
  }
  assertEquals(received, sent, "the connection delivers other bytes");
  sockets.drop();
  assertEquals(usedQuotas(), used);
  assertEquals(usedFrames(wire), frames);
}

Deno.test("frames from outside reach their sockets, and break nothing", async () => {
  const wires = [new Wire(false), new Wire(true)];
  await runCases("packets", { ci: 200, full: 40_000 }, (random) => {
    const wire = random.pick(wires);
    runFrames(random, wire);
    assertEquals([wire.near, wire.far].map(({ net }) => net.shared.watchers), [0, 0]);
  });
});
