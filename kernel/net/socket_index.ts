/**
 * The sockets of a network namespace in the order of their inode numbers, for lists of them that
 * are made in several turns of the loop: a list remembers a number, no socket.
 */

import type { Socket } from "./socket.ts";

/**
 * Closed sockets leave empty places, which go once they are more than these and than the others.
 */
const EMPTY_PLACES = 64;

export class SocketIndex {
  #sockets: (Socket | null)[] = [];
  /** The inode number of each place, which rises. */
  #numbers: number[] = [];
  #empty: number = 0;

  /** Places, the empty ones too. */
  get length(): number {
    return this.#sockets.length;
  }
  at(place: number): Socket | null {
    return this.#sockets[place] ?? null;
  }
  numberAt(place: number): number {
    return this.#numbers[place] ?? Infinity;
  }

  /** A socket that was made just now: its inode has a higher number than all others. */
  add(socket: Socket): void {
    this.#sockets.push(socket);
    this.#numbers.push(socket.inode.ino);
  }

  remove(socket: Socket): void {
    const place = this.placeBehind(socket.inode.ino - 1);
    if (this.#sockets[place] !== socket) return;
    this.#sockets[place] = null;
    const most = Math.max(EMPTY_PLACES, this.#sockets.length >> 1);
    if (++this.#empty > most) this.#compact();
  }

  #compact(): void {
    this.#sockets = this.#sockets.filter((socket) => socket !== null);
    this.#numbers = this.#sockets.map((socket) => socket!.inode.ino);
    this.#empty = 0;
  }

  /** The first place with an inode number above `number`. */
  placeBehind(number: number): number {
    const numbers = this.#numbers;
    let low = 0, high = numbers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (numbers[middle]! > number) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** The socket with this inode number that a program was given, or null. */
  byNumber(number: number): Socket | null {
    const socket = this.at(this.placeBehind(number - 1));
    return socket?.inode.ino === number && isGiven(socket) ? socket : null;
  }
}

/** A connection that waits for accept(2) was given to no program yet. */
function isGiven(socket: Socket): boolean {
  return socket.cred !== null;
}

/** A walk through the sockets that programs were given, so many places a turn of the loop. */
export class SocketWalk {
  readonly #index: SocketIndex;
  /** Up to this number they were looked at. */
  #last: number = 0;
  #place: number = 0;
  #end: number = 0;

  constructor(index: SocketIndex) {
    this.#index = index;
  }

  /** A turn begins, which looks at no more than so many places. */
  begin(places: number): void {
    this.#place = this.#index.placeBehind(this.#last);
    this.#end = Math.min(this.#index.length, this.#place + places);
  }

  /** The next one; null: this turn has no more. */
  next(): Socket | null {
    const index = this.#index;
    while (this.#place < this.#end) {
      const socket = index.at(this.#place);
      this.#last = index.numberAt(this.#place++);
      if (socket !== null && isGiven(socket)) return socket;
    }
    return null;
  }

  /** In the turn that was begun: there are no places behind it. */
  get isAtEnd(): boolean {
    return this.#place >= this.#index.length;
  }
}
