/**
 * Set-up of TCP connections: listen, connect, accept. connect(2) makes both sockets at once, and
 * the server's one waits in the listener's backlog; while the backlog is full the client stays in
 * SYN_SENT.
 */

import { POLLIN, POLLRDNORM } from "../../../../ffi/abi/poll.ts";
import {
  EADDRINUSE,
  EADDRNOTAVAIL,
  EAGAIN,
  EALREADY,
  ECONNABORTED,
  ECONNREFUSED,
  EINPROGRESS,
  EINVAL,
  EISCONN,
} from "../../../../ffi/abi/errno.ts";
import * as I from "../../../../ffi/abi/inet.ts";
import { AF_INET } from "../../../../ffi/abi/socket.ts";
import type { Account } from "../../../core/account.ts";
import { Backlog } from "../../backlog.ts";
import { comesByDevice } from "../../bound_device.ts";
import type { SocketAddress, SocketCaller } from "../../message.ts";
import { Endpoint, endpointOf } from "../address.ts";
import { noteFirstSegment } from "../ip/ip_control.ts";
import { accepts, type PortTable } from "../ports.ts";
import { TcpSocket } from "./tcp_socket.ts";
import { Deferral, defersAccept } from "./tcp_defer.ts";
import { hasCookie, takesFastOpen } from "./tcp_fastopen.ts";
import { joinReuse } from "../reuse_port.ts";
import { TcpTimer } from "./tcp_timer.ts";
import { isUnanswered } from "../icmp/unanswered.ts";
import { showHandshake, showRefusal, synOf } from "./shown_segments.ts";

/** Value of TCP_SAVE_SYN that includes the Ethernet header. */
const SAVE_FRAME = 2;

/** listen(2): 0 or -errno. */
export function listenOn(socket: TcpSocket, backlog: number): number {
  if (socket.state !== I.TCP_CLOSE && socket.state !== I.TCP_LISTEN) return -EINVAL;
  if (socket.backlog === null) {
    if (!socket.isBound) {
      const r = socket.takePort(0);
      if (r < 0) return r;
    }
    socket.state = I.TCP_LISTEN;
    if (!socket.ports.isFree(socket, socket.local.port)) {
      socket.state = I.TCP_CLOSE;
      return -EADDRINUSE;
    }
    socket.backlog = new Backlog();
    joinReuse(socket);
  }
  socket.backlog.limit = backlog;
  admitWaiting(socket);
  socket.net.listens.wake(0);
  return 0;
}

/** The listener is closed: reset the connections in its backlog. */
export function endListening(socket: TcpSocket): void {
  const { backlog, waiting } = socket;
  socket.state = I.TCP_CLOSE;
  socket.reuse?.leave(socket);
  socket.backlog = null;
  socket.waiting = [];
  for (const client of waiting) {
    client.connectingTo = null;
    client.fail(ECONNREFUSED);
  }
  for (const s of socket.deferred) {
    s.deferral?.forget();
    dropReset(s);
  }
  for (let s = backlog?.shift() ?? null; s !== null; s = backlog?.shift() ?? null) dropReset(s);
  socket.queue.wake(0);
}

function dropReset(server: TcpSocket): void {
  server.options.lingerOn = true;
  server.options.lingerSeconds = 0;
  server.drop();
}

/** accept(2): the server's end of a connection, or -errno. */
export function acceptFrom(socket: TcpSocket, account: Account): TcpSocket | number {
  if (socket.backlog === null) return -EINVAL;
  const server = socket.backlog.shift();
  if (server === null) return -EAGAIN;
  server.chargeTo(account);
  admitWaiting(socket);
  return server;
}

/** connect(2): 0 or -errno; -EAGAIN: the caller waits. */
export function connectTo(
  socket: TcpSocket,
  _caller: SocketCaller,
  address: SocketAddress,
  nonblocking: boolean,
): number {
  const to = endpointOf(address, socket.family, true, false);
  if (typeof to === "number") return to;
  if (to === null) {
    if (socket.isListening) endListening(socket);
    socket.disconnect();
    return 0;
  }
  if (socket.isConnecting) return continueConnecting(socket, nonblocking);
  if (socket.state !== I.TCP_CLOSE || socket.peer !== null) return -EISCONN;
  return begin(socket, to, nonblocking);
}

/** connect(2) is called again before it has succeeded. */
function continueConnecting(socket: TcpSocket, nonblocking: boolean): number {
  if (socket.isConnectDeferred) return nonblocking ? -EISCONN : -EAGAIN;
  if (socket.state === I.TCP_SYN_SENT) return nonblocking ? -EALREADY : -EAGAIN;
  socket.isConnecting = false;
  if (socket.state !== I.TCP_CLOSE || socket.peer !== null) return 0;
  const error = socket.takeError();
  socket.disconnect();
  return error === 0 ? -ECONNABORTED : error;
}

