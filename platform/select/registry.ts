/**
 * The platforms by name, and the trial that shows which of them this host allows.
 *
 * Neighbours: `platform.ts` is the contract, `trial.ts` has the guests; `host_offer.ts` checks
 * single facilities of the host.
 */

import { Arena } from "../../ffi/mem/arena.ts";
import type { SpawnScript } from "../../ffi/sys/spawn.ts";
import type { Platform } from "../platform.ts";
import { createKvmPlatform } from "../kvm/kvm_platform.ts";
import { createPtracePlatform } from "../ptrace/ptrace_platform.ts";
import { createSystrapPlatform } from "../systrap/systrap.ts";
import type { PlatformName } from "./candidates.ts";
import { type PlatformCosts, Trial, TRIAL_ARENA_BYTES } from "./trial.ts";

/** Adds steps to the start of the host process of which all guest processes are clones. */
export type Prepare = (script: SpawnScript) => void;

type Constructor = (arena: Arena, prepare: Prepare, device: number) => Platform;

const CONSTRUCTORS: Readonly<Record<PlatformName, Constructor>> = {
  systrap: (arena, prepare) => createSystrapPlatform(arena, { prepare }),
  ptrace: (arena, prepare) => createPtracePlatform(arena, { prepare }),
  // Guests of kvm have no host process to prepare.
  kvm: (arena, _prepare, device) => createKvmPlatform(arena, device < 0 ? {} : { device }),
};

/**
 * @param device /dev/kvm, opened by a process that may; -1: the platform opens it if it needs it
 * @throws Error naming the host's call that failed
 */
export function createPlatform(
  name: PlatformName,
  arena: Arena,
  prepare: Prepare = () => {},
  device = -1,
): Platform {
  return CONSTRUCTORS[name](arena, prepare, device);
}

/**
 * Runs a guest of two instructions. @returns null if its system call arrived, else a sentence with
 * the reason
 */
export function tryPlatform(name: PlatformName): string | null {
  try {
    onTrial(name, -1, () => {}, (trial) => trial.run());
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/**
 * Takes the parameters of `createPlatform`; lasts 10 to 40 ms.
 *
 * @throws Error with a sentence that says why this platform does not work here
 */
export function measurePlatform(
  name: PlatformName,
  device = -1,
  prepare: Prepare = () => {},
): PlatformCosts {
  return onTrial(name, device, prepare, (trial) => trial.measure());
}

function onTrial<T>(
  name: PlatformName,
  device: number,
  prepare: Prepare,
  body: (trial: Trial) => T,
): T {
  let arena: Arena | null = null, platform: Platform | null = null;
  try {
    arena = Arena.create(TRIAL_ARENA_BYTES, 0);
    platform = createPlatform(name, arena, prepare, device);
    return body(new Trial(platform, arena));
  } finally {
    platform?.destroy();
    arena?.close();
  }
}
