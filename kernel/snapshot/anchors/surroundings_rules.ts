/**
 * Anchors of what a kernel runs on: host, platform, arena and frames are those of the new
 * surroundings; address spaces and contexts are new ones of the new platform.
 */

import { EndedSpace, NoContext } from "../../mm/ended_space.ts";
import type { AddressSpace, Context } from "../../../platform/platform.ts";
import { mapAll } from "../../mm/host_mappings.ts";
import { MemoryManager } from "../../mm/memory_manager.ts";
import { Task } from "../../task/task.ts";
import type { AnchorRule } from "../graph/class_row.ts";
import type { Surroundings } from "./surroundings.ts";

/** Anchors of a later stage are made of those of an earlier one. */
const STAGE_GIVEN = 0, STAGE_SPACE = 1, STAGE_CONTEXT = 2;

/** An object of the surroundings. */
export function given(role: keyof Surroundings): AnchorRule {
  return {
    fate: "anchor",
    stage: STAGE_GIVEN,
    isShared: true,
    save: () => [],
    load: (_saved, host) => (host as Surroundings)[role],
  };
}

/** The allocator charges frames to the groups of its kernel. */
export const FRAMES: AnchorRule = {
  fate: "anchor",
  stage: STAGE_GIVEN,
  isShared: true,
  save: (object) => [Reflect.get(object, "charger")],
  load([charger], host) {
    const { frames } = host as Surroundings;
    frames.charger = charger as never;
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
    const space = (host as Surroundings).platform.newAddressSpace();
    if (space === null) throw new Error("the platform has no room for an address space");
    space.owner = owner as object | null;
    return space;
  },
  attach(object) {
    const space = object as AddressSpace, { owner } = space;
    if (!(owner instanceof MemoryManager)) return;
    mapAll(owner, space);
    space.flush();
  },
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
  load([space, owner, isReleased, regs, fpu, words, ...trap]) {
    if (space instanceof EndedSpace || isReleased === true) {
      return new NoContext(space as AddressSpace);
    }
    const context = (space as AddressSpace).newContext();
    if (context === null) throw new Error("the platform has no room for a thread");
    context.regBytes.set(regs as Uint8Array);
    context.fpu.set(fpu as Uint8Array);
    context.args.words.set(words as Uint32Array);
    for (const [i, field] of TRAP_FIELDS.entries()) Reflect.set(context, field, trap[i]);
    context.owner = owner as object;
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
};
