/**
 * Finds network namespaces as `ip link set DEV netns X` names them: by a process in them, or by an
 * open file (nsfs).
 */

import { NsFile } from "../proc/fs/ns_fs.ts";
import type { SocketCaller } from "../net/message.ts";
import { NetNamespace } from "../net/net_namespace.ts";
import type { NamespaceFinder } from "../net/net_shared.ts";
import { Task } from "./task.ts";

export class TaskNetworks implements NamespaceFinder {
  /** By a process id in the caller's own PID namespace. */
  ofProcess(caller: SocketCaller, pid: number): NetNamespace | null {
    if (!(caller instanceof Task)) return null;
    return caller.pids.tasks.get(pid)?.ns.net ?? null;
  }

  ofFile(caller: SocketCaller, fd: number): NetNamespace | null {
    const file = caller instanceof Task ? caller.files.get(fd) : null;
    if (!(file instanceof NsFile)) return null;
    return file.namespace instanceof NetNamespace ? file.namespace : null;
  }
}
