/**
 * IoCursor: the source or target of the bytes of one read or write, as a list of segments in user
 * memory (checked at each copy) or in kernel memory (host addresses). Files only see this class, so
 * that read, readv, pread, sendfile, splice and exec use the same code. cursor.ts has both kinds.
 *
 * Every transfer advances the cursor. At a fault it transfers what it can: the bytes so far, or
 * -EFAULT if none.
 */

export abstract class IoCursor {
  /** Bytes still wanted. */
  remaining: number = 0;
  /** Bytes transferred since the cursor was set. */
  done: number = 0;

  /**
   * Some bytes to be taken are missing, and a userfaultfd(2) handler has to supply them: then a
   * writer takes nothing, returns -EFAULT, and is called again when they are there.
   */
  get isAwaited(): boolean {
    return false;
  }

  /**
   * The last transfer stopped at missing bytes of such a handler: it is made again when they are
   * there.
   */
  get isHeldUp(): boolean {
    return false;
  }

  /** Limits the cursor to `max` more bytes. */
  limit(max: number): void {
    if (max < this.remaining) this.remaining = max;
  }

  /** Host memory -> the cursor (a read). */
  abstract putHost(src: number, len: number): number;
  abstract putBytes(src: Uint8Array<ArrayBuffer>, offset: number, len: number): number;
  abstract putZeros(len: number): number;
  /** The cursor -> host memory (a write). */
  abstract takeHost(dst: number, len: number): number;
  abstract takeBytes(dst: Uint8Array<ArrayBuffer>, offset: number, len: number): number;
  /**
   * The host segments of the next bytes, as a struct iovec array at host address `iov` (16 bytes
   * each), for a direct preadv(2) or pwritev(2): how many were filled (0: nothing left), or
   * -EFAULT. Does not advance. `write`: the host is going to store into the memory. At most
   * `maxBytes` in all.
   */
  abstract hostSegments(write: boolean, iov: number, maxSegments: number, maxBytes: number): number;
  abstract advance(len: number): void;
}
