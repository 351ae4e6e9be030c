/** Sockets of the host are copied by a snapshot: new ones of this machine's loopback. */

import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import * as I from "../../ffi/abi/inet.ts";
import { POLLHUP, POLLIN } from "../../ffi/abi/poll.ts";
import * as S from "../../ffi/abi/socket.ts";
import { Arena } from "../../ffi/mem/arena.ts";
import { close, read, socketpair } from "../../ffi/sys/files.ts";
import { addressOf, allocBuffer } from "../../ffi/sys/cstring.ts";
import { TEST_ACCOUNT } from "../../kernel/core/account_testing.ts";
import { Waiter } from "../../kernel/core/wait.ts";
import { FrameAllocator } from "../../kernel/mm/frames.ts";
import { inetAddress, portOf } from "../../kernel/net/net_testing.ts";
import { Socket } from "../../kernel/net/socket.ts";
import { OptionValue } from "../../kernel/net/socket_options.ts";
import { HostEnd } from "../../kernel/net/unix/host_end.ts";
import { UnixStream } from "../../kernel/net/unix/stream.ts";
import { AbstractNames } from "../../kernel/net/unix/unix_names.ts";
import { kernelTable } from "../../kernel/snapshot/anchors/kernel_table.ts";
import type { Surroundings } from "../../kernel/snapshot/anchors/surroundings.ts";
import { decodeGraph } from "../../kernel/snapshot/graph/decoder.ts";
import { type EncodedGraph, encodeGraph } from "../../kernel/snapshot/graph/encoder.ts";
import { Refusal, RefusedError } from "../../kernel/snapshot/graph/graph_error.ts";
import { HostLab } from "./host_lab_testing.ts";
import { RealHostNetwork } from "./host_network.ts";
import { RealHost } from "./real_host.ts";

class NoPlatform {}

class Count extends Waiter {
  woken: number = 0;
  override onWake(_events: number): void {
    this.woken++;
  }
}

const TABLE = kernelTable({
  host: RealHost,
  platforms: [NoPlatform],
  arena: Arena,
  spaces: [],
  contexts: [],
});

function encoded(lab: HostLab, sockets: readonly Socket[], endsConnections = false): EncodedGraph {
  return encodeGraph([TEST_ACCOUNT, lab.net, ...sockets], TABLE, { endsConnections });
}

/** Copies of the sockets, on a host of their own. */
function copies(
  image: EncodedGraph,
  then: "refuse" | "reset",
  host: RealHost = new RealHost(1, 1 << 30, 1 << 30),
): Socket[] {
  const network = new RealHostNetwork(false);
  const arena = Arena.create(16 << 20, 8 << 21), frames = new FrameAllocator(arena);
  const surroundings: Partial<Surroundings> = { host, frames, network, tcp: then };
  const { bytes, kept } = image;
  const root = decodeGraph(bytes, TABLE, { host: surroundings, kept });
  const [, , ...all] = root as unknown[];
  assert(all.every((socket) => socket instanceof Socket));
  return all;
}

Deno.test("a socket that listens listens again, with its options", () => {
  const lab = new HostLab(), listener = lab.socket(S.AF_INET, S.SOCK_STREAM);
  const value = new OptionValue();
  value.setInt(1);
  assertEquals(listener.setProtocolOption(I.IPPROTO_TCP, I.TCP_NODELAY, value), 0);
  lab.bind(listener, inetAddress("127.0.0.1", 0));
  assertEquals(listener.listen(lab, 5), 0);
  const port = portOf(listener), image = encoded(lab, [listener]);
  listener.drop();
  const [copy] = copies(image, "refuse") as [Socket];
  assertEquals([portOf(copy), copy.isListening], [port, true]);
  value.length = 4;
  assertEquals([copy.getProtocolOption(I.IPPROTO_TCP, I.TCP_NODELAY, value), value.int], [0, 1]);
  const client = lab.socket(S.AF_INET, S.SOCK_STREAM);
  assertEquals(lab.connect(client, inetAddress("127.0.0.1", port)), 0);
  const server = lab.accept(copy);
  assertEquals([lab.put(client, "hello"), lab.take(server)], [5, "hello"]);
  for (const socket of [client, server, copy]) socket.drop();
});

