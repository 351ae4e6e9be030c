/**
 * The sockets of a network namespace by inode number, for lists that are made over several turns: a
 * list remembers a number, not a socket.
 */

import type { Socket } from "./socket.ts";

/**
 * Closed sockets leave empty places, which are removed when there are more than this and more than
 * sockets.
 */
const EMPTY_PLACES = 64;

/** The sockets by place; places are in the order of inode numbers. */
export class SocketIndex {
  private sockets: (Socket | null)[] = [];
  /** The inode number of each place, in rising order. */
  private numbers: number[] = [];
  private empty: number = 0;

  /** The number of places, with the empty ones. */
  get length(): number {
    return this.sockets.length;
  }
  at(place: number): Socket | null {
    return this.sockets[place] ?? null;
  }
  numberAt(place: number): number {
    return this.numbers[place] ?? Infinity;
  }

  /** Adds a new socket, whose inode number is higher than all others. */
  add(socket: Socket): void {
    this.sockets.push(socket);
    this.numbers.push(socket.inode.ino);
  }

  remove(socket: Socket): void {
    const place = this.placeBehind(socket.inode.ino - 1);
    if (this.sockets[place] !== socket) return;
    this.sockets[place] = null;
    const most = Math.max(EMPTY_PLACES, this.sockets.length >> 1);
    if (++this.empty > most) this.compact();
  }

  private compact(): void {
    this.sockets = this.sockets.filter((socket) => socket !== null);
    this.numbers = this.sockets.map((socket) => socket!.inode.ino);
    this.empty = 0;
  }

  /** The first place with an inode number above `number`. */
  placeBehind(number: number): number {
    const numbers = this.numbers;
    let low = 0, high = numbers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (numbers[middle]! > number) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** The socket with this inode number if accept(2) or socket(2) returned it, else null. */
  byNumber(number: number): Socket | null {
    const socket = this.at(this.placeBehind(number - 1));
    return socket?.inode.ino === number && isGiven(socket) ? socket : null;
  }
}

/** A connection in a backlog has not been returned by accept(2) yet. */
function isGiven(socket: Socket): boolean {
  return socket.cred !== null;
}

/** A walk through the sockets that programs have, a bounded number of places a turn. */
export class SocketWalk {
  private readonly index: SocketIndex;
  /** The last inode number that was looked at. */
  private last: number = 0;
  private place: number = 0;
  private end: number = 0;

  constructor(index: SocketIndex) {
    this.index = index;
  }

  /** Starts a turn, which looks at this many places at most. */
  begin(places: number): void {
    this.place = this.index.placeBehind(this.last);
    this.end = Math.min(this.index.length, this.place + places);
  }

  /** The next socket; null: no more in this turn. */
  next(): Socket | null {
    const index = this.index;
    while (this.place < this.end) {
      const socket = index.at(this.place);
      this.last = index.numberAt(this.place++);
      if (socket !== null && isGiven(socket)) return socket;
    }
    return null;
  }

  /** Whether the walk is complete. */
  get isAtEnd(): boolean {
    return this.place >= this.index.length;
  }
}
