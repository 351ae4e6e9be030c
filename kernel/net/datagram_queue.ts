/** Messages with their boundaries: headers in a list, bytes in a ring. Each carries what recvmsg(2) tells beside. */

import type { Account } from "../core/account.ts";
import { EAGAIN, EFAULT, EMSGSIZE, ENOMEM } from "../../ffi/abi/errno.ts";
import { MSG_PEEK, MSG_TRUNC } from "../../ffi/abi/socket.ts";
import { SOCKET_MESSAGES } from "../core/quota.ts";
import { ByteRing } from "../ipc/byte_ring.ts";
import type { FrameAllocator } from "../mm/frames.ts";
import type { IoCursor } from "../mm/io_cursor.ts";
import type { Message, PeerCredentials } from "./message.ts";
import type { RightsInFlight } from "./rights.ts";

/** LIMIT: bytes that one queue holds whatever the buffer sizes are. */
const MAX_BYTES = 64 << 20;

/** What a message counts beside its bytes against SO_SNDBUF and SO_RCVBUF (struct sk_buff and rounding). */
const MESSAGE_CHARGE = 512;

/** What stands in a queue of errors beside a packet. */
export class ExtendedError {
  /** struct sock_extended_err, and the address of who said so. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly errno: number;
  /** ICMP said so. */
  readonly isIcmp: boolean;

  constructor(bytes: Uint8Array<ArrayBuffer>, errno: number, isIcmp: boolean) {
    this.bytes = bytes;
    this.errno = errno;
    this.isIcmp = isIcmp;
  }
}

export class Datagram {
  readonly length: number;
  /** Sender's address as user memory has it; empty: none. */
  readonly from: Uint8Array<ArrayBuffer>;
  rights: RightsInFlight | null = null;
  credentials: PeerCredentials | null = null;
  /** Destination, for IP_PKTINFO: 16 bytes, or null. */
  to: Uint8Array<ArrayBuffer> | null = null;
  /** Index of the link that it came by; 0: the one that has the destination. */
  link: number = 0;
  /** TTL or hop limit, and TOS or traffic class, of its packet. */
  hops: number = 0;
  trafficClass: number = 0;
  /** Options of its header (IPv4); null: it had none. */
  options: Uint8Array<ArrayBuffer> | null = null;
  /** What a packet socket tells of it beside (struct tpacket_auxdata); null: nothing. */
  aux: Uint8Array<ArrayBuffer> | null = null;
  /** Bytes of the segments that it is joined of; 0: it is not. */
  segment: number = 0;
  /** In a queue of errors. */
  error: ExtendedError | null = null;
  timeSec: number = -1;
  timeNsec: number = 0;

  constructor(length: number, from: Uint8Array<ArrayBuffer>) {
    this.length = length;
    this.from = from;
  }
}

export class DatagramQueue {
  /** What it is charged to. */
  readonly account: Account;
  private readonly ring: ByteRing;
  private messages: Datagram[] = [];
  /** Messages taken off the front of `messages`. */
  private taken: number = 0;

  constructor(frames: FrameAllocator, account: Account) {
    this.account = account;
    this.ring = new ByteRing(frames, MAX_BYTES);
  }

  get count(): number {
    return this.messages.length - this.taken;
  }
  get bytes(): number {
    return this.ring.length;
  }
  /** Memory that it stands for: the bytes and something for each message. */
  get charge(): number {
    return this.ring.length + this.count * MESSAGE_CHARGE;
  }
  get first(): Datagram | null {
    return this.messages[this.taken] ?? null;
  }
  get last(): Datagram | null {
    return this.count === 0 ? null : this.messages.at(-1) ?? null;
  }
  /** Length of the first message; 0 when there is none. */
  get firstLength(): number {
    return this.messages[this.taken]?.length ?? 0;
  }

  /** Append what the cursor has left as one message, whose header the caller made: 0 or -errno. */
  push(io: IoCursor, datagram: Datagram): number {
    const { length } = datagram;
    if (length > this.ring.room) return -EMSGSIZE;
    if (!SOCKET_MESSAGES.hasRoom(1, this.account)) return -ENOMEM;
    const n = length === 0 ? 0 : this.ring.put(io, length);
    if (n < 0) return n;
    if (n < length) {
      this.ring.unput(n);
      return -EFAULT;
    }
    this.messages.push(datagram);
    SOCKET_MESSAGES.add(1, this.account);
    return 0;
  }

  /**
   * Deliver the first message into the cursor; what does not fit is lost. The result is its length as recv(2) gives it:
   * what was copied, or with MSG_TRUNC all of it. -EAGAIN when there is none; -EFAULT: it is lost. A look begins behind
   * `message.skipped` bytes, which may be in a later message.
   */
  pull(io: IoCursor, message: Message): number {
    const isPeek = (message.flags & MSG_PEEK) !== 0;
    let at = this.taken, first = this.messages[at], before = 0;
    let { skipped } = message;
    while (first !== undefined && skipped > 0 && skipped >= first.length) {
      skipped -= first.length;
      before += first.length;
      first = this.messages[++at];
    }
    if (first === undefined) return -EAGAIN;
    const rest = first.length - skipped, wanted = Math.min(rest, io.remaining);
    const n = wanted === 0 ? 0 : this.ring.peek(io, before + skipped, wanted);
    if (n < wanted) {
      if (!isPeek && !io.isHeldUp) this.lose(first);
      return -EFAULT;
    }
    describe(first, message, isPeek);
    if (!isPeek) this.drop();
    if (n < rest) message.outFlags |= MSG_TRUNC;
    return (message.flags & MSG_TRUNC) !== 0 ? rest : n;
  }

  /** Forget everything and give the memory back. */
  free(): void {
    for (let i = this.taken; i < this.messages.length; i++) {
      this.messages[i]!.rights?.drop();
    }
    SOCKET_MESSAGES.give(this.count, this.account);
    this.messages = [];
    this.taken = 0;
    this.ring.free();
  }

  private lose(first: Datagram): void {
    first.rights?.drop();
    this.drop();
  }

  private drop(): void {
    this.ring.skip(this.messages[this.taken]!.length);
    this.taken++;
    SOCKET_MESSAGES.give(1, this.account);
    if (this.taken === this.messages.length) {
      this.messages = [];
      this.taken = 0;
    } else if (this.taken > 64 && this.taken * 2 > this.messages.length) {
      this.messages = this.messages.slice(this.taken);
      this.taken = 0;
    }
  }
}

/** What comes with the bytes; a look leaves the descriptors in the queue and hands out copies. */
function describe(from: Datagram, message: Message, isPeek: boolean): void {
  message.name.u8.set(from.from);
  message.name.length = from.from.length;
  message.credentials = from.credentials;
  message.aux = from.aux;
  message.segment = from.segment;
  message.error = from.error?.bytes ?? null;
  message.timeSec = from.timeSec;
  message.timeNsec = from.timeNsec;
  if (from.to !== null) {
    message.packetInfo.to.set(from.to);
    message.packetInfo.interfaceIndex = from.link;
    message.packetInfo.hops = from.hops;
    message.packetInfo.trafficClass = from.trafficClass;
    message.packetInfo.options = from.options;
    message.packetInfo.isValid = true;
  }
  if (from.rights === null) return;
  message.rights = isPeek ? from.rights.copy() : from.rights.take();
  if (!isPeek) from.rights = null;
}
