import { assertEquals } from "@std/assert";
import { AF_UNIX, MSG_OOB, SOCK_SEQPACKET, SOCK_STREAM } from "../../ffi/abi/socket.ts";
import { Account } from "../core/account.ts";
import { OPEN_FILES, type Quota, SOCKET_MESSAGES, SOCKETS } from "../core/quota.ts";
import { errno } from "../vfs/vfs_testing.ts";
import { listenOnLoopback } from "./inet/tcp/tcp_testing.ts";
import type { SocketAddress } from "./message.ts";
import { NetLab, unixAddress } from "./net_testing.ts";
import { Socket } from "./socket.ts";

const KINDS: readonly Quota[] = [OPEN_FILES, SOCKETS, SOCKET_MESSAGES];

function counts(account: Account): number[] {
  return KINDS.map((quota) => quota.countOf(account));
}

function listenAt(lab: NetLab, type: number): readonly [Socket, SocketAddress] {
  const listener = lab.socket(AF_UNIX, type), address = unixAddress("/s");
  assertEquals([lab.bind(listener, address), errno(listener.listen(lab, 5))], [0, 0]);
  return [listener, address];
}

/**
 * A client connects and sends with `flags`; the server's account gets `messages` with the socket,
 * the client's loses them, and both get back what they were charged.
 */
function acceptCharged(
  lab: NetLab,
  [listener, address]: readonly [Socket, SocketAddress],
  flags: number,
  messages: number,
): void {
  const server = new Account(null, 1), client = lab.socket(listener.family, listener.type);
  const before = counts(lab.account);
  assertEquals([lab.connect(client, address), lab.send(client, "x", null, flags)], [0, 1]);
  const [files, sockets, queued] = before as [number, number, number];
  assertEquals(counts(lab.account), [files + 1, sockets + 1, queued + messages]);
  const end = listener.accept(server);
  assertEquals([counts(lab.account), counts(server)], [before, [1, 1, messages]]);
  if (!(end instanceof Socket)) throw new Error(`accept: ${errno(end)}`);
  assertEquals(lab.send(client, "y", null, flags), 1);
  end.drop();
  assertEquals([counts(lab.account), server.isIdle], [before, true]);
}

Deno.test("a socket is charged to the process that accepts it, with what waits in it", () => {
  const stream = new NetLab(), packets = new NetLab(), tcp = new NetLab();
  acceptCharged(stream, listenAt(stream, SOCK_STREAM), MSG_OOB, 1);
  acceptCharged(packets, listenAt(packets, SOCK_SEQPACKET), 0, 1);
  acceptCharged(tcp, listenOnLoopback(tcp), 0, 0);
});
