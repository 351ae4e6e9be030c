/** Base classes of tables of /proc/net that list or count sockets, some sockets a turn. */

import { type TextSteps, wholeText } from "../fs/generated/stepped_text.ts";
import type { NetTable } from "./fs/net_tables.ts";
import type { NetNamespace } from "../net/net_namespace.ts";
import type { Socket } from "../net/socket.ts";
import { SocketWalk } from "../net/socket_index.ts";

/** LIMIT: sockets that one turn looks at, and rows that it makes. */
const SOCKETS_A_TURN = 2048, ROWS_A_TURN = 128;

/** A number in upper-case hex digits with leading zeros. */
export function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, "0");
}

/** A number that tells sockets apart, in place of Linux's address. */
export function pointer(socket: Socket): string {
  return socket.inode.ino.toString(16).padStart(16, "0");
}

/** A table about the sockets of a namespace. */
abstract class SocketTable implements NetTable {
  protected readonly net: NetNamespace;

  constructor(net: NetNamespace) {
    this.net = net;
  }

  abstract begin(header: string): TextSteps;

  rows(): string {
    return wholeText(this.begin(""));
  }
}

/** A table with a row for each socket. */
export abstract class SocketRows extends SocketTable {
  /** The row of a socket behind `shown` others, with its newline; "": not in this table. */
  abstract row(socket: Socket, shown: number): string;

  override begin(header: string): TextSteps {
    return new RowSteps(this, new SocketWalk(this.net.sockets), header);
  }
}

export class RowSteps implements TextSteps {
  text: string;
  private readonly table: SocketRows;
  private readonly walk: SocketWalk;
  private shown: number = 0;

  constructor(table: SocketRows, walk: SocketWalk, header: string) {
    this.table = table;
    this.walk = walk;
    this.text = header;
  }

  step(): boolean {
    const { table, walk } = this;
    walk.begin(SOCKETS_A_TURN);
    for (let left = ROWS_A_TURN; left > 0;) {
      const socket = walk.next();
      if (socket === null) break;
      const row = table.row(socket, this.shown);
      if (row === "") continue;
      this.text += row;
      this.shown++;
      left--;
    }
    return !walk.isAtEnd;
  }
}

/** A table that counts sockets by kind. */
export abstract class SocketNumbers extends SocketTable {
  /** The number of kinds. */
  protected abstract readonly kinds: number;
  /** Adds a socket to the counts of its kinds. */
  abstract count(socket: Socket, numbers: number[]): void;
  abstract format(numbers: readonly number[]): string;

  override begin(header: string): TextSteps {
    const numbers = new Array<number>(this.kinds).fill(0);
    return new CountSteps(this, new SocketWalk(this.net.sockets), numbers, header);
  }
}

export class CountSteps implements TextSteps {
  text: string;
  private readonly table: SocketNumbers;
  private readonly walk: SocketWalk;
  private readonly numbers: number[];

  constructor(table: SocketNumbers, walk: SocketWalk, numbers: number[], header: string) {
    this.table = table;
    this.walk = walk;
    this.numbers = numbers;
    this.text = header;
  }

  step(): boolean {
    const { table, walk, numbers } = this;
    walk.begin(SOCKETS_A_TURN);
    for (let s = walk.next(); s !== null; s = walk.next()) table.count(s, numbers);
    if (!walk.isAtEnd) return true;
    this.text += table.format(numbers);
    return false;
  }
}
