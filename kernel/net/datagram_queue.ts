/**
 * A queue of messages with boundaries: headers in a list, bytes in a ring. Datagram, seqpacket,
 * raw, netlink and packet sockets have one, and error queues are such queues.
 */

import type { Account } from "../core/account.ts";
import { EAGAIN, EFAULT, EMSGSIZE, ENOMEM } from "../../ffi/abi/errno.ts";
import { MSG_PEEK, MSG_TRUNC } from "../../ffi/abi/socket.ts";
import { SOCKET_MESSAGES } from "../core/quota.ts";
import { ByteRing } from "../ipc/byte_ring.ts";
import type { FrameAllocator } from "../mm/frames.ts";
import type { IoCursor } from "../mm/io_cursor.ts";
import type { Message, PeerCredentials } from "./message.ts";
import { dropMessages, type RightsInFlight } from "./rights.ts";

/** LIMIT: bytes of one queue, whatever the buffer sizes are. */
const MAX_BYTES = 64 << 20;

/**
 * The charge of a message beside its bytes against SO_SNDBUF and SO_RCVBUF (struct sk_buff and
 * rounding).
 */
const MESSAGE_CHARGE = 512;

/** The error of an entry in an error queue. */
export class ExtendedError {
  /** struct sock_extended_err, and the address of the node that reported the error. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly errno: number;
  /** The error came from ICMP. */
  readonly isIcmp: boolean;

  constructor(bytes: Uint8Array<ArrayBuffer>, errno: number, isIcmp: boolean) {
    this.bytes = bytes;
    this.errno = errno;
    this.isIcmp = isIcmp;
  }
}

/** The header of a queued message. */
export class Datagram {
  readonly length: number;
  /** The sender's socket address; empty: none. */
  readonly from: Uint8Array<ArrayBuffer>;
  rights: RightsInFlight | null = null;
  credentials: PeerCredentials | null = null;
  /** The destination for IP_PKTINFO: 16 bytes, or null. */
  to: Uint8Array<ArrayBuffer> | null = null;
  /** Index of the link the packet came by; 0: the link that has the destination. */
  link: number = 0;
  /** TTL or hop limit, and TOS or traffic class, of the packet. */
  hops: number = 0;
  trafficClass: number = 0;
  /** Options of the IPv4 header; null: none. */
  options: Uint8Array<ArrayBuffer> | null = null;
  /** struct tpacket_auxdata of a packet socket; null: none. */
  aux: Uint8Array<ArrayBuffer> | null = null;
  /** Bytes of the segments it was joined from (UDP_GRO); 0: not joined. */
  segment: number = 0;
  /** Set in error queues only. */
  error: ExtendedError | null = null;
  timeSec: number = -1;
  timeNsec: number = 0;

  constructor(length: number, from: Uint8Array<ArrayBuffer>) {
    this.length = length;
    this.from = from;
  }
}

/** A queue of messages, charged to its socket. */
export class DatagramQueue {
  /** The account that messages are charged to. */
  account: Account;
  private readonly ring: ByteRing;
  private messages: Datagram[] = [];
  /** Messages at the front of `messages` that were received. */
  private taken: number = 0;

  constructor(frames: FrameAllocator, account: Account) {
    this.account = account;
    this.ring = new ByteRing(frames, MAX_BYTES);
  }

  /** Charges the messages to another account, now and later. */
  chargeTo(account: Account): void {
    SOCKET_MESSAGES.move(this.count, this.account, account);
    this.account = account;
  }

  get count(): number {
    return this.messages.length - this.taken;
  }
  get bytes(): number {
    return this.ring.length;
  }
  /** Bytes charged: those of the messages, and a fixed charge for each. */
  get charge(): number {
    return this.ring.length + this.count * MESSAGE_CHARGE;
  }
  get first(): Datagram | null {
    return this.messages[this.taken] ?? null;
  }
  get last(): Datagram | null {
    return this.count === 0 ? null : this.messages.at(-1) ?? null;
  }
  /** Length of the first message; 0: the queue is empty. */
  get firstLength(): number {
    return this.messages[this.taken]?.length ?? 0;
  }

  /** Appends the rest of the cursor as one message with the header `datagram`: 0 or -errno. */
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
   * Receives the first message into the cursor; bytes that do not fit are lost. Returns what
   * recv(2) does: the bytes copied, or with MSG_TRUNC the whole length. -EAGAIN: the queue is
   * empty; -EFAULT: the message is lost. MSG_PEEK begins behind `message.skipped` bytes, which
   * may be in a later message.
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
      if (!isPeek && !io.isHeldUp) this.dropFirst(first);
      return -EFAULT;
    }
    describe(first, message, isPeek);
    if (!isPeek) this.drop();
    if (n < rest) message.outFlags |= MSG_TRUNC;
    return (message.flags & MSG_TRUNC) !== 0 ? rest : n;
  }

  /** Drops all messages and frees the memory. */
  free(): void {
    dropMessages(this.messages.slice(this.taken).map(({ rights }) => rights));
    SOCKET_MESSAGES.give(this.count, this.account);
    this.messages = [];
    this.taken = 0;
    this.ring.free();
  }

  private dropFirst(first: Datagram): void {
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

/**
 * Fills in what recvmsg(2) shows beside the bytes. MSG_PEEK leaves the descriptors in the queue and
 * gets copies.
 */
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
