/**
 * The queue of a SOCK_STREAM UNIX socket: bytes, the credentials and descriptors that came with
 * some of them (unix(7), "Ancillary messages"), and urgent bytes. Without these it is a plain ring.
 */

import type { Account } from "../../core/account.ts";
import { EAGAIN, EFAULT, EINVAL, ENOMEM } from "../../../ffi/abi/errno.ts";
import { MSG_OOB, MSG_PEEK } from "../../../ffi/abi/socket.ts";
import { SOCKET_MESSAGES } from "../../core/quota.ts";
import { ByteRing } from "../../ipc/byte_ring.ts";
import type { FrameAllocator } from "../../mm/frames.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import type { Message, PeerCredentials } from "../message.ts";
import type { Socket } from "../socket.ts";
import { dropMessages, type RightsInFlight } from "../rights.ts";

/** LIMIT: bytes in one direction; the sender's SO_SNDBUF is smaller. */
const MAX_BYTES = 64 << 20;
/**
 * At a fault of the guest's buffer only whole pieces of this size are moved. DIFFERS: Linux's
 * pieces are those of one send, where they are smaller.
 */
const FAULT_BYTES = 32768;

/** Consecutive bytes of one sender; or an urgent byte, which is here and not in the ring. */
export class Segment {
  /** 0: an urgent byte that was received; its place stays. */
  length: number;
  /** The urgent byte; -1: the bytes are in the ring. */
  byte: number = -1;
  readonly credentials: PeerCredentials | null;
  rights: RightsInFlight | null;

  constructor(
    length: number,
    credentials: PeerCredentials | null,
    rights: RightsInFlight | null,
  ) {
    this.length = length;
    this.credentials = credentials;
    this.rights = rights;
  }

  get ringBytes(): number {
    return this.byte < 0 ? this.length : 0;
  }
}

const one = new Uint8Array(1);

export class StreamQueue {
  /** The account that the segments are charged to. */
  account: Account;
  private readonly ring: ByteRing;
  private readonly owner: Socket;
  /** Null: the bytes have neither credentials nor descriptors. */
  private segments: Segment[] | null = null;
  /** Segments that a read in progress has passed; they are removed together afterwards. */
  private passed: number = 0;
  /** The last urgent byte sent, until it is received or passed; null: none. */
  private urgent: Segment | null = null;
  /** Urgent bytes in the queue, the last one and earlier ones, which are ordinary now. */
  private urgentBytes: number = 0;

  /** `owner`: the socket that receives. */
  constructor(frames: FrameAllocator, owner: Socket) {
    this.account = owner.account;
    this.owner = owner;
    this.ring = new ByteRing(frames, MAX_BYTES);
  }

  /** Charges the segments to another account, now and later. */
  chargeTo(account: Account): void {
    SOCKET_MESSAGES.move(this.segments?.length ?? 0, this.account, account);
    this.account = account;
  }

  get length(): number {
    return this.ring.length + this.urgentBytes;
  }
  /** Whether there is neither a byte to read nor the place of an urgent byte. */
  get isEmpty(): boolean {
    return this.ring.length === 0 && this.segments === null;
  }
  /** Whether bytes are unread; the place of one urgent byte does not count. */
  get isUnread(): boolean {
    return this.length > 0 || (this.segments?.length ?? 0) > 1;
  }
  get hasUrgent(): boolean {
    return this.urgent !== null;
  }
  /** Whether the urgent byte is the last one. */
  get endsUrgent(): boolean {
    return this.urgent !== null && this.segments?.at(-1) === this.urgent;
  }
  /** SIOCATMARK: the next byte is urgent, or its place is next. */
  get isAtMark(): boolean {
    const first = this.segments?.[0], { urgent } = this;
    if (first === undefined) return false;
    if (first === urgent) return true;
    return first.length === 0 && (urgent === null || this.segments![1] === urgent);
  }

  /**
   * Appends `n` bytes of the cursor: bytes moved, or -errno. The queue takes over the descriptors
   * if the result is > 0. HOT
   */
  put(
    io: IoCursor,
    n: number,
    credentials: PeerCredentials | null,
    message: Message,
  ): number {
    const isNoted = this.segments !== null || credentials !== null || message.rights !== null;
    if (isNoted && !SOCKET_MESSAGES.hasRoom(1, this.account)) return -ENOMEM;
    const done = this.ring.put(io, n, FAULT_BYTES);
    if (done > 0 && isNoted) this.note(done, credentials, message);
    return done;
  }

