/** A TCP socket as the family makes it: tcp.ts with the way into a connection of tcp_connect.ts. */

import type { SocketAddress, SocketCaller } from "../message.ts";
import type { Socket } from "../socket.ts";
import { TcpSocket } from "./tcp.ts";
import { acceptFrom, connectTo, endListening, listenOn } from "./tcp_connect.ts";

export class LoopbackTcp extends TcpSocket {
  override listen(_caller: SocketCaller, backlog: number): number {
    return listenOn(this, backlog);
  }
  override connect(caller: SocketCaller, address: SocketAddress, nonblocking: boolean): number {
    return connectTo(this, caller, address, nonblocking);
  }
  override accept(): Socket | number {
    return acceptFrom(this);
  }

  override newServer(): TcpSocket {
    const server = new LoopbackTcp(this.net, this.ports, this.family, this.uid);
    server.options.inherit(this.options);
    server.ip.inherit(this.ip);
    server.tcp.inherit(this.tcp);
    return server;
  }

  protected override stopListening(): void {
    endListening(this);
  }
}
