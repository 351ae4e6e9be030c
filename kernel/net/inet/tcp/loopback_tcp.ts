/**
 * The TCP socket of the loopback transport: TcpSocket, with listen, connect and accept of
 * tcp_connect.ts and Fast Open of tcp_fastopen.ts.
 */

import { IPPROTO_TCP, TCP_INQ } from "../../../../ffi/abi/inet.ts";
import { MSG_FASTOPEN, SO_RCVLOWAT } from "../../../../ffi/abi/socket.ts";
import type { IoCursor } from "../../../mm/io_cursor.ts";
import type { ControlWriter } from "../../control_writer.ts";
import type { Message, SocketAddress, SocketCaller } from "../../message.ts";
import type { OptionValue } from "../../socket_options.ts";
import type { Socket } from "../../socket.ts";
import { TcpSocket } from "./tcp_socket.ts";
import type { Account } from "../../../core/account.ts";
import { acceptFrom, connectNow, connectTo, endListening, listenOn } from "./tcp_connect.ts";
import { sendFast } from "./tcp_fastopen.ts";

/** The last number of /proc/sys/net/ipv4/tcp_rmem. */
const MAX_RECEIVE = 6291456;

export class LoopbackTcp extends TcpSocket {
  override get takesPeekOffset(): boolean {
    return true;
  }
  override get takesZerocopy(): boolean {
    return true;
  }

  override listen(_caller: SocketCaller, backlog: number): number {
    return listenOn(this, backlog);
  }
  override connect(caller: SocketCaller, address: SocketAddress, nonblocking: boolean): number {
    return connectTo(this, caller, address, nonblocking);
  }
  override connectNow(nonblocking: boolean): number {
    return connectNow(this, nonblocking);
  }
  override send(io: IoCursor, message: Message): number {
    const isFast = this.isConnectDeferred || (message.flags & MSG_FASTOPEN) !== 0;
    return isFast ? sendFast(this, io, message) : this.sendData(io, message);
  }
  /** SO_RCVLOWAT is at most half of the largest receive buffer. */
  override setSocketOption(caller: SocketCaller, name: number, value: OptionValue): number {
    const r = super.setSocketOption(caller, name, value), { options } = this;
    if (name === SO_RCVLOWAT && r === 0) {
      const most = options.isReceiveFixed ? options.receiveBytes : MAX_RECEIVE;
      options.receiveLowWater = Math.min(options.receiveLowWater, most >> 1);
    }
    return r;
  }
  /** TCP_INQ: the number of bytes left to read. */
  override describeMessage(message: Message, out: ControlWriter): void {
    super.describeMessage(message, out);
    if (message.error !== null || (this.tcp.kept.get(TCP_INQ) ?? 0) === 0) return;
    out.putInt(IPPROTO_TCP, TCP_INQ, this.pendingBytes);
  }
  override accept(account: Account): Socket | number {
    return acceptFrom(this, account);
  }

  override newServer(account: Account): TcpSocket {
    const server = new LoopbackTcp(account, this.net, this.ports, this.family, this.uid);
    server.options.inherit(this.options);
    server.ip.inherit(this.ip);
    server.tcp.inherit(this.tcp);
    return server;
  }

  protected override stopListening(): void {
    endListening(this);
  }

  protected override release(): void {
    this.groups?.leaveAll();
    super.release();
  }
}