  /**
   * Appends one byte of the cursor as urgent: 1 or -errno. The queue takes over the descriptors if
   * it is 1.
   */
  putUrgent(
    io: IoCursor,
    credentials: PeerCredentials | null,
    message: Message,
  ): number {
    if (!SOCKET_MESSAGES.hasRoom(1, this.account)) return -ENOMEM;
    if (io.takeBytes(one, 0, 1) !== 1) return -EFAULT;
    const segment = new Segment(
      1,
      credentials,
      this.owner.net.shared.rights.send(message, this.owner),
    );
    segment.byte = one[0]!;
    this.noted(0).push(segment);
    SOCKET_MESSAGES.add(1, this.account);
    this.urgent = segment;
    this.urgentBytes++;
    return 1;
  }

  /** recv(2) with MSG_OOB: receive the urgent byte, once; its place stays. 1 or -errno. */
  pullUrgent(io: IoCursor, message: Message): number {
    const { urgent, segments } = this;
    if (urgent === null || segments === null) return -EINVAL;
    if ((message.flags & MSG_PEEK) === 0) {
      this.urgent = null;
      const at = segments.indexOf(urgent);
      if (at > 0 && segments[at - 1]!.length === 0) {
        this.finishSegment(segments[at - 1]!);
        segments.splice(at - 1, 1);
      }
      urgent.length = 0;
      this.urgentBytes--;
    }
    if (putByte(io, urgent.byte, Math.min(io.remaining, 1)) < 0) return -EFAULT;
    message.outFlags |= MSG_OOB;
    message.isWhole = true;
    return 1;
  }

  /**
   * Receives bytes, up to the next credentials (if `byCredentials`), the first descriptors, or an
   * urgent byte; `message.isWhole` says that it ended there. -EAGAIN: no bytes. `isInline`: urgent
   * bytes are received too (SO_OOBINLINE). HOT
   */
  pull(io: IoCursor, message: Message, byCredentials: boolean, isInline: boolean): number {
    if ((message.flags & MSG_PEEK) !== 0) {
      return this.peekBytes(io, message, byCredentials, isInline);
    }
    if (this.segments === null) {
      message.credentials = null;
      if (this.ring.length === 0) return -EAGAIN;
      return this.ring.take(io, Math.min(io.remaining, this.ring.length), FAULT_BYTES);
    }
    const n = this.pullSegments(io, message, byCredentials, isInline);
    this.takeOutPassed();
    return n;
  }

  free(): void {
    if (this.segments !== null) dropMessages(this.segments.map(({ rights }) => rights));
    SOCKET_MESSAGES.give(this.segments?.length ?? 0, this.account);
    this.segments = this.urgent = null;
    this.urgentBytes = 0;
    this.ring.free();
  }

  /** The segments, made now if there are none; the last `n` bytes of the ring get none here. */
  private noted(n: number): Segment[] {
    if (this.segments !== null) return this.segments;
    const before = this.ring.length - n;
    this.segments = before > 0 ? [new Segment(before, null, null)] : [];
    SOCKET_MESSAGES.add(this.segments.length, this.account);
    return this.segments;
  }

  private note(
    n: number,
    credentials: PeerCredentials | null,
    message: Message,
  ): void {
    const segments = this.noted(n), last = segments.at(-1);
    const glues = last !== undefined && last.byte < 0 && message.rights === null &&
      last.rights === null &&
      isSame(last.credentials, credentials);
    if (glues) last.length += n;
    else {
      segments.push(
        new Segment(n, credentials, this.owner.net.shared.rights.send(message, this.owner)),
      );
      SOCKET_MESSAGES.add(1, this.account);
    }
  }

  /** Drops the descriptors and the charge of a segment whose bytes were read. */
  private finishSegment(segment: Segment): void {
    if (segment.byte >= 0) this.urgentBytes -= segment.length;
    if (segment === this.urgent) this.urgent = null;
    segment.rights?.drop();
    SOCKET_MESSAGES.give(1, this.account);
  }

  /** The first segment that the read has not passed. */
  private get firstSegment(): Segment | undefined {
    return this.segments?.[this.passed];
  }
  private passFirst(): void {
    this.finishSegment(this.segments![this.passed++]!);
  }
  private takeOutPassed(): void {
    const { segments, passed } = this;
    this.passed = 0;
    if (passed === segments?.length) this.segments = null;
    else if (passed > 0) segments?.splice(0, passed);
  }

