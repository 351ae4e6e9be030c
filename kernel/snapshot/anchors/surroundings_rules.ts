/**
 * Anchors of what a kernel runs on: host, platform, arena and frames are those of the new
 * surroundings; address spaces and contexts are new ones of the new platform.
 */

import { FrameCharges } from "../../cgroup/charges.ts";
import { EndedSpace, NoContext } from "../../mm/ended_space.ts";
import { AddressSpace, type Context } from "../../../platform/platform.ts";
import type { FrameAllocator } from "../../mm/frames.ts";
import { EndsOfSpaces } from "../../mm/memory_context.ts";
import { mapAll } from "../../mm/host_mappings.ts";
import { MemoryManager } from "../../mm/memory_manager.ts";
import { Task } from "../../task/task.ts";
import type { AnchorRule } from "../graph/class_row.ts";
import type { Surroundings } from "./surroundings.ts";

/** Anchors of a later stage are made of those of an earlier one. */
const STAGE_GIVEN = 0, STAGE_SPACE = 1, STAGE_CONTEXT = 2;

/** An object of the surroundings. */
export function given(
  role: "host" | "platform" | "arena" | "windows" | "driver" | "cpuInfo",
): AnchorRule {
  return {
    fate: "anchor",
    stage: STAGE_GIVEN,
    // Each kernel of a process has a clock of its own.
    isShared: role !== "host",
    save: () => [],
    load: (_saved, host) => (host as Surroundings)[role],
  };
}

/**
 * Each kernel has an allocator of its own, which charges frames to the groups of that kernel, and
 * waits for frames as the old one does.
 */
export const FRAMES: AnchorRule = {
  fate: "anchor",
  stage: STAGE_GIVEN,
  isShared: false,
  save(object) {
    const { charger, waiter } = object as FrameAllocator;
    return [charger, waiter];
  },
  load([charger, waiter], host) {
    if (charger !== null && !(charger instanceof FrameCharges)) return null;
    if (waiter !== null && !(waiter instanceof EndsOfSpaces)) return null;
    const { frames } = host as Surroundings;
    Object.assign(frames, { charger, waiter });
    return frames;
  },
};

/** A new space, which gets the mappings of its memory when the graph is in place. */
export const SPACE: AnchorRule = {
  fate: "anchor",
  stage: STAGE_SPACE,
  isShared: false,
  save(object) {
    const { isEnded, owner } = object as AddressSpace;
    return [isEnded, owner];
  },
  load([isEnded, owner], host) {
    if (isEnded === true) return new EndedSpace();
    if (owner !== null && !(owner instanceof MemoryManager)) return null;
    const space = (host as Surroundings).platform.newAddressSpace();
    if (space === null) throw new Error("the platform has no room for an address space");
    space.owner = owner;
    return space;
  },
  attach(object) {
    const space = object as AddressSpace, { owner } = space;
    if (!(owner instanceof MemoryManager)) return;
    mapAll(owner, space);
    space.flush();
  },
  release: (object) => (object as AddressSpace).destroy(),
};

/** Numbers of a context that a trap sets. */
const TRAP_FIELDS = [
  "trap",
  "nr",
  "faultAddr",
  "faultAccess",
  "signo",
  "sigcode",
  "trapno",
  "errorCode",
  "deathCause",
] as const;

/** Bytes of `Context.regs`, and words of six arguments. */
const REGS_BYTES = 256, ARGUMENT_WORDS = 12;

/** Whether values are those of TRAP_FIELDS: numbers, and a text at the end. */
function isTrap(values: readonly unknown[]): boolean {
  const last = TRAP_FIELDS.length - 1;
  return values.length === TRAP_FIELDS.length && values.every((value, i) => {
    return typeof value === (i === last ? "string" : "number");
  });
}

/**
 * A new context in the new space, with all registers of the old one: the kernel had fetched them
 * (quiesce.ts).
 */
export const CONTEXT: AnchorRule = {
  fate: "anchor",
  stage: STAGE_CONTEXT,
  isShared: false,
  save(object) {
    const context = object as Context;
    const trap = TRAP_FIELDS.map((field) => context[field]);
    const { space, owner, isReleased, regBytes, fpu, args: { words } } = context;
    return [space, owner, isReleased, regBytes.slice(), fpu.slice(), words.slice(), ...trap];
  },
  load([space, owner, isReleased, regs, fpu, words, ...trap], host) {
    if (!(space instanceof AddressSpace)) return null;
    if (space instanceof EndedSpace || isReleased === true) return new NoContext(space);
    const { platform: { fpuSize } } = host as Surroundings;
    if (!(owner === null || owner instanceof Task) || !isTrap(trap)) return null;
    if (!(regs instanceof Uint8Array) || regs.length !== REGS_BYTES) return null;
    if (!(fpu instanceof Uint8Array) || fpu.length !== fpuSize) return null;
    if (!(words instanceof Uint32Array) || words.length !== ARGUMENT_WORDS) return null;
    const context = space.newContext();
    if (context === null) throw new Error("the platform has no room for a thread");
    context.regBytes.set(regs);
    context.fpu.set(fpu);
    context.args.words.set(words);
    for (const [i, field] of TRAP_FIELDS.entries()) Reflect.set(context, field, trap[i]);
    context.owner = owner;
    context.isFull = true;
    return context;
  },
  attach(object) {
    const context = object as Context, { owner } = context;
    if (!(owner instanceof Task) || owner.ctx !== context) return;
    owner.args = context.args;
    // The fast way back to guest code loads no registers.
    owner.regsFetched = owner.attention = true;
  },
  release: (object) => (object as Context).release(),
};
