/**
 * The base class of sockets (socket(7)), which system calls use. Families subclass it. Like every
 * file it never blocks: it returns -EAGAIN, and the call waits for `queue`, or to send or connect
 * for `blockedOn`.
 *
 * Neighbours: socket_options.ts (SOL_SOCKET), message.ts (addresses, messages), net_namespace.ts
 * (families).
 */

import type { Account } from "../core/account.ts";
import { OPEN_FILES, SOCKETS } from "../core/quota.ts";
import { EAGAIN, EINVAL, ENOPROTOOPT, ENOTCONN, ENOTTY, EOPNOTSUPP } from "../../ffi/abi/errno.ts";
import { O_RDWR } from "../../ffi/abi/fcntl.ts";
import { FIONREAD } from "../../ffi/abi/ioctl.ts";
import { SIOCATMARK, SIOCOUTQ } from "../../ffi/abi/socket.ts";
import { S_IFSOCK } from "../../ffi/abi/stat.ts";
import { WaitQueue } from "../core/wait.ts";
import type { IoCursor } from "../mm/io_cursor.ts";
import type { UserMemory } from "../mm/user_memory.ts";
import type { Inode } from "../vfs/inode.ts";
import { OpenFile } from "../vfs/open_file.ts";
import type { ControlWriter } from "./control_writer.ts";
import { Message, type SocketAddress, type SocketCaller } from "./message.ts";
import type { NetNamespace } from "./net_namespace.ts";
import { protocolName } from "./protocol_name.ts";
import {
  getSocketOption,
  type OptionValue,
  setSocketOption,
  SocketOptions,
} from "./socket_options.ts";

/** The message of read(2) and write(2), which have none. */
const plain = new Message();

export abstract class Socket extends OpenFile {
  override readonly inode: Inode;
  readonly net: NetNamespace;
  readonly family: number;
  /** SOCK_STREAM, SOCK_DGRAM, ... */
  readonly type: number;
  readonly protocol: number;
  readonly options: SocketOptions = new SocketOptions();
  /** Woken with the poll bits of this socket. */
  readonly queue: WaitQueue = new WaitQueue();
  /** The queue that a send or connect waits in after -EAGAIN: this socket's or the peer's. */
  blockedOn: WaitQueue = this.queue;
  /** Pending error (SO_ERROR), a positive errno; 0: none. */
  error: number = 0;
  isReadShut: boolean = false;
  isWriteShut: boolean = false;
  /** Messages dropped because there was no room. */
  drops: number = 0;

  constructor(account: Account, net: NetNamespace, family: number, type: number, protocol: number) {
    super(account, O_RDWR);
    SOCKETS.add(1, this.account);
    this.net = net;
    this.family = family;
    this.type = type;
    this.protocol = protocol;
    const inode = net.shared.sockets.makeInode(S_IFSOCK | 0o777);
    inode.protocolName = protocolName(this);
    this.inode = inode;
    net.sockets.add(this);
  }

  /** Charges the socket to another account. Subclasses add what waits in it. */
  chargeTo(account: Account): void {
    OPEN_FILES.move(1, this.account, account);
    SOCKETS.move(1, this.account, account);
    this.account = account;
  }

  protected override uncharge(): void {
    super.uncharge();
    this.net.sockets.remove(this);
    SOCKETS.give(1, this.account);
  }

  override get readsNow(): boolean {
    return true;
  }
  override get writesNow(): boolean {
    return true;
  }
  override get canSignal(): boolean {
    return true;
  }
  override get waitQueue(): WaitQueue {
    return this.queue;
  }

  abstract bind(caller: SocketCaller, address: SocketAddress): number;
  /** 0, -EAGAIN (wait for `blockedOn` and try again), -EINPROGRESS, -errno. */
  abstract connect(caller: SocketCaller, address: SocketAddress, nonblocking: boolean): number;
  /** Bytes sent, or -errno. The descriptors of the message are taken only with a result >= 0. */
  abstract send(io: IoCursor, message: Message): number;
  /** Bytes received (a datagram with MSG_TRUNC: its length), 0 at the end, or -errno. */
  abstract receive(io: IoCursor, message: Message): number;
  abstract localName(out: SocketAddress): number;
  /** The peer's address: 0, or -ENOTCONN. */
  abstract peerName(out: SocketAddress): number;

