/**
 * What all mount namespaces of one kernel share: the dentry cache, special files, lock waits, id counters.
 * Reached through `FsContext.namespace.vfs`.
 */

import { DeferredWork } from "../core/deferred_work.ts";
import type { Host } from "../core/host.ts";
import { DentryCache } from "./dentry_cache.ts";
import type { DevicePolicy } from "./device_policy.ts";
import type { FileLocks } from "./file_locks.ts";
import { FileHandles } from "./file_handles.ts";
import type { Leases } from "./leases.ts";
import { LockWaits } from "./lock_waits.ts";
import type { MountNamespace } from "./mounts.ts";
import { SpecialFiles } from "./special_files.ts";
import type { TransferCharger } from "./transfers.ts";
import type { Walk } from "./walk.ts";

export class Vfs {
  readonly host: Host;
  /** Keeps account of what moves between files and storage; null: nothing does. */
  readonly charger: TransferCharger | null;
  /** What goes on behind the calls: the loop runs it. */
  readonly deferred: DeferredWork = new DeferredWork();
  readonly dentries: DentryCache = new DentryCache(this.deferred);
  readonly special: SpecialFiles = new SpecialFiles();
  readonly handles: FileHandles = new FileHandles();
  readonly lockWaits: LockWaits = new LockWaits();
  /** Of files that have locks, and of those that have leases (/proc/locks). */
  readonly lockedFiles: Set<FileLocks> = new Set();
  readonly leasedFiles: Set<Leases> = new Set();
  /** Null: whoever may open a file of a device may use that. */
  devicePolicy: DevicePolicy | null = null;
  /** UNIX sockets that are bound to files of the host, by `Inode.hostIdentity`: mounts may show the file twice. */
  readonly hostSockets: Map<string, object> = new Map();
  /** /proc/sys/fs/protected_hardlinks and protected_symlinks (proc_sys_fs(5)); on, as distributions have them. */
  protectedHardlinks: boolean = true;
  protectedSymlinks: boolean = true;
  /** protected_regular and protected_fifos: 0, 1 or 2. */
  protectedRegular: number = 0;
  protectedFifos: number = 0;
  /** /proc/sys/fs/lease-break-time: seconds that the holder of a lease has. */
  leaseBreakSec: number = 45;
  /** Groups of fanotify(7) that may be asked for permission. */
  askingGroups: number = 0;
  /** Scratch of walk.ts. */
  walk1: Walk | null = null;
  walk2: Walk | null = null;
  /** Mount namespaces by their ids, in the order of their birth. */
  readonly namespaces: Map<number, MountNamespace> = new Map();
  private lastNamespaceId: number = 0;
  private lastMountId: number = 20;
  private lastPeerGroup: number = 0;
  private lastCookie: number = 0;

  constructor(host: Host, charger: TransferCharger | null = null) {
    this.host = host;
    this.charger = charger;
  }

  /** Never used again. */
  nextNamespaceId(): number {
    return ++this.lastNamespaceId;
  }
  nextMountId(): number {
    return ++this.lastMountId;
  }
  nextPeerGroup(): number {
    return ++this.lastPeerGroup;
  }
  /** Pairs IN_MOVED_FROM with IN_MOVED_TO; never 0. */
  nextRenameCookie(): number {
    this.lastCookie = this.lastCookie >= 0x7fffffff ? 1 : this.lastCookie + 1;
    return this.lastCookie;
  }
}
