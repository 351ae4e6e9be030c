/**
 * A connection to a bus, or straight to systemd: the kernel vouches for the caller's user id
 * (EXTERNAL), then one call at a time. Synchronous; incoming signals are ignored.
 */

import { EAGAIN, EINTR } from "../../../../ffi/abi/errno.ts";
import { POLLIN } from "../../../../ffi/abi/poll.ts";
import { AF_UNIX, MSG_NOSIGNAL, SOCK_CLOEXEC, SOCK_STREAM } from "../../../../ffi/abi/socket.ts";
import {
  SYS_connect,
  SYS_geteuid,
  SYS_sendto,
  SYS_socket,
} from "../../../../ffi/abi/syscall_numbers.ts";
import { addressOf, allocBuffer, scratch } from "../../../../ffi/sys/cstring.ts";
import { check } from "../../../../ffi/sys/errors.ts";
import { close, poll, read } from "../../../../ffi/sys/files.ts";
import { syscall } from "../../../../ffi/sys/native.ts";
import { putUnixAddress } from "../../../host/unix_address.ts";
import { UserError } from "../../../user_error.ts";
import {
  type Call,
  decodeMessage,
  encodeCall,
  ERROR,
  FIXED_BYTES,
  type Message,
  messageBytes,
} from "./dbus_message.ts";
import { DbusWriter } from "./dbus_values.ts";

/** LIMIT: how long to wait for an answer, in ms. */
const ANSWER_MS = 30_000;
const BUS = "org.freedesktop.DBus";

/** The other side refused a call. */
export class DbusError extends UserError {
  /** `org.freedesktop.systemd1.UnitExists`. */
  readonly errorName: string;

  constructor(call: string, errorName: string, text: string) {
    super(`${call}: ${text || errorName}`);
    this.errorName = errorName;
  }
}

export class DbusConnection {
  readonly #fd: number;
  #serial = 0;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /**
   * @param path of the socket
   * @param isBus whether a bus is there, which needs a Hello, and not systemd itself
   * @throws UserError, SyscallError
   */
  static open(path: string, isBus: boolean): DbusConnection {
    const fd = check(syscall(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    const connection = new DbusConnection(fd);
    try {
      const length = putUnixAddress(path);
      check(syscall(SYS_connect, fd, scratch.area(0), length), `connect "${path}"`);
      connection.#authenticate();
      if (isBus) {
        const body = new DbusWriter();
        const bus = { destination: BUS, path: "/org/freedesktop/DBus", interface: BUS };
        connection.call({ ...bus, member: "Hello", signature: "", body });
      }
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** Makes a call and waits for its answer. @throws DbusError, UserError */
  call(call: Call): Message {
    const serial = ++this.#serial;
    this.#send(encodeCall(call, serial));
    for (;;) {
      const message = this.#receive();
      if (message.replySerial !== serial) continue;
      if (message.type !== ERROR) return message;
      const [text] = message.body;
      throw new DbusError(call.member, message.errorName, typeof text === "string" ? text : "");
    }
  }

  close(): void {
    close(this.#fd);
  }

  #authenticate(): void {
    const uid = String(syscall(SYS_geteuid));
    const hex = [...uid].map((digit) => digit.charCodeAt(0).toString(16)).join("");
    this.#send(new TextEncoder().encode(`\0AUTH EXTERNAL ${hex}\r\n`));
    let line = "";
    while (!line.endsWith("\r\n")) {
      if (line.length > 512) {
        throw new UserError("the bus sends too much text before authentication");
      }
      line += String.fromCharCode(...this.#read(1));
    }
    if (!line.startsWith("OK ")) {
      throw new UserError(`the bus refuses authentication: ${line.trim()}`);
    }
    this.#send(new TextEncoder().encode("BEGIN\r\n"));
  }

  #receive(): Message {
    const head = this.#read(FIXED_BYTES);
    const bytes = new Uint8Array(messageBytes(head));
    bytes.set(head);
    bytes.set(this.#read(bytes.length - head.length), head.length);
    return decodeMessage(bytes);
  }

  #send(bytes: Uint8Array): void {
    const buffer = allocBuffer(bytes.length);
    buffer.set(bytes);
    for (let sent = 0; sent < buffer.length;) {
      const from = addressOf(buffer) + sent, left = buffer.length - sent;
      const r = syscall(SYS_sendto, this.#fd, from, left, MSG_NOSIGNAL, 0, 0);
      if (r === -EINTR) continue;
      sent += check(r, "send to the bus");
    }
  }

  #read(lenBytes: number): Uint8Array {
    const buffer = allocBuffer(lenBytes);
    for (let got = 0; got < lenBytes;) {
      const events = poll(this.#fd, POLLIN, ANSWER_MS);
      if (events === 0) throw new UserError(`systemd gave no answer within ${ANSWER_MS / 1000} s`);
      const r = read(this.#fd, addressOf(buffer) + got, lenBytes - got);
      if (r === -EINTR || r === -EAGAIN) continue;
      if (check(r, "read from the bus") === 0) throw new UserError("the bus closed the connection");
      got += r;
    }
    return buffer;
  }
}
