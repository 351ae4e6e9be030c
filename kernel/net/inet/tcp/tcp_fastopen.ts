/**
 * TCP Fast Open (RFC 7413; MSG_FASTOPEN, TCP_FASTOPEN and TCP_FASTOPEN_CONNECT of tcp(7)): data in
 * the SYN. No packet takes time here, so it changes only which call connects, and the contents of
 * TCP_INFO.
 */

import { EINVAL, EISCONN, EOPNOTSUPP } from "../../../../ffi/abi/errno.ts";
import * as I from "../../../../ffi/abi/inet.ts";
import { AF_UNSPEC, MSG_DONTWAIT } from "../../../../ffi/abi/socket.ts";
import type { IoCursor } from "../../../mm/io_cursor.ts";
import type { Message } from "../../message.ts";
import type { NetNamespace } from "../../net_namespace.ts";
import type { TcpSocket } from "./tcp_socket.ts";

/** Bits of /proc/sys/net/ipv4/tcp_fastopen. */
const CLIENT = 1, SERVER = 2, CLIENT_NO_COOKIE = 4, SERVER_NO_COOKIE = 0x200, SERVER_ALWAYS = 0x400;
/** tcpi_fastopen_client_fail: no cookie; data not acknowledged. */
const COOKIE_UNAVAILABLE = 1, DATA_NOT_ACKED = 2;
/** LIMIT: servers with a known cookie; one more clears the list. */
const COOKIES_MAX = 1024;

/** State of Fast Open of one connection. */
export class FastOpen {
  /** Of a server: the listener accepts data in a SYN. */
  isTaken: boolean = false;
  /** The SYN had data. */
  hasData: boolean = false;
  /** Of a client: why the SYN had no data (TFO_*). */
  failure: number = 0;
}

function settingOf({ settings }: NetNamespace): number {
  return settings?.number("net/ipv4/tcp_fastopen") ?? CLIENT;
}

/** Whether the setting lets clients use Fast Open. */
export function mayOpenFast(net: NetNamespace): boolean {
  return (settingOf(net) & CLIENT) !== 0;
}

/** Whether a listener accepts data in a SYN. */
export function takesFastOpen(listener: TcpSocket): boolean {
  const setting = settingOf(listener.net);
  if ((setting & SERVER) === 0) return false;
  return listener.tcp.fastOpenQueue > 0 || (setting & SERVER_ALWAYS) !== 0;
}

/** Whether the client may send data without a cookie. */
function sendsWithoutCookie({ net, tcp }: TcpSocket): boolean {
  return tcp.needsNoCookie || (settingOf(net) & CLIENT_NO_COOKIE) !== 0;
}

/** Whether the SYN to this address may have data. */
export function hasCookie(socket: TcpSocket, address: string): boolean {
  return sendsWithoutCookie(socket) || socket.net.cookies.has(address);
}

/** `client` asked for Fast Open and is connected with `server`; its SYN had `bytes` of data. */
function noteFastOpen(client: TcpSocket, server: TcpSocket, bytes: number): void {
  const { net } = client, address = client.remote!.address;
  const isWithout = sendsWithoutCookie(client), had = !isWithout && net.cookies.has(address);
  if (!had && !isWithout) {
    client.fastOpen.failure = COOKIE_UNAVAILABLE;
    if (!server.fastOpen.isTaken) return;
    if (net.cookies.size >= COOKIES_MAX) net.cookies.clear();
    net.cookies.add(address);
    return;
  }
  if (bytes === 0) return;
  const isCookieNeeded = (settingOf(server.net) & SERVER_NO_COOKIE) === 0 &&
    !server.tcp.needsNoCookie;
  if (server.fastOpen.isTaken && (had || !isCookieNeeded)) {
    client.fastOpen.hasData = server.fastOpen.hasData = true;
  } else client.fastOpen.failure = DATA_NOT_ACKED;
}

/**
 * send(2) with MSG_FASTOPEN, or the first send after a connect(2) that TCP_FASTOPEN_CONNECT put
 * off.
 */
export function sendFast(socket: TcpSocket, io: IoCursor, message: Message): number {
  const { name, caller } = message;
  if (!mayOpenFast(socket.net) || name.family === AF_UNSPEC) return -EOPNOTSUPP;
  const wasDeferred = socket.isConnectDeferred;
  const isNonblocking = socket.isNonblocking || (message.flags & MSG_DONTWAIT) !== 0;
  if (!wasDeferred) {
    if (name.length === 0 && socket.state === I.TCP_CLOSE) return -EINVAL;
    if (socket.state !== I.TCP_CLOSE && !socket.isConnecting) return -EISCONN;
    if (caller === null) return -EINVAL;
  }
  const isBegun = socket.isConnecting && !wasDeferred;
  const r = wasDeferred
    ? socket.connectNow(isNonblocking)
    : socket.connect(caller!, name, isNonblocking);
  const { peer, remote } = socket;
  if (peer === null || remote === null || socket.state !== I.TCP_ESTABLISHED) return r;
  const sendsData = !isBegun && hasCookie(socket, remote.address) && io.remaining > 0;
  if (!isBegun) noteFastOpen(socket, peer, sendsData ? io.remaining : 0);
  // Without data in the SYN the call only started to connect.
  if (r < 0 && !sendsData) return r;
  socket.isConnecting = false;
  return socket.sendData(io, message);
}
