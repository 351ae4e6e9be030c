/**
 * Fields of state that are not encoded, by the class that declares them, and how a copy makes them:
 * numbers and views that belong to the arena, caches, scratch. Only those of kernels without files
 * of a Gofer are here yet: fields.ts and numbers.ts say what the others need.
 */

import type { Arena } from "../../../ffi/mem/arena.ts";
import { NetlinkRequest } from "../../net/netlink/writer.ts";
import { Fault } from "../../mm/fault.ts";
import type { FrameAllocator } from "../../mm/frames.ts";
import { FutexKey } from "../../mm/futex_key.ts";
import { HostUse } from "../../mm/host_use.ts";
import type { MemoryContext } from "../../mm/memory_context.ts";
import type { MemoryManager } from "../../mm/memory_manager.ts";
import { PatchCache } from "../../mm/patch_cache.ts";
import { SearchState } from "../../mm/unmapped_area.ts";
import { NO_TLB, TlbPool } from "../../mm/tlb.ts";
import { FileWindows } from "../../mm/windows.ts";
import { WriteRun } from "../../mm/write_run.ts";
import { SpinPolicy } from "../../spin_policy.ts";
import { Scratch } from "../../task/kernel_services.ts";
import { Quiescence } from "../quiesce.ts";
import type { FieldRule } from "../graph/class_row.ts";

/** The value at a path of fields of the object. */
function at(path: string): FieldRule {
  const keys = path.split(".");
  return { make: (object) => keys.reduce<unknown>((held, key) => member(held, key), object) };
}

function member(object: unknown, key: string): unknown {
  if (typeof object !== "object" || object === null) throw new TypeError(`nothing has ${key}`);
  return Reflect.get(object, key);
}

function fresh(make: () => object): FieldRule {
  return { make };
}

/** @param make of an object of the class that declares the field */
function made<T extends object>(make: (owner: T) => unknown): FieldRule {
  return { make: (owner) => make(owner as T) };
}

const NONE = { value: null } as const;
const ZERO = { value: 0 } as const;
const NO_FRAME = { value: -1 } as const;

export const MADE_FIELDS: Readonly<Record<string, FieldRule>> = {
  "AioRing.words": at("frames.arena.words"),
  "Container.template": NONE,
  "CopyBuffer.frame": NO_FRAME,
  "FileData.base": at("space.frames.arena.base"),
  "FilePages.runFrame": NO_FRAME,
  "Loop.quiescence": made((loop: object) => {
    const [kernel, server, events, spin] = ["kernel", "server", "events", "spin"].map((field) =>
      Reflect.get(loop, field)
    );
    return new Quiescence(kernel, { server, events, spin });
  }),
  "Loop.spin": made((loop: object) => {
    const host = Reflect.get(loop, "host"), platform = Reflect.get(loop, "platform");
    return new SpinPolicy(host.cpuCount, platform.sleepCostNs);
  }),
  "MappedMemory.words": at("frames.arena.words"),
  "MemoryContext.bounce": made((ctx: { arena: Arena; frames: FrameAllocator }) =>
    ctx.arena.base + ctx.frames.alloc(1)
  ),
  "MemoryContext.moveFrame": NO_FRAME,
  "MemoryContext.tlbs": fresh(() => new TlbPool()),
  "MemoryContext.vdso": NONE,
  "MemoryContext.windows": made((ctx: MemoryContext) => new FileWindows(ctx.arena)),
  "MemoryManager.fault": fresh(() => new Fault()),
  "MemoryManager.forkSeq": ZERO,
  "MemoryManager.hostUse": fresh(() => new HostUse()),
  "MemoryManager.key": fresh(() => new FutexKey()),
  "MemoryManager.measured": NONE,
  "MemoryManager.search": fresh(() => new SearchState()),
  "MemoryManager.stackReserve": NO_FRAME,
  "MemoryManager.stackReservePages": ZERO,
  "MemoryManager.writeRun": fresh(() => new WriteRun()),
  "PatchedSites.pages": made((sites: object) => {
    const { arena, frames } = Reflect.get(sites, "owner");
    return new PatchCache(arena, frames, Reflect.get(sites, "account"));
  }),
  "ProgramBreak.reserve": NO_FRAME,
  "ProgramBreak.reservePages": ZERO,
  "SandboxKernel.scratch": fresh(() => new Scratch()),
  "TaskStats.event": fresh(() => new NetlinkRequest()),
  "UringMemory.dv": at("ctx.arena.dv"),
  "UringMemory.words": at("ctx.arena.words"),
  "UserAccess.arenaSize": at("ctx.arena.size"),
  "UserAccess.base": at("ctx.arena.base"),
  "UserAccess.dv": at("ctx.arena.dv"),
  "UserAccess.epoch": ZERO,
  "UserAccess.fileWindows": at("ctx.windows"),
  "UserAccess.tlb": made((mm: MemoryManager) => mm.isDestroyed ? NO_TLB : mm.ctx.tlbs.take()),
  "UserAccess.words": at("ctx.arena.words"),
  "Vfs.walk1": NONE,
  "Vfs.walk2": NONE,
};
