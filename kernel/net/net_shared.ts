/**
 * State that all network namespaces of a kernel share: memory, clocks, services of the rest of the
 * kernel, and counts over all namespaces.
 */

import { DeferredWork } from "../core/deferred_work.ts";
import type { Host } from "../core/host.ts";
import { AnonFs } from "../fs/anonfd/anon_inode.ts";
import type { SysctlStore } from "../proc/fs/sysctl_store.ts";
import type { FrameAllocator } from "../mm/frames.ts";
import { TimerQueue } from "../time/timer.ts";
import type { DeviceNumbers } from "../vfs/device_numbers.ts";
import type { SocketCaller } from "./message.ts";
import type { NetNamespace } from "./net_namespace.ts";
import type { GenericFamilies } from "./netlink/generic.ts";
import { AllRights } from "./rights.ts";
import type { Socket } from "./socket.ts";

/** Finds network namespaces by process or descriptor; null: there is none. */
export interface NamespaceFinder {
  ofProcess(caller: SocketCaller, pid: number): NetNamespace | null;
  ofFile(caller: SocketCaller, fd: number): NetNamespace | null;
}

/** The kernel, which knows the task whose call is served. */
interface CurrentCaller {
  readonly current: SocketCaller | null;
}

/** Sends SIGURG for urgent data to the owner of a socket. */
export interface UrgentListener {
  onUrgent(socket: Socket): void;
}

/** Services of the rest of the kernel; tests give only those that they need. */
export interface NetServices {
  /** Timers for waits that no task is blocked in. */
  readonly timers?: TimerQueue;
  /**
   * The current task, for writes that carry no caller: splice(2), sendfile(2) and io_submit(2)
   * write as write(2) does.
   */
  readonly calls?: CurrentCaller;
  /** Finds other namespaces. */
  readonly finder?: NamespaceFinder;
  /** Runs the work that sockets leave for later turns. */
  readonly deferred?: DeferredWork;
  /** The families of generic netlink beside the controller. */
  readonly generic?: GenericFamilies;
  /** Called when urgent data arrives from the host. */
  readonly urgent?: UrgentListener;
  /** Settings of /proc/sys: those of the first namespace, and those that all share. */
  readonly settings?: SysctlStore;
}

/** The shared state of one kernel's network namespaces. */
export class NetShared {
  readonly frames: FrameAllocator;
  readonly host: Host;
  readonly timers: TimerQueue;
  readonly calls: CurrentCaller | null;
  readonly finder: NamespaceFinder | null;
  readonly deferred: DeferredWork;
  readonly generic: GenericFamilies | null;
  readonly urgent: UrgentListener | null;
  readonly settings: SysctlStore | null;
  /**
   * The number of packet sockets and of raw sockets that receive TCP: packets are built for them
   * alone.
   */
  watchers: number = 0;
  /** The inodes of sockets. */
  readonly sockets: AnonFs;
  /** Descriptors in queued messages. */
  readonly rights: AllRights;
  private lastCookie: number = 0;

  constructor(
    frames: FrameAllocator,
    host: Host,
    devices: DeviceNumbers,
    services: NetServices = {},
  ) {
    this.sockets = new AnonFs(devices, "sockfs");
    this.frames = frames;
    this.host = host;
    this.timers = services.timers ?? new TimerQueue();
    this.calls = services.calls ?? null;
    this.finder = services.finder ?? null;
    this.deferred = services.deferred ?? new DeferredWork();
    this.rights = new AllRights(this.deferred);
    this.generic = services.generic ?? null;
    this.urgent = services.urgent ?? null;
    this.settings = services.settings ?? null;
  }

  /** The SO_NETNS_COOKIE of a new namespace. */
  nextCookie(): number {
    return ++this.lastCookie;
  }
}
