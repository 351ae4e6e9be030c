/**
 * What all network namespaces of a kernel share: memory and clocks, the listeners that the rest of
 * the kernel provides, and what is counted over all of them.
 */

import { DeferredWork } from "../core/deferred_work.ts";
import type { Host } from "../core/host.ts";
import { AnonFs } from "../fs/anonfd/anon_inode.ts";
import type { SysctlStore } from "../proc/fs/sysctl_store.ts";
import type { FrameAllocator } from "../mm/frames.ts";
import { TimerQueue } from "../time/timer.ts";
import type { SocketCaller } from "./message.ts";
import type { NetNamespace } from "./net_namespace.ts";
import type { GenericFamilies } from "./netlink/generic.ts";
import { AllRights } from "./rights.ts";
import type { Socket } from "./socket.ts";

/** Network namespaces as a caller names them; null: there is no such. */
export interface NamespaceFinder {
  ofProcess(caller: SocketCaller, pid: number): NetNamespace | null;
  ofFile(caller: SocketCaller, fd: number): NetNamespace | null;
}

/** The kernel, as the one that knows whose call is being served. */
export interface CurrentCaller {
  readonly current: SocketCaller | null;
}

export interface UrgentListener {
  onUrgent(socket: Socket): void;
}

/** What the rest of a kernel provides; tests leave out what they do not need. */
export interface NetServices {
  /** What ends waits that no program waits in. */
  readonly timers?: TimerQueue;
  /**
   * For writes and requests that carry no caller: splice(2), sendfile(2) and io_submit(2) write as
   * write(2) does.
   */
  readonly calls?: CurrentCaller;
  /** Finds other namespaces by what stands for them. */
  readonly finder?: NamespaceFinder;
  /** Does what sockets leave to do. */
  readonly deferred?: DeferredWork;
  /** Answers generic netlink beside the controller. */
  readonly generic?: GenericFamilies;
  /** Is called for urgent data that came from outside. */
  readonly urgent?: UrgentListener;
  /** Settings of /proc/sys: the first namespace's, and those that all have from it. */
  readonly settings?: SysctlStore;
}

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
  /** Packet sockets, and raw sockets that receive TCP: frames are made for them alone. */
  watchers: number = 0;
  /** The inodes of sockets. */
  readonly sockets: AnonFs = new AnonFs("sockfs");
  /** Descriptors that wait in messages. */
  readonly rights: AllRights;
  private lastCookie: number = 0;

  constructor(frames: FrameAllocator, host: Host, services: NetServices = {}) {
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

  /** SO_NETNS_COOKIE of a new namespace: the number of no other one. */
  nextCookie(): number {
    return ++this.lastCookie;
  }
}
