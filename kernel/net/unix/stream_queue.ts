/**
 * The bytes that wait in a SOCK_STREAM UNIX socket, with the credentials and descriptors that came with some of them
 * (unix(7), "Ancillary messages"). As long as none did, it is a plain ring.
 */

import { ENOMEM } from "../../../ffi/abi/errno.ts";
import { MSG_PEEK } from "../../../ffi/abi/socket.ts";
import { SOCKET_MESSAGES } from "../../core/quota.ts";
import { ByteRing } from "../../ipc/byte_ring.ts";
import type { FrameAllocator } from "../../mm/frames.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import type { Message, PeerCredentials } from "../message.ts";
import { inFlightOf, type RightsInFlight } from "../rights.ts";

/** LIMIT: bytes in one direction; the sender's SO_SNDBUF is what counts. */
const MAX_BYTES = 64 << 20;
/**
 * At a fault of the guest's buffer, what is not whole in such pieces is not moved. DIFFERS: Linux's pieces are what was
 * sent at once, where that is less.
 */
const FAULT_BYTES = 32768;

/** Neighbouring bytes of one origin. */
class Segment {
  length: number;
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
}

export class StreamQueue {
  private readonly ring: ByteRing;
  private readonly owner: OpenFile;
  /** Null: all bytes are without anything. */
  private segments: Segment[] | null = null;

  /** `owner` is the socket that receives. */
  constructor(frames: FrameAllocator, owner: OpenFile) {
    this.owner = owner;
    this.ring = new ByteRing(frames, MAX_BYTES);
  }

  get length(): number {
    return this.ring.length;
  }

  /** Append `n` bytes of the cursor: bytes moved, or -errno. The rights are taken over when the result is > 0. HOT */
  put(
    io: IoCursor,
    n: number,
    credentials: PeerCredentials | null,
    rights: readonly OpenFile[] | null,
  ): number {
    const isNoted = this.segments !== null || credentials !== null || rights !== null;
    if (isNoted && !SOCKET_MESSAGES.hasRoom) return -ENOMEM;
    const done = this.ring.put(io, n, FAULT_BYTES);
    if (done > 0 && isNoted) this.note(done, credentials, rights);
    return done;
  }

  /**
   * Deliver bytes, at most up to where other credentials begin (if `byCredentials`) or behind the first descriptors;
   * `message.isWhole` says that it ended so. HOT
   */
  pull(io: IoCursor, message: Message, byCredentials: boolean): number {
    if ((message.flags & MSG_PEEK) !== 0) return this.look(io, message, byCredentials);
    if (this.segments === null) {
      message.credentials = null;
      return this.ring.take(io, Math.min(io.remaining, this.ring.length), FAULT_BYTES);
    }
    return this.pullSegments(io, message, byCredentials, this.segments);
  }

  free(): void {
    for (const { rights } of this.segments ?? []) rights?.drop();
    SOCKET_MESSAGES.used -= this.segments?.length ?? 0;
    this.segments = null;
    this.ring.free();
  }

  private note(
    n: number,
    credentials: PeerCredentials | null,
    rights: readonly OpenFile[] | null,
  ): void {
    if (this.segments === null) {
      const before = this.ring.length - n;
      this.segments = before > 0 ? [new Segment(before, null, null)] : [];
      SOCKET_MESSAGES.used += this.segments.length;
    }
    const last = this.segments.at(-1);
    const glues = last !== undefined && rights === null && last.rights === null &&
      isSame(last.credentials, credentials);
    if (glues) last.length += n;
    else {
      this.segments.push(new Segment(n, credentials, inFlightOf(rights, this.owner)));
      SOCKET_MESSAGES.used++;
    }
  }

  private pullSegments(
    io: IoCursor,
    message: Message,
    byCredentials: boolean,
    segments: Segment[],
  ): number {
    const first = segments[0]!;
    message.credentials = first.credentials;
    let total = 0, gone = 0;
    while (gone < segments.length && io.remaining > 0) {
      const segment = segments[gone]!;
      if (byCredentials && !isSame(segment.credentials, first.credentials)) {
        message.isWhole = true;
        break;
      }
      const n = this.ring.take(io, Math.min(io.remaining, segment.length), FAULT_BYTES);
      if (n < 0) {
        total = total > 0 ? total : n;
        break;
      }
      total += n;
      segment.length -= n;
      if (segment.rights !== null) {
        message.rights = segment.rights.take();
        message.isWhole = true;
        segment.rights = null;
      }
      if (segment.length > 0) break;
      gone++;
      if (message.isWhole) break;
    }
    segments.splice(0, gone);
    SOCKET_MESSAGES.used -= gone;
    if (segments.length === 0) this.segments = null;
    return total;
  }

  /** MSG_PEEK: from `message.skipped` on; descriptors stay in the queue and copies are handed out. */
  private look(io: IoCursor, message: Message, byCredentials: boolean): number {
    let end = this.ring.length, at = 0;
    message.credentials = this.segments?.[0]?.credentials ?? null;
    for (const segment of this.segments ?? []) {
      if (byCredentials && !isSame(segment.credentials, message.credentials)) {
        end = at;
        break;
      }
      const reached = at + segment.length;
      const isWanted = segment.rights !== null && at < message.skipped + io.remaining;
      if (isWanted && reached > message.skipped) {
        message.rights = segment.rights!.copy();
        end = reached;
        break;
      }
      at = reached;
    }
    message.isWhole = end < this.ring.length || message.rights !== null;
    const n = Math.min(io.remaining, end - message.skipped);
    return n <= 0 ? 0 : this.ring.peek(io, message.skipped, n);
  }
}

function isSame(a: PeerCredentials | null, b: PeerCredentials | null): boolean {
  return a === b || (a !== null && b !== null && a.isSame(b));
}
