/**
 * Sockets for unit tests without a kernel: a namespace with a tmpfs, messages over JS buffers,
 * results as text.
 */

import type { Account } from "../core/account.ts";
import { TEST_ACCOUNT } from "../core/account_testing.ts";
import { AF_INET, AF_INET6, AF_UNIX } from "../../ffi/abi/socket.ts";
import { stringToBytes } from "../core/bytes.ts";
import type { Host } from "../core/host.ts";
import type { HostNetwork } from "../core/host_network.ts";
import { type Credentials, rootCredentials } from "../cred/credentials.ts";
import type { FdTable } from "../vfs/fd_table.ts";
import type { FsContext } from "../vfs/fs_context.ts";
import { BufferCursor, errno, TestFiles } from "../vfs/vfs_testing.ts";
import { registerFamilies } from "./families.ts";
import { Message, SocketAddress, type SocketCaller } from "./message.ts";
import { NetNamespace } from "./net_namespace.ts";
import { type NetServices, NetShared } from "./net_shared.ts";
import { Socket } from "./socket.ts";

export class NetLab implements SocketCaller {
  readonly pid: number = 7;
  readonly test: TestFiles = new TestFiles();
  readonly files: FdTable = this.test.root.files;
  readonly fs: FsContext = this.test.root.fs;
  cred: Credentials = rootCredentials();
  readonly account: Account = this.test.account;
  readonly net: NetNamespace;
  /** The message of the last receive. */
  readonly last: Message = new Message();

  /** `network`: the host network that the namespace uses. */
  constructor(
    host: Host | null = null,
    network: HostNetwork | null = null,
    services: NetServices = {},
  ) {
    const { frames, vfs } = this.test;
    const shared = new NetShared(frames, host ?? vfs.host, vfs.devices, services);
    this.net = new NetNamespace(TEST_ACCOUNT, shared, network);
    registerFamilies(this.net);
  }

  socket(family: number, type: number, protocol: number = 0): Socket {
    const maker = this.net.familyOf(family, type);
    if (typeof maker === "number") throw new Error(`family: ${errno(maker)}`);
    const socket = maker.create(this, type, protocol);
    if (!(socket instanceof Socket)) throw new Error(`socket: ${errno(socket)}`);
    socket.cred = this.cred;
    return socket;
  }

  pair(type: number): readonly [Socket, Socket] {
    const maker = this.net.familyOf(AF_UNIX, type);
    const pair = typeof maker === "number" ? maker : maker.createPair(this, type, 0);
    if (typeof pair === "number") throw new Error(`pair: ${errno(pair)}`);
    pair[0].cred = pair[1].cred = this.cred;
    return pair;
  }

  bind(socket: Socket, address: SocketAddress): string | number {
    return errno(socket.bind(this, address));
  }
  connect(socket: Socket, address: SocketAddress, nonblocking = false): string | number {
    return errno(socket.connect(this, address, nonblocking));
  }
  accept(socket: Socket): Socket {
    const server = socket.accept(this.account);
    if (typeof server === "number") throw new Error(`accept: ${errno(server)}`);
    server.cred = this.cred;
    return server;
  }

  send(socket: Socket, text: string, to: SocketAddress | null = null, flags = 0): string | number {
    const message = new Message();
    message.reset(flags);
    message.caller = this;
    if (to !== null) message.name.copy(to);
    return errno(socket.send(new BufferCursor(stringToBytes(text)), message));
  }

  /** The received bytes as text, or the name of the error; `last` has the rest. */
  receive(socket: Socket, max = 1000, flags = 0): string {
    const io = new BufferCursor(new Uint8Array(max));
    this.last.reset(flags);
    this.last.caller = this;
    const n = socket.receive(io, this.last);
    if (n < 0) return `${errno(n)}`;
    return String.fromCharCode(...io.buffer.subarray(0, Math.min(n, io.done)));
  }
}

/** An AF_UNIX address; "\0name" is abstract, "" only the family. */
export function unixAddress(name: string): SocketAddress {
  const address = new SocketAddress();
  address.start(AF_UNIX, 2 + name.length);
  address.u8.set(stringToBytes(name), 2);
  return address;
}

/** An AF_INET address from dotted text and a port. */
export function inetAddress(host: string, port: number): SocketAddress {
  const address = new SocketAddress();
  address.start(AF_INET, 16);
  address.dv.setUint16(2, port);
  host.split(".").forEach((part, i) => address.u8[4 + i] = Number(part));
  return address;
}

/** An AF_INET6 address by its last four bytes (`::1` is 1), mapped or not. */
export function inet6Address(last: number, port: number, isMapped = false): SocketAddress {
  const address = new SocketAddress();
  address.start(AF_INET6, 28);
  address.dv.setUint16(2, port);
  if (isMapped) address.dv.setUint16(18, 0xffff);
  address.dv.setUint32(20, last);
  return address;
}

/** The port of a bound internet socket. */
export function portOf(socket: Socket): number {
  const address = new SocketAddress();
  socket.localName(address);
  return address.dv.getUint16(2);
}
