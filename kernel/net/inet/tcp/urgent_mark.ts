/**
 * The position of the urgent byte in the receiver's queue (tcp(7)). A later urgent byte replaces an
 * earlier one, which becomes an ordinary byte. What a read does at it: tcp_socket.ts.
 */

export class UrgentMark {
  /** Bytes of the queue before the urgent byte; -1: none. */
  at: number = -1;
  /** MSG_OOB has received it. */
  isRead: boolean = false;

  get isSet(): boolean {
    return this.at >= 0;
  }
  /** MSG_OOB can still receive it. */
  get isFresh(): boolean {
    return this.at >= 0 && !this.isRead;
  }

  set(at: number): void {
    this.at = at;
    this.isRead = false;
  }

  clear(): void {
    this.at = -1;
  }

  /** Called when the queue is cut to `length` bytes. */
  cut(length: number): void {
    if (this.at >= length) this.at = -1;
  }

  /** Moves the mark `n` bytes towards the front after a read, or drops a passed mark. */
  pass(n: number): void {
    if (this.at >= 0) this.at = Math.max(-1, this.at - n);
  }
}
