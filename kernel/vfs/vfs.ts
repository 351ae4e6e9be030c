/**
 * The state that all mount namespaces of one kernel share: the dentry cache, special files, lock
 * waits, id counters. Code reaches it through `FsContext.namespace.vfs`; kernel/kernel.ts makes it.
 */

import { type CallServer, DeferredWork } from "../core/deferred_work.ts";
import type { Host } from "../core/host.ts";
import { DentryCache } from "./dentry_cache.ts";
import { DeviceNumbers } from "./device_numbers.ts";
import type { DevicePolicy } from "./device_policy.ts";
import { type FileLocks, LockAges } from "./file_locks.ts";
import { FileHandles } from "./file_handles.ts";
import type { FileSystem } from "./inode.ts";
import type { Leases } from "./leases.ts";
import { LockWaits } from "./lock_waits.ts";
import type { MountNamespace } from "./mounts.ts";
import { SpecialFiles } from "./special_files.ts";
import type { TransferCharger } from "./transfers.ts";
import type { Walk } from "./walk.ts";

/** Parts that a Vfs does not make itself. */
interface VfsParts {
  /** By default there are no openers. */
  readonly special?: SpecialFiles;
  readonly devices?: DeviceNumbers;
  readonly charger?: TransferCharger;
  readonly server?: CallServer;
}

export class Vfs {
  readonly host: Host;
  /**
   * Counts the transfers between files and storage (transfers.ts); null when they are not counted.
   */
  readonly charger: TransferCharger | null;
  /** Work that the kernel's loop does in slices between calls. */
  readonly deferred: DeferredWork;
  readonly dentries: DentryCache;
  readonly devices: DeviceNumbers;
  readonly special: SpecialFiles;
  readonly handles: FileHandles = new FileHandles();
  readonly lockWaits: LockWaits = new LockWaits();
  /** The locks and the leases of all files that have some (/proc/locks). */
  readonly lockedFiles: Set<FileLocks> = new Set();
  readonly leasedFiles: Set<Leases> = new Set();
  readonly lockAges: LockAges = new LockAges();
  /** The rules of device control groups; null: only the mode of a device's file decides. */
  devicePolicy: DevicePolicy | null = null;
  /** The file systems of Gofers. */
  readonly served: Set<FileSystem> = new Set();
  /** File systems whose files are in memory (tmpfs): a snapshot brings their records up to date. */
  readonly inMemory: Set<FileSystem> = new Set();
  /**
   * UNIX sockets that are bound to files of the host, by `Inode.hostIdentity`: several mounts may
   * show the file.
   */
  readonly hostSockets: Map<string, object> = new Map();
  /**
   * /proc/sys/fs/protected_hardlinks and protected_symlinks (proc_sys_fs(5)); on, as in most
   * distributions.
   */
  protectedHardlinks: boolean = true;
  protectedSymlinks: boolean = true;
  /** /proc/sys/fs/protected_regular and protected_fifos: 0, 1 or 2. */
  protectedRegular: number = 0;
  protectedFifos: number = 0;
  /** /proc/sys/fs/lease-break-time: seconds that a lease's holder has to give it up. */
  leaseBreakSec: number = 45;
  /** The number of fanotify(7) groups that take permission events. */
  askingGroups: number = 0;
  /** The scratch walks of walk.ts. */
  walk1: Walk | null = null;
  walk2: Walk | null = null;
  /** Mount namespaces by their ids, oldest first. */
  readonly namespaces: Map<number, MountNamespace> = new Map();
  private lastNamespaceId: number = 0;
  private lastMountId: number = 20;
  private lastPeerGroup: number = 0;
  private lastCookie: number = 0;

  constructor(host: Host, parts: VfsParts = {}) {
    this.host = host;
    this.devices = parts.devices ?? new DeviceNumbers();
    this.special = parts.special ?? new SpecialFiles();
    this.charger = parts.charger ?? null;
    this.deferred = new DeferredWork(parts.server);
    this.dentries = new DentryCache(this.deferred);
  }

  /** An id that no other namespace ever has. */
  nextNamespaceId(): number {
    return ++this.lastNamespaceId;
  }
  nextMountId(): number {
    return ++this.lastMountId;
  }
  nextPeerGroup(): number {
    return ++this.lastPeerGroup;
  }
  /** A number that pairs IN_MOVED_FROM with IN_MOVED_TO; never 0. */
  nextRenameCookie(): number {
    this.lastCookie = this.lastCookie >= 0x7fffffff ? 1 : this.lastCookie + 1;
    return this.lastCookie;
  }
}
