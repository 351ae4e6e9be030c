/**
 * An internet socket as /proc/net/tcp and sock_diag(7) show it, for the loopback transport and for
 * host sockets. Readers: netlink/diag_inet.ts, kernel/proc/inet_tables.ts.
 */

import {
  IPPROTO_TCP,
  TCP_CLOSE,
  TCP_ESTABLISHED,
  TCP_INFO,
  TCP_LISTEN,
} from "../../../ffi/abi/inet.ts";
import { AF_INET, SOCK_RAW } from "../../../ffi/abi/socket.ts";
import { HostSocket } from "../host/host_socket.ts";
import { ANY4, ANY6, Endpoint, endpointOf } from "./address.ts";
import { InetSocket } from "./inet_socket.ts";
import { TcpSocket } from "./tcp/tcp_socket.ts";
import { SocketAddress } from "../message.ts";
import type { Socket } from "../socket.ts";
import { OptionValue } from "../socket_options.ts";

/** One row of a table of sockets. */
export interface InetView {
  readonly socket: Socket;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** TCP_ESTABLISHED and the like, for all protocols. */
  readonly state: number;
  /**
   * Bytes to read and bytes not acknowledged. Of a listener: connections in the backlog, and its
   * limit.
   */
  readonly received: number;
  readonly unsent: number;
  readonly uid: number;
}

/**
 * Null: not an internet socket, or one that no table lists (TCP without a connection, UDP without a
 * port).
 */
export function viewInet(socket: Socket): InetView | null {
  const view = socket instanceof InetSocket
    ? viewLoopback(socket)
    : socket instanceof HostSocket
    ? viewHost(socket)
    : null;
  if (view === null) return null;
  const isShown = socket.protocol === IPPROTO_TCP
    ? view.state !== TCP_CLOSE
    : view.local.port !== 0;
  return isShown ? view : null;
}

/**
 * A raw socket, whose protocol stands in place of a port; null: not one of the loopback transport.
 */
export function viewRaw(socket: Socket): InetView | null {
  if (!(socket instanceof InetSocket)) return null;
  const view = viewLoopback(socket);
  return { ...view, local: new Endpoint(view.local.address, socket.protocol) };
}

function nowhere(family: number): Endpoint {
  return new Endpoint(family === AF_INET ? ANY4 : ANY6, 0);
}

function viewLoopback(socket: InetSocket): InetView {
  const isTcp = socket instanceof TcpSocket;
  const { local, remote, uid } = socket, isListening = isTcp && socket.isListening;
  return {
    socket,
    local,
    remote: remote ?? nowhere(socket.family),
    state: isTcp ? socket.state : remote === null ? TCP_CLOSE : TCP_ESTABLISHED,
    received: isListening ? socket.waitingCount : socket.pendingBytes,
    unsent: isListening ? socket.backlogLimit : socket.unsentBytes,
    uid,
  };
}

const address = new SocketAddress();
const value = new OptionValue();
/** Offsets in struct tcp_info of the host: for a listener these two fields are its backlog. */
const UNACKED_AT = 24, SACKED_AT = 28;

function viewHost(socket: HostSocket): InetView | null {
  if (socket.type === SOCK_RAW) return null;
  const local = socket.localName(address) < 0 ? null : endpointNow(socket.family);
  const remote = socket.peerName(address) < 0 ? null : endpointNow(socket.family);
  let state = remote === null ? TCP_CLOSE : TCP_ESTABLISHED;
  let received = 0, unsent = 0;
  if (socket.protocol === IPPROTO_TCP) {
    value.length = 256;
    if (socket.getProtocolOption(IPPROTO_TCP, TCP_INFO, value) === 0) state = value.u8[0] ?? state;
  }
  if (state === TCP_LISTEN) {
    received = value.dv.getUint32(UNACKED_AT, true);
    unsent = value.dv.getUint32(SACKED_AT, true);
  } else {
    received = socket.pendingBytes;
    unsent = socket.unsentBytes;
  }
  return {
    socket,
    local: local ?? nowhere(socket.family),
    remote: remote ?? nowhere(socket.family),
    state,
    received,
    unsent,
    uid: socket.uid,
  };
}

function endpointNow(family: number): Endpoint | null {
  const found = endpointOf(address, family, false, false);
  return found instanceof Endpoint ? found : null;
}
