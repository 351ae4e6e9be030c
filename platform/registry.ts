/**
 * The platforms by name, and the trial that says which of them this host allows.
 *
 * Neighbours: `platform.ts` is the contract; `host_offer.ts` asks the host for single facilities.
 */

import { Arena } from "../ffi/mem/arena.ts";
import { Assembler } from "../ffi/asm/assembler.ts";
import { eax } from "../ffi/asm/registers.ts";
import { copyFromBuffer } from "../ffi/mem/native_memory.ts";
import type { SpawnScript } from "../ffi/sys/spawn.ts";
import {
  type Context,
  EFLAGS,
  type Platform,
  PROT_EXEC,
  PROT_READ,
  RIP,
  TRAP_SYSCALL,
} from "./platform.ts";
import { createKvmPlatform } from "./kvm/kvm_platform.ts";
import { createPtracePlatform } from "./ptrace/ptrace_platform.ts";
import { createSystrapPlatform } from "./systrap/systrap.ts";
import type { PlatformName } from "./names.ts";

/** Adds steps to the start of whatever all processes of the guest come from. */
export type Prepare = (script: SpawnScript) => void;

type Constructor = (arena: Arena, prepare: Prepare, device: number) => Platform;

const CONSTRUCTORS: Readonly<Record<PlatformName, Constructor>> = {
  systrap: (arena, prepare) => createSystrapPlatform(arena, { prepare }),
  ptrace: (arena, prepare) => createPtracePlatform(arena, { prepare }),
  // Its guests have no process of their own to prepare.
  kvm: (arena, _prepare, device) => createKvmPlatform(arena, device < 0 ? {} : { device }),
};

const TRIAL_ARENA_BYTES = 2 * 1024 * 1024;
const TRIAL_ADDRESS = 0x10000000, TRIAL_CALL = 4242, PAGE_BYTES = 4096;
const TRIAL_MS = 2000;

/**
 * @param device /dev/kvm, opened by somebody who may; -1: it is opened if it is needed
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
 * Runs a guest of two instructions.
 *
 * @returns null if its system call arrived, else one sentence that says what went wrong
 */
export function tryPlatform(name: PlatformName): string | null {
  let arena: Arena | null = null, platform: Platform | null = null;
  try {
    arena = Arena.create(TRIAL_ARENA_BYTES, 0);
    platform = createPlatform(name, arena);
    return runTrial(platform, arena);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    platform?.destroy();
    arena?.close();
  }
}

function runTrial(platform: Platform, arena: Arena): string | null {
  const code = new Assembler().mov(eax, TRIAL_CALL).syscall().assemble();
  copyFromBuffer(arena.base, code, 0, code.length);
  const space = platform.newAddressSpace();
  const context = space?.newContext() ?? null;
  if (space === null || context === null) return "the host gives no process to run a guest in";
  space.mapArena(TRIAL_ADDRESS, PAGE_BYTES, 0, PROT_READ | PROT_EXEC);
  context.regs.setUint32(RIP, TRIAL_ADDRESS, true);
  context.regs.setUint32(EFLAGS, 0x202, true);
  context.resumeAll(true);
  const stopped = waitForStop(platform);
  if (stopped === null) return `a guest did not stop within ${TRIAL_MS} ms`;
  if (stopped.trap === TRAP_SYSCALL && stopped.nr === TRIAL_CALL) return null;
  return `a guest's system call arrived as trap ${stopped.trap}, signal ${stopped.signo}`;
}

function waitForStop(platform: Platform): Context | null {
  const deadline = performance.now() + TRIAL_MS;
  for (;;) {
    const stopped = platform.poll();
    if (stopped !== null) return stopped;
    const now = performance.now();
    if (now > deadline) return null;
    platform.tick(now * 1e6);
  }
}
