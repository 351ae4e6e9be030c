/**
 * Fields of state that are not encoded, by the class that declares them, and how a copy makes them:
 * numbers and views that belong to the arena, caches, scratch. Neighbours: gofer_fields.ts (files
 * of a Gofer), host_fd_fields.ts (descriptors of the host).
 */

import type { Arena } from "../../../ffi/mem/arena.ts";
import type { Account } from "../../core/account.ts";
import { ADDRESS_SPACES, PATCHED_PAGES, PATCHED_SITES, SITE_TABLES } from "../../core/quota.ts";
import { PeakSampler } from "../../job/peak_sampler.ts";
import { type LeavingSpace, LeavingSpaces } from "../../mm/leaving_spaces.ts";
import { HeapWatch } from "../../oom/heap_watch.ts";
import { HeldMemory } from "../../oom/held_memory.ts";
import { OomKiller } from "../../oom/oom_killer.ts";
import { AreaTextFile } from "../../proc/fs/area_text.ts";
import { View } from "../../cgroup/view.ts";
import { TimerQueue } from "../../time/timer.ts";
import { TurnServer } from "../../turn_server.ts";
import { AioRing } from "../../aio/aio_ring.ts";
import { Fifo } from "../../core/fifo.ts";
import { Container } from "../../task/container.ts";
import { CopyBuffer } from "../../fs/overlay/copy_data.ts";
import { FilePages } from "../../fs/tmpfs/file_pages.ts";
import { Loop } from "../../loop.ts";
import { MappedMemory } from "../../uring/buffer_memory.ts";
import { MemoryContext } from "../../mm/memory_context.ts";
import { MemoryManager } from "../../mm/memory_manager.ts";
import { PatchedSites } from "../../mm/patched_sites.ts";
import { ProgramBreak } from "../../mm/brk.ts";
import { SandboxKernel } from "../../kernel.ts";
import { TaskStats } from "../../task/task_stats.ts";
import { UringMemory } from "../../uring/ring_memory.ts";
import { UserAccess } from "../../mm/copy_user.ts";
import { Vfs } from "../../vfs/vfs.ts";
import { NetlinkRequest } from "../../net/netlink/writer.ts";
import { Fault } from "../../mm/fault.ts";
import type { FrameAllocator } from "../../mm/frames.ts";
import { FutexKey } from "../../mm/futex_key.ts";
import { HostUse } from "../../mm/host_use.ts";
import { PatchCache } from "../../mm/patch_cache.ts";
import { SearchState } from "../../mm/unmapped_area.ts";
import { NO_TLB, TlbPool } from "../../mm/tlb.ts";
import { WriteRun } from "../../mm/write_run.ts";
import { Scratch } from "../../task/kernel_services.ts";
import { Quiescence } from "../quiesce.ts";
import {
  at,
  fresh,
  givesBack,
  made,
  type MadeFields,
  NO_FRAME,
  NONE,
  scratchPage,
  uncharged,
  ZERO,
} from "./field_rules.ts";
import type { Surroundings } from "./surroundings.ts";

export const MADE_FIELDS: readonly MadeFields[] = [
  {
    made: AioRing,
    fields: {
      words: at("frames.arena.words"),
    },
  },
  {
    made: Container,
    fields: {
      template: NONE,
    },
  },
  {
    made: CopyBuffer,
    fields: {
      frame: NO_FRAME,
    },
  },
  {
    made: FilePages,
    fields: {
      runFrame: NO_FRAME,
    },
  },
  {
    made: LeavingSpaces,
    fields: {
      leaving: givesBack(ADDRESS_SPACES, (spaces) => {
        const leaving: readonly LeavingSpace[] = Reflect.get(spaces, "leaving");
        return leaving.map(({ account }) => account);
      }, () => []),
      next: ZERO,
    },
  },
  {
    made: Loop,
    fields: {
      quiescence: made((loop: Loop) => new Quiescence(loop.kernel, loop.server, loop.driver.spin)),
    },
  },
  {
    made: MappedMemory,
    fields: {
      words: at("frames.arena.words"),
    },
  },
  {
    made: MemoryContext,
    fields: {
      bounce: made((ctx: { arena: Arena; frames: FrameAllocator }) =>
        ctx.arena.base + scratchPage(ctx.frames)
      ),
      moveFrame: NO_FRAME,
      tlbs: fresh(() => new TlbPool()),
      vdso: { make: (_ctx, host) => (host as Surroundings).vdso },
    },
  },
  {
    made: MemoryManager,
    fields: {
      fault: fresh(() => new Fault()),
      forkSeq: ZERO,
      hostUse: fresh(() => new HostUse()),
      key: fresh(() => new FutexKey()),
      measured: NONE,
      search: fresh(() => new SearchState()),
      stackReserve: NO_FRAME,
      stackReservePages: ZERO,
      writeRun: fresh(() => new WriteRun()),
    },
  },
  {
    made: AreaTextFile,
    fields: {
      count: NONE,
    },
  },
  {
    made: OomKiller,
    fields: {
      heap: made((oom: OomKiller) => {
        const { accounts, memory, host: { heap } } = Reflect.get(oom, "kernel");
        return heap === null ? null : new HeapWatch(heap, accounts, memory.frames.pool.users, oom);
      }),
      ownMemory: made((oom: OomKiller) => {
        const { memory: { arena, frames }, host } = Reflect.get(oom, "kernel");
        return new HeldMemory(arena, frames, host);
      }),
      look: NONE,
      search: NONE,
    },
  },
  {
    made: PatchedSites,
    fields: {
      pages: givesBack(PATCHED_PAGES, (sites) => {
        const account: Account = Reflect.get(sites, "account");
        return new Array<Account>((sites as PatchedSites).pages.size).fill(account);
      }, (sites) => {
        const { arena, frames } = Reflect.get(sites, "owner");
        return new PatchCache(arena, frames, Reflect.get(sites, "account"));
      }),
      siteCount: uncharged("siteCount", PATCHED_SITES),
      tableCount: uncharged("tableCount", SITE_TABLES),
      thunks: NONE,
    },
  },
  {
    made: PeakSampler,
    fields: {
      count: NONE,
    },
  },
  {
    made: ProgramBreak,
    fields: {
      reserve: NO_FRAME,
      reservePages: ZERO,
    },
  },
  {
    made: SandboxKernel,
    fields: {
      scratch: fresh(() => new Scratch()),
    },
  },
  {
    made: TaskStats,
    fields: {
      event: fresh(() => new NetlinkRequest()),
    },
  },
  {
    made: TimerQueue,
    fields: {
      firing: NONE,
    },
  },
  {
    made: TurnServer,
    fields: {
      cpuNs: ZERO,
      nextCpuReadNs: ZERO,
      distributor: NONE,
      inbox: fresh(() => new Fifo()),
    },
  },
  {
    made: UringMemory,
    fields: {
      dv: at("ctx.arena.dv"),
      words: at("ctx.arena.words"),
    },
  },
  {
    made: UserAccess,
    fields: {
      arenaSize: at("ctx.arena.size"),
      base: at("ctx.arena.base"),
      dv: at("ctx.arena.dv"),
      epoch: ZERO,
      tlb: made((mm: MemoryManager) => mm.isDestroyed ? NO_TLB : mm.ctx.tlbs.take()),
      words: at("ctx.arena.words"),
    },
  },
  {
    made: Vfs,
    fields: {
      walk1: NONE,
      walk2: NONE,
    },
  },
  {
    made: View,
    fields: {
      count: NONE,
    },
  },
];
