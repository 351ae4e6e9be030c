/**
 * IoCursor: where the bytes of one read or write go to or come from, as a list of segments in user memory
 * (checked at each copy) or in kernel memory (host addresses). Files only see this, so that read, readv,
 * pread, sendfile, splice and exec use the same code.
 *
 * Every transfer advances the cursor. On a fault it transfers what it can: bytes so far, or -EFAULT if none.
 */

export abstract class IoCursor {
  /** Bytes still wanted. */
  remaining: number = 0;
  /** Bytes transferred since the cursor was set. */
  done: number = 0;

  /**
   * Some of what is to be taken is not there, and somebody has to be asked for it (userfaultfd(2)): a writer takes
   * nothing then, gives -EFAULT, and is called again when it is there.
   */
  get isAwaited(): boolean {
    return false;
  }

  /** The same of a transfer that just stopped: it is made again when what it wants is there. */
  get isHeldUp(): boolean {
    return false;
  }

  /** At most `max` bytes from here on. */
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
   * Host segments of the next bytes, as a struct iovec array at host address `iov` (16 bytes each), for a direct
   * preadv/pwritev: returns how many were filled (0: nothing left), or -EFAULT. Does not advance. `write` says that
   * the host is going to store into the memory. At most `maxBytes` in all.
   */
  abstract hostSegments(write: boolean, iov: number, maxSegments: number, maxBytes: number): number;
  abstract advance(len: number): void;
}
