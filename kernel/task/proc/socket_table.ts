/** The sockets that some process has a descriptor of, and tables of /proc/net that are made of those of a namespace. */

import type { TextSteps } from "../../fs/generated/stepped_text.ts";
import type { NetTable } from "../../fs/procfs/net_tables.ts";
import type { SocketLister } from "../../net/inet_view.ts";
import type { NetNamespace } from "../../net/net_namespace.ts";
import { Socket } from "../../net/socket.ts";
import type { FdTable } from "../../vfs/fd_table.ts";
import type { Kernel } from "../kernel_services.ts";

/**
 * LIMIT: places of descriptor tables that one turn of the loop looks at, and rows that it makes.
 */
const FDS_A_TURN = 8192, ROWS_A_TURN = 256;

/** A look for the sockets of a namespace that are open somewhere, so many descriptors at a time. */
class SocketScan {
  private readonly net: NetNamespace;
  private readonly tables: FdTable[];
  private readonly found: Map<number, Socket> = new Map();
  private fd: number = 0;

  constructor(kernel: Kernel, net: NetNamespace) {
    this.net = net;
    const tables = new Set<FdTable>();
    for (const { files } of kernel.pids.tasks.values()) tables.add(files);
    this.tables = [...tables];
  }

  /** All of them by inode number, once `fds` places more were enough for that; null before. */
  step(fds: number): Socket[] | null {
    const { tables, net, found } = this;
    for (let left = fds; tables.length > 0; left--) {
      if (left <= 0) return null;
      const files = tables[tables.length - 1]!;
      if (this.fd < files.size) {
        const file = files.getAny(this.fd++);
        if (file instanceof Socket && file.net === net) found.set(file.inode.ino, file);
        continue;
      }
      tables.pop();
      this.fd = 0;
    }
    return [...found.values()].sort((a, b) => a.inode.ino - b.inode.ino);
  }
}

/** All sockets of a namespace that are open somewhere, by inode number. */
function openSockets(kernel: Kernel, net: NetNamespace): Socket[] {
  return new SocketScan(kernel, net).step(Infinity)!;
}

export class OpenSockets implements SocketLister {
  private readonly kernel: Kernel;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  sockets(net: NetNamespace): readonly Socket[] {
    return openSockets(this.kernel, net);
  }
}

export function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, "0");
}

/** What Linux prints of an address in memory; here a number that tells sockets apart. */
export function pointer(socket: Socket): string {
  return socket.inode.ino.toString(16).padStart(16, "0");
}

/** Rows made of the sockets of a namespace. */
export abstract class SocketTable implements NetTable {
  private readonly kernel: Kernel;
  private readonly net: NetNamespace;

  constructor(kernel: Kernel, net: NetNamespace) {
    this.kernel = kernel;
    this.net = net;
  }

  protected sockets(): Socket[] {
    return openSockets(this.kernel, this.net);
  }
  abstract rows(): string;

  scan(): SocketScan {
    return new SocketScan(this.kernel, this.net);
  }
}

/** Tables with a row for each socket. */
export abstract class SocketRows extends SocketTable {
  /** The row of a socket behind `shown` others, with its newline; "": it is not in this table. */
  abstract row(socket: Socket, shown: number): string;

  override rows(): string {
    const steps = new SocketSteps(this, "");
    while (steps.step());
    return steps.text;
  }

  begin(header: string): TextSteps {
    return new SocketSteps(this, header);
  }
}

class SocketSteps implements TextSteps {
  text: string;
  private readonly table: SocketRows;
  private readonly scan: SocketScan;
  private sockets: Socket[] | null = null;
  private at: number = 0;
  private shown: number = 0;

  constructor(table: SocketRows, header: string) {
    this.table = table;
    this.text = header;
    this.scan = table.scan();
  }

  step(): boolean {
    if (this.sockets === null) this.sockets = this.scan.step(FDS_A_TURN);
    if (this.sockets === null) return true;
    const end = Math.min(this.sockets.length, this.at + ROWS_A_TURN);
    for (; this.at < end; this.at++) {
      const row = this.table.row(this.sockets[this.at]!, this.shown);
      if (row === "") continue;
      this.text += row;
      this.shown++;
    }
    return end < this.sockets.length;
  }
}