Deno.test("a datagram socket has its name and its peer again", () => {
  const lab = new HostLab(), outside = new HostLab();
  const [a, b] = [lab, outside].map((of) => of.socket(S.AF_INET, S.SOCK_DGRAM));
  for (const socket of [a!, b!]) lab.bind(socket, inetAddress("127.0.0.1", 0));
  assertEquals(lab.connect(a!, inetAddress("127.0.0.1", portOf(b!))), 0);
  assertEquals(lab.connect(b!, inetAddress("127.0.0.1", portOf(a!))), 0);
  const image = encoded(lab, [a!]), port = portOf(a!);
  a!.drop();
  const [copy] = copies(image, "refuse") as [Socket];
  assertEquals([portOf(copy), lab.put(copy, "one"), lab.take(b!)], [port, 3, "one"]);
  assertEquals([lab.put(b!, "two"), lab.take(copy)], [3, "two"]);
  for (const socket of [b!, copy]) socket.drop();
});

Deno.test("a connection of TCP is refused by its addresses, or is reset in the copy", () => {
  const lab = new HostLab(), [a, b] = lab.connected();
  assertEquals([lab.put(b, "lost"), lab.take(a, 2)], [4, "lo"]);
  const { reason } = assertThrows(() => encoded(lab, [a]), RefusedError);
  assertMatch(reason, /^the TCP socket on 127.0.0.1:\d+ to 127.0.0.1:\d+ is connected$/);
  assertEquals(lab.take(a), "st");
  assertEquals(lab.take(a), "EAGAIN");
  const image = encoded(lab, [a], true);
  assertThrows(() => copies(image, "refuse"), Refusal, "was connected");
  const host = new RealHost(1, 1 << 30, 1 << 30), [copy] = copies(image, "reset", host);
  assert(copy !== undefined);
  const waiter = new Count();
  copy.queue.add(waiter, POLLIN | POLLHUP);
  host.poll(1e9);
  assertEquals(waiter.woken > 0, true);
  assertEquals(copy.poll() & (POLLHUP | POLLIN), POLLHUP | POLLIN);
  assertEquals([lab.take(copy), lab.take(copy), lab.put(copy, "x")], ["ECONNRESET", "", "EPIPE"]);
  assertEquals([lab.put(a, "on"), lab.take(b)], [2, "on"]);
  for (const socket of [a, b, copy]) socket.drop();
});

Deno.test("the error of a port that is taken names the socket", () => {
  const lab = new HostLab(), listener = lab.socket(S.AF_INET, S.SOCK_STREAM);
  lab.bind(listener, inetAddress("127.0.0.1", 0));
  listener.listen(lab, 5);
  const image = encoded(lab, [listener]);
  const message = `the TCP socket on 127.0.0.1:${portOf(listener)} cannot be made again`;
  assertThrows(() => copies(image, "reset"), Refusal, message);
  listener.drop();
});

Deno.test("beside its original in the same process, a copy has no name that is taken", () => {
  const lab = new HostLab(), listener = lab.socket(S.AF_INET, S.SOCK_STREAM);
  lab.bind(listener, inetAddress("127.0.0.1", 0));
  listener.listen(lab, 5);
  const image = encodeGraph([TEST_ACCOUNT, lab.net, listener], TABLE, { isInProcess: true });
  const [copy] = copies(image, "refuse");
  assert(copy !== undefined);
  assertEquals([copy.isListening, portOf(copy), copy.poll() & POLLHUP], [false, 0, POLLHUP]);
  const client = lab.socket(S.AF_INET, S.SOCK_STREAM);
  assertEquals(lab.connect(client, inetAddress("127.0.0.1", portOf(listener))), 0);
  for (const socket of [client, lab.accept(listener), listener, copy]) socket.drop();
});

Deno.test("a connection to a program outside is refused, or breaks off in the copy", () => {
  const lab = new HostLab(), names = new AbstractNames(), fds = socketpair(S.AF_UNIX, 1 | 0x800, 0);
  assert(typeof fds !== "number");
  const [ours, theirs] = fds, at = addressOf(allocBuffer(16));
  const guest = new UnixStream(TEST_ACCOUNT, lab.net, names);
  new HostEnd(TEST_ACCOUNT, lab.net, names, ours, "/run/outside").connectTo(guest);
  const { reason } = assertThrows(() => encoded(lab, [guest]), RefusedError);
  assertEquals(reason, "a program outside is connected by /run/outside");
  const [copy] = copies(encoded(lab, [guest], true), "reset");
  assert(copy !== undefined);
  assertEquals(copy.poll() & POLLHUP, POLLHUP);
  assertEquals(lab.receive(copy), "ECONNRESET");
  assertEquals([lab.receive(copy), lab.send(copy, "x")], ["", "EPIPE"]);
  assertEquals([lab.send(guest, "on"), read(theirs, at, 16)], [2, 2]);
  copy.drop();
  guest.drop();
  close(theirs);
});
