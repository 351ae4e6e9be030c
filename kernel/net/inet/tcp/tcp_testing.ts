/** Connections on the loopback for unit tests of internet sockets. */

import { assertEquals } from "@std/assert";
import { AF_INET, SOCK_STREAM } from "../../../../ffi/abi/socket.ts";
import { errno } from "../../../vfs/vfs_testing.ts";
import { SocketAddress } from "../../message.ts";
import { inetAddress, NetLab, portOf } from "../../net_testing.ts";
import { OptionValue } from "../../socket_options.ts";
import type { Socket } from "../../socket.ts";
import { TcpSocket } from "./tcp_socket.ts";

export const LO: string = "127.0.0.1";

/** A listener on the loopback, and its address. */
export function listenOnLoopback(lab: NetLab, backlog = 5): readonly [Socket, SocketAddress] {
  const s = lab.socket(AF_INET, SOCK_STREAM);
  lab.bind(s, inetAddress(LO, 0));
  assertEquals(s.listen(lab, backlog), 0);
  return [s, inetAddress(LO, portOf(s))];
}

/** Client and server ends of a connection. */
export function connectPair(lab: NetLab): readonly [TcpSocket, TcpSocket] {
  const [listener, address] = listenOnLoopback(lab), client = lab.socket(AF_INET, SOCK_STREAM);
  assertEquals(lab.connect(client, address), 0);
  const other = lab.accept(listener);
  listener.drop();
  if (!(client instanceof TcpSocket) || !(other instanceof TcpSocket)) throw new Error("no TCP");
  return [client, other];
}

/** setsockopt(2) with an int: 0 or the name of the error. */
export function setInt(
  socket: Socket,
  level: number,
  name: number,
  value: number,
): string | number {
  const option = new OptionValue();
  option.setInt(value);
  return errno(socket.setProtocolOption(level, name, option));
}