  listen(_caller: SocketCaller, _backlog: number): number {
    return -EOPNOTSUPP;
  }
  /** A new socket with one reference, which is charged to the account; or -errno. */
  accept(_account: Account): Socket | number {
    return -EOPNOTSUPP;
  }
  /** SHUT_RD, SHUT_WR or SHUT_RDWR. */
  shutdown(_how: number): number {
    return -ENOTCONN;
  }
  /** Whether SO_ATTACH_FILTER works. */
  get takesFilters(): boolean {
    return false;
  }
  get isListening(): boolean {
    return false;
  }
  /** Whether SO_PEEK_OFF works. */
  get takesPeekOffset(): boolean {
    return false;
  }

  /** Whether SO_ZEROCOPY works. */
  get takesZerocopy(): boolean {
    return false;
  }
  /** Called when a send(2) with MSG_ZEROCOPY is complete. */
  reportZerocopy(): void {}

  /** Updates SO_PEEK_OFF after a receive: MSG_PEEK moves it on, other receives move it back. HOT */
  movePeekOffset(isPeek: boolean, bytes: number): void {
    const { options } = this, at = options.peekOffset;
    if (at >= 0) options.peekOffset = isPeek ? at + bytes : Math.max(0, at - bytes);
  }

  /** recv(2) with MSG_ERRQUEUE: as `receive`, from the error queue. */
  receiveError(_io: IoCursor, _message: Message): number {
    return -EAGAIN;
  }

  /** Options of SOL_SOCKET. */
  setSocketOption(caller: SocketCaller, name: number, value: OptionValue): number {
    return setSocketOption(caller, this, name, value);
  }
  getSocketOption(name: number, value: OptionValue): number {
    return getSocketOption(this, name, value);
  }

  /** Options of levels other than SOL_SOCKET. */
  setProtocolOption(_level: number, _name: number, _value: OptionValue): number {
    return -ENOPROTOOPT;
  }
  /**
   * Puts the value into `value`, whose length is the room for it and may be negative: 0 or -errno.
   */
  getProtocolOption(_level: number, _name: number, _value: OptionValue): number {
    return -ENOPROTOOPT;
  }
  /** SOL_SOCKET options of one family, or -ENOPROTOOPT. */
  getFamilyOption(_name: number, _value: OptionValue): number {
    return -ENOPROTOOPT;
  }
  /** SO_SNDBUF or SO_RCVBUF changed. */
  onBufferSize(): void {}

  /** FIONREAD: of a stream all bytes, of datagrams those of the first. */
  get pendingBytes(): number {
    return 0;
  }
  /** SIOCOUTQ: bytes sent and not read yet. */
  get unsentBytes(): number {
    return 0;
  }

  /** The socket whose owner gets SIGURG when this one sends with MSG_OOB. */
  get urgentReceiver(): Socket | null {
    return null;
  }
  /**
   * SIOCATMARK: 1 if the next byte is the urgent one or the first behind it, else 0; -errno: no
   * urgent data.
   */
  get atMark(): number {
    return -ENOTTY;
  }

  /** Adds the control messages of this family to a received message. */
  describeMessage(_message: Message, _out: ControlWriter): void {}
  /**
   * Takes a control message of a level other than SOL_SOCKET; its data is at `at` of `dv`. 0 or
   * -errno.
   */
  takeControl(
    _message: Message,
    _level: number,
    _type: number,
    _dv: DataView,
    _at: number,
    _length: number,
  ): number {
    return -EINVAL;
  }

  /** Takes the pending error: 0 or -errno. */
  takeError(): number {
    const { error } = this;
    if (error === 0) return 0;
    this.error = 0;
    return -error;
  }

  override read(io: IoCursor, _offset: number): number {
    if (io.remaining === 0) return 0;
    plain.reset(0);
    const n = this.receive(io, plain);
    if (n > 0) this.movePeekOffset(false, n);
    plain.dropRights();
    return n;
  }
  override write(io: IoCursor, _offset: number): number {
    plain.reset(0);
    plain.caller = this.net.caller;
    return this.send(io, plain);
  }

  override ioctl(request: number, arg: number, user: UserMemory): number {
    switch (request) {
      case FIONREAD:
        return this.isListening ? -EINVAL : user.store32(arg, this.pendingBytes);
      case SIOCOUTQ:
        return this.isListening ? -EINVAL : user.store32(arg, this.unsentBytes);
      case SIOCATMARK: {
        const { atMark } = this;
        return atMark < 0 ? atMark : user.store32(arg, atMark);
      }
      default: {
        const r = this.net.transport.interfaceIoctl(request, arg, user, this.net.caller);
        return r === -ENOTTY ? super.ioctl(request, arg, user) : r;
      }
    }
  }

  override describe(): string {
    return `socket:[${this.inode.ino}]`;
  }
}
