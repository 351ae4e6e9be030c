/** The backlog of a listener (listen(2)): connections that wait for accept(2). */

/** LIMIT: /proc/sys/net/core/somaxconn. */
export const MAX_BACKLOG = 4096;

export class Backlog<S> {
  /** The argument of listen(2); one more connection fits, as on Linux. */
  private max: number = 0;
  private sockets: S[] = [];
  private taken: number = 0;

  set limit(backlog: number) {
    this.max = backlog < 0 || backlog > MAX_BACKLOG ? MAX_BACKLOG : backlog;
  }
  get limit(): number {
    return this.max;
  }
  get count(): number {
    return this.sockets.length - this.taken;
  }
  get isEmpty(): boolean {
    return this.count === 0;
  }
  get isFull(): boolean {
    return this.count > this.max;
  }

  push(socket: S): void {
    this.sockets.push(socket);
  }

  shift(): S | null {
    const socket = this.sockets[this.taken];
    if (socket === undefined) return null;
    this.taken++;
    if (this.taken === this.sockets.length || this.taken >= 64) {
      this.sockets = this.sockets.slice(this.taken);
      this.taken = 0;
    }
    return socket;
  }

  /** Removes a connection that will not be accepted. */
  remove(socket: S): void {
    const at = this.sockets.indexOf(socket, this.taken);
    if (at >= 0) this.sockets.splice(at, 1);
  }
}
