/** The sockets that some process has a descriptor of, and tables of /proc/net that are made of those of a namespace. */

import type { NetTable } from "../../fs/procfs/net_tables.ts";
import type { SocketLister } from "../../net/inet_view.ts";
import type { NetNamespace } from "../../net/net_namespace.ts";
import { Socket } from "../../net/socket.ts";
import type { FdTable } from "../../vfs/fd_table.ts";
import type { Kernel } from "../kernel_services.ts";

/** All sockets of a namespace that are open somewhere, by inode number. */
export function openSockets(kernel: Kernel, net: NetNamespace): Socket[] {
  const found = new Map<number, Socket>(), seen = new Set<FdTable>();
  for (const { files } of kernel.pids.tasks.values()) {
    if (seen.has(files)) continue;
    seen.add(files);
    for (const fd of files.openFds()) {
      const file = files.getAny(fd);
      if (file instanceof Socket && file.net === net) found.set(file.inode.ino, file);
    }
  }
  return [...found.values()].sort((a, b) => a.inode.ino - b.inode.ino);
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
}