function begin(socket: TcpSocket, to: Endpoint, nonblocking: boolean): number {
  const route = socket.routeTo(to);
  if (typeof route === "number") return route;
  if (!socket.isBound && socket.takePort(0) < 0) return -EADDRNOTAVAIL;
  const source = socket.sourceAddress(route.address);
  if (isTaken(socket, source, route)) return -EADDRNOTAVAIL;
  socket.local = new Endpoint(source, socket.local.port);
  socket.remote = route;
  socket.error = 0;
  socket.isReadShut = socket.isWriteShut = false;
  if (source === route.address && socket.local.port === route.port) {
    return connectToItself(socket, nonblocking);
  }
  if (socket.tcp.opensFast && hasCookie(socket, route.address)) {
    socket.isConnecting = socket.isConnectDeferred = true;
    socket.state = I.TCP_SYN_SENT;
    return 0;
  }
  return connectNow(socket, nonblocking);
}

/** Connect, after the route and the source address are known. */
export function connectNow(socket: TcpSocket, nonblocking: boolean): number {
  const route = socket.remote!, { address } = socket.local;
  socket.isConnectDeferred = false;
  socket.state = I.TCP_CLOSE;
  socket.net.traffic.tcp.opened++;
  const arrival = socket.arrivalOf(address, route.address);
  if (arrival === null && isUnanswered(socket, route.address)) {
    socket.isConnecting = true;
    socket.blockedOn = socket.queue;
    socket.state = I.TCP_SYN_SENT;
    socket.timer ??= new TcpTimer(socket);
    if (socket.net.links.lo.isUp) socket.timer.startAsking();
    else socket.timer.startConnecting();
    return nonblocking ? -EINPROGRESS : -EAGAIN;
  }
  const listener = listenerAt(socket, route, arrival?.tcp ?? null);
  if (listener === null) {
    showRefusal(socket);
    if (!nonblocking) {
      socket.disconnect();
      return -ECONNREFUSED;
    }
    socket.isConnecting = true;
    socket.fail(ECONNREFUSED);
    return -EINPROGRESS;
  }
  socket.isConnecting = true;
  socket.blockedOn = socket.queue;
  if (listener.backlog!.isFull) {
    socket.state = I.TCP_SYN_SENT;
    socket.connectingTo = listener;
    listener.waiting.push(socket);
    listener.net.traffic.tcp.overflows++;
    socket.timer ??= new TcpTimer(socket);
    socket.timer.startConnecting();
    return nonblocking ? -EINPROGRESS : -EAGAIN;
  }
  connect(socket, listener);
  if (nonblocking) return -EINPROGRESS;
  socket.isConnecting = false;
  return 0;
}

/**
 * Both ends are one socket: a simultaneous open (RFC 9293, 3.5), which on a loopback only one
 * socket with itself can do.
 */
function connectToItself(socket: TcpSocket, nonblocking: boolean): number {
  socket.isConnecting = nonblocking;
  socket.net.traffic.tcp.opened++;
  socket.establish(socket);
  showHandshake(socket, socket);
  return nonblocking ? -EINPROGRESS : 0;
}

/** Whether the connection exists already. */
function isTaken(socket: TcpSocket, source: string, to: Endpoint): boolean {
  for (const other of socket.ports.at(socket.local.port)) {
    if (other === socket || other.remote === null) continue;
    if (other.local.address === source && other.remote.isSame(to)) return true;
  }
  return false;
}

/**
 * The listener for connections to `to`: an exact address or link before a wildcard, IPv4 before
 * IPv6; several with SO_REUSEPORT share.
 */
function listenerAt(client: TcpSocket, to: Endpoint, ports: PortTable | null): TcpSocket | null {
  if (ports === null) return null;
  const found: TcpSocket[] = [];
  let best = 0;
  for (const s of ports.at(to.port)) {
    if (!(s instanceof TcpSocket) || !s.isListening || !accepts(s, to.address)) continue;
    if (!comesByDevice(s, client.local.address, to.address)) continue;
    const score = (s.local.address === to.address ? 4 : 0) +
      (s.options.deviceIndex !== 0 ? 2 : 0) + (s.family === AF_INET ? 1 : 0);
    if (score < best) continue;
    if (score > best) found.length = 0;
    best = score;
    found.push(s);
  }
  if (found.length <= 1) return found[0] ?? null;
  const chosen = found[0]!.reuse?.byProgram(null, 0) ?? null;
  const picked = found.find((s) => s === chosen);
  if (picked !== undefined) return picked;
  return found[client.ports.below(found.length)]!;
}

function connect(client: TcpSocket, listener: TcpSocket): void {
  const server = listener.newServer(client.account), to = client.remote!;
  server.local = new Endpoint(to.address, to.port);
  server.remote = client.local;
  server.ports.add(server, to.port);
  server.isBound = true;
  noteFirstSegment(server, client);
  server.establish(client);
  client.establish(server);
  showHandshake(client, server);
  server.fastOpen.isTaken = takesFastOpen(listener);
  const saves = listener.tcp.kept.get(I.TCP_SAVE_SYN) ?? 0;
  if (saves !== 0) server.savedSyn = synOf(client, saves === SAVE_FRAME);
  if (defersAccept(listener)) {
    new Deferral(listener, server);
    return;
  }
  listener.backlog!.push(server);
  listener.queue.wake(POLLIN | POLLRDNORM);
}

/** The backlog has room: connect the clients that wait longest. */
function admitWaiting(listener: TcpSocket): void {
  while (listener.waiting.length > 0 && !listener.backlog!.isFull) {
    connect(listener.waiting.shift()!, listener);
  }
}