  private pullSegments(
    io: IoCursor,
    message: Message,
    byCredentials: boolean,
    isInline: boolean,
  ): number {
    let first: Segment | null = null, total = 0;
    while (io.remaining > 0 || first === null) {
      const segment = this.front(first !== null, isInline);
      if (segment === null) {
        if (first === null && io.remaining > 0) return -EAGAIN;
        message.isWhole = this.firstSegment !== undefined;
        break;
      }
      first ??= segment;
      message.credentials = first.credentials;
      if (byCredentials && !isSame(segment.credentials, first.credentials)) {
        message.isWhole = true;
        break;
      }
      const wanted = Math.min(io.remaining, segment.length);
      const n = segment.byte < 0
        ? this.ring.take(io, wanted, FAULT_BYTES)
        : putByte(io, segment.byte, wanted);
      if (n < 0) {
        total = total > 0 ? total : n;
        break;
      }
      total += n;
      segment.length -= n;
      if (segment.byte >= 0) this.urgentBytes -= n;
      if (segment.rights !== null) {
        message.rights = segment.rights.take();
        message.isWhole = true;
        segment.rights = null;
      }
      if (segment.length > 0) break;
      this.passFirst();
      if (message.isWhole) break;
    }
    return total;
  }

  /**
   * The segment to read from. Null: none, or a read that has bytes already (`isBehind`) ends at the
   * place of the urgent byte; a read that begins there passes it.
   */
  private front(isBehind: boolean, isInline: boolean): Segment | null {
    let first = this.firstSegment;
    if (first !== undefined && first.length === 0) {
      if (isBehind && this.urgent === null) return null;
      this.passFirst();
      first = this.firstSegment;
    }
    if (first === undefined || first !== this.urgent) return first ?? null;
    if (isBehind) return null;
    this.urgent = null;
    if (isInline) return first;
    this.passFirst();
    return this.firstSegment ?? null;
  }

  /**
   * MSG_PEEK, from `message.skipped` on; descriptors stay in the queue and the caller gets copies.
   */
  private peekBytes(
    io: IoCursor,
    message: Message,
    byCredentials: boolean,
    isInline: boolean,
  ): number {
    const segments = this.segments ?? [new Segment(this.ring.length, null, null)];
    let skip = message.skipped, at = 0, i = 0, total = 0, first: Segment | null = null;
    while (io.remaining > 0 || first === null) {
      i = this.indexToPeek(segments, i, first !== null, isInline);
      while (i < segments.length && skip >= segments[i]!.length) {
        skip -= segments[i]!.length;
        at += segments[i]!.ringBytes;
        i++;
      }
      const segment = segments[i];
      if (segment === undefined) break;
      first ??= segment;
      message.credentials = first.credentials;
      if (byCredentials && !isSame(segment.credentials, first.credentials)) break;
      const wanted = Math.min(io.remaining, segment.length - skip);
      const n = segment.byte < 0
        ? this.ring.peek(io, at + skip, wanted)
        : putByte(io, segment.byte, wanted);
      if (n < 0) return total > 0 ? total : n;
      total += n;
      if (segment.rights !== null) {
        message.rights = segment.rights.copy();
        break;
      }
      skip = 0;
      at += segment.ringBytes;
      i++;
    }
    message.isWhole = true;
    return first === null && (io.remaining > 0 || this.isEmpty) ? -EAGAIN : total;
  }

  /**
   * As `front`, from segment `i` on and without a change: its index, or that behind the last
   * segment.
   */
  private indexToPeek(
    segments: readonly Segment[],
    i: number,
    isBehind: boolean,
    isInline: boolean,
  ): number {
    const { urgent } = this, end = segments.length;
    if (i < end && segments[i]!.length === 0) {
      if (isBehind && urgent === null) return end;
      i++;
    }
    if (i >= end || segments[i] !== urgent) return i;
    if (isBehind) return end;
    return isInline ? i : i + 1;
  }
}

/** Puts the byte into the cursor if `n` is 1: `n`, or -EFAULT. */
function putByte(io: IoCursor, byte: number, n: number): number {
  if (n === 0) return 0;
  one[0] = byte;
  return io.putBytes(one, 0, 1) === 1 ? 1 : -EFAULT;
}

function isSame(a: PeerCredentials | null, b: PeerCredentials | null): boolean {
  return a === b || (a !== null && b !== null && a.isSame(b));
}
