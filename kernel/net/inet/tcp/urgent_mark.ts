/**
 * Where the urgent byte of a TCP connection lies in the receiver's queue (tcp(7)). There is at most one: a later one
 * takes the place of an earlier one, which becomes an ordinary byte. Not here: what reading does at it (tcp_socket.ts).
 */

export class UrgentMark {
  /** Bytes of the queue before it; -1: there is none. */
  at: number = -1;
  /** It was received with MSG_OOB. */
  isRead: boolean = false;

  get isSet(): boolean {
    return this.at >= 0;
  }
  /** Somebody may still receive it. */
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

  /** The queue ends behind `length` bytes. */
  cut(length: number): void {
    if (this.at >= length) this.at = -1;
  }

  /** `n` bytes left the queue: the mark comes nearer, or is passed. */
  pass(n: number): void {
    if (this.at >= 0) this.at = Math.max(-1, this.at - n);
  }
}
