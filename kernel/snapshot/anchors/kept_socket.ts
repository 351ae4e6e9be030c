/**
 * What a snapshot keeps of a host socket, and the new socket that a copy gets for it: bound,
 * connected (datagrams) and listening as before, with the options that the guest has set.
 * Connections of TCP are not kept: the copy's socket is like one that was reset.
 *
 * LIMIT: connections that wait for accept(2), datagrams that wait for recv(2), and all but the last
 * membership in multicast groups are lost.
 */

import { EADDRINUSE } from "../../../ffi/abi/errno.ts";
import * as I from "../../../ffi/abi/inet.ts";
import * as S from "../../../ffi/abi/socket.ts";
import type { HostNetwork } from "../../core/host_network.ts";
import { describeAddress, endpointOf } from "../../net/inet/address.ts";
import { SocketAddress } from "../../net/message.ts";
import type { HostSocket } from "../../net/host/host_socket.ts";
import { LENGTH_AT, NAME_AT, VALUE_AT, VALUE_BYTES } from "../../net/host/message_area.ts";
import { Refusal } from "../graph/graph_error.ts";

export interface KeptSocket {
  /** Of TCP: it has a connection, or makes one. */
  readonly isConnected: boolean;
  /** struct sockaddr of its own; empty: it is not bound. */
  readonly local: Uint8Array<ArrayBuffer>;
  /** struct sockaddr of the peer; empty: there is none. */
  readonly peer: Uint8Array<ArrayBuffer>;
  /** The original may go on beside the copy, which is without a name that is taken then. */
  readonly isTwin: boolean;
}

interface MadeSocket {
  readonly fd: number;
  /** It has neither a connection nor a name. */
  readonly isEnded: boolean;
}

const NO_NAME = new Uint8Array(0);

/** @param isTwin the copy is made in this process */
export function keepSocket(socket: HostSocket, isTwin: boolean): KeptSocket {
  const isStream = socket.type === S.SOCK_STREAM, state = isStream ? stateOf(socket) : I.TCP_CLOSE;
  const name = new SocketAddress();
  const local = nameOf(name, socket.localName(name)), peer = nameOf(name, socket.peerName(name));
  const isConnected = state !== I.TCP_CLOSE && state !== I.TCP_LISTEN;
  return { isConnected, local, peer, isTwin };
}

/** The first field of struct tcp_info. */
function stateOf({ fd, host }: HostSocket): number {
  const { area } = host;
  area.dv.setInt32(LENGTH_AT, VALUE_BYTES, true);
  const value = area.address + VALUE_AT, length = area.address + LENGTH_AT;
  const r = host.getsockopt(fd, I.IPPROTO_TCP, I.TCP_INFO, value, length);
  return r < 0 ? I.TCP_CLOSE : area.dv.getUint8(VALUE_AT);
}

/** The bytes of a name; those behind the family are 0 where there is none. */
function nameOf({ u8, length }: SocketAddress, result: number): Uint8Array<ArrayBuffer> {
  const bytes = result < 0 ? NO_NAME : u8.slice(0, length);
  return bytes.subarray(2).some((byte) => byte !== 0) ? bytes : NO_NAME;
}

/** A socket for messages: its protocol, its name, and its peer. */
export function describeKept({ type }: HostSocket, { local, peer }: KeptSocket): string {
  const kind = type === S.SOCK_STREAM ? "TCP" : type === S.SOCK_DGRAM ? "UDP" : "raw";
  const to = peer.length === 0 ? "" : ` to ${textOf(peer)}`;
  return `${kind} socket ${local.length === 0 ? "" : `on ${textOf(local)}`}${to}`;
}

function textOf(name: Uint8Array<ArrayBuffer>): string {
  const address = new SocketAddress();
  address.u8.set(name);
  address.length = name.length;
  const endpoint = endpointOf(address, S.AF_INET6, false, true);
  if (typeof endpoint === "number" || endpoint === null) return "an unknown address";
  const text = describeAddress(endpoint.address);
  return text.includes(":") ? `[${text}]:${endpoint.port}` : `${text}:${endpoint.port}`;
}

/**
 * Makes the socket of the host again.
 * @throws Refusal if the host refuses
 */
export function remakeSocket(
  socket: HostSocket,
  kept: KeptSocket,
  network: HostNetwork,
): MadeSocket {
  const { family, type, protocol } = socket, fd = network.socket(family, type, protocol);
  const expect = (r: number, what: string) => {
    if (r >= 0) return;
    if (fd >= 0) socket.net.host.close(fd);
    throw new Refusal(
      `the ${describeKept(socket, kept)} cannot be made again: ${what}: error ${-r}`,
    );
  };
  expect(fd, "socket(2)");
  for (const { level, name, value } of socket.hostOptions) {
    const at = putBytes(network, value);
    network.setsockopt(fd, level, name, at, value.length);
  }
  if (kept.isConnected) return { fd, isEnded: true };
  const { local, peer } = kept, isStream = type === S.SOCK_STREAM;
  // Connections of the socket before may still be in TIME_WAIT.
  if (isStream) setReuse(network, fd, 1);
  if (local.length > 0) {
    const r = network.bind(fd, putBytes(network, local), local.length);
    if (r === -EADDRINUSE && kept.isTwin) return { fd, isEnded: true };
    expect(r, "bind(2)");
  }
  if (socket.isListening) expect(network.listen(fd, socket.backlog), "listen(2)");
  if (isStream) setReuse(network, fd, reuseOf(socket));
  else if (peer.length > 0) {
    expect(network.connect(fd, putBytes(network, peer), peer.length), "connect(2)");
  }
  return { fd, isEnded: false };
}

function setReuse(network: HostNetwork, fd: number, value: number): void {
  const { area } = network;
  area.dv.setInt32(VALUE_AT, value, true);
  network.setsockopt(fd, S.SOL_SOCKET, S.SO_REUSEADDR, area.address + VALUE_AT, 4);
}

/** SO_REUSEADDR as the guest has set it. */
function reuseOf({ hostOptions }: HostSocket): number {
  const set = hostOptions.find(({ level, name }) => {
    return level === S.SOL_SOCKET && name === S.SO_REUSEADDR;
  });
  return set?.value[0] ?? 0;
}

/** Copies bytes to where the host reads them: their address. */
function putBytes({ area }: HostNetwork, bytes: Uint8Array<ArrayBuffer>): number {
  const at = bytes.length > S.SOCKADDR_STORAGE_SIZE ? VALUE_AT : NAME_AT;
  area.u8.set(bytes, at);
  return area.address + at;
}
