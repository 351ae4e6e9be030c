/** A lab of sockets of this machine's loopback, for tests. */

import { assertEquals } from "@std/assert";
import * as S from "../../ffi/abi/socket.ts";
import { addressOf, allocBuffer } from "../../ffi/sys/cstring.ts";
import { KernelCursor } from "../../kernel/mm/cursor.ts";
import { Message } from "../../kernel/net/message.ts";
import { inetAddress, NetLab, portOf } from "../../kernel/net/net_testing.ts";
import type { Socket } from "../../kernel/net/socket.ts";
import { errno } from "../../kernel/vfs/vfs_testing.ts";
import { RealHost } from "./real_host.ts";
import { RealHostNetwork } from "./host_network.ts";

export class HostLab extends NetLab {
  readonly host: RealHost;
  readonly #buffer: Uint8Array<ArrayBuffer> = allocBuffer(65536);
  readonly #cursor: KernelCursor = new KernelCursor();

  constructor(host: RealHost = new RealHost(1, 1 << 30, 1 << 30)) {
    super(host, new RealHostNetwork(false));
    this.host = host;
  }

  put(socket: Socket, text: string, flags = 0): string | number {
    this.#buffer.set(new TextEncoder().encode(text));
    const message = new Message();
    message.reset(flags);
    return errno(socket.send(this.#cursor.set(addressOf(this.#buffer), text.length), message));
  }
  take(socket: Socket, max = 1000, flags = 0): string | number {
    this.last.reset(flags);
    const n = socket.receive(this.#cursor.set(addressOf(this.#buffer), max), this.last);
    return n < 0 ? errno(n) : new TextDecoder().decode(this.#buffer.slice(0, Math.min(n, max)));
  }

  /** A connection over 127.0.0.1: both ends. */
  connected(): [Socket, Socket] {
    const listener = this.socket(S.AF_INET, S.SOCK_STREAM);
    this.bind(listener, inetAddress("127.0.0.1", 0));
    assertEquals(listener.listen(this, 5), 0);
    const client = this.socket(S.AF_INET, S.SOCK_STREAM);
    this.connect(client, inetAddress("127.0.0.1", portOf(listener)), true);
    const server = this.accept(listener);
    listener.drop();
    return [client, server];
  }
}
