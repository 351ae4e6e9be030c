/**
 * What a kernel runs on: guest memory, a platform, and the host's clocks and events. It is made
 * first, while names of the host can be seen.
 */

import { MINSIGSTKSZ } from "../../ffi/abi/signal.ts";
import { AT_HWCAP, AT_HWCAP2, AT_MINSIGSTKSZ } from "../../ffi/abi/elf.ts";
import { Arena, WINDOW_BYTES } from "../../ffi/mem/arena.ts";
import { close } from "../../ffi/sys/files.ts";
import type { SpawnScript } from "../../ffi/sys/spawn.ts";
import type { Platform } from "../../platform/platform.ts";
import { DEFAULT_PLATFORMS, type PlatformName } from "../../platform/select/candidates.ts";
import { findBest } from "../../platform/select/choice.ts";
import { createPlatform } from "../../platform/select/registry.ts";
import type { HostNetwork } from "../../kernel/core/host_network.ts";
import type { KernelHeap } from "../../kernel/core/kernel_heap.ts";
import { LoopDriver } from "../../kernel/loop_driver.ts";
import { RealHostNetwork } from "./host_network.ts";
import { guestOomScoreAdj } from "../host/oom_score.ts";
import { dropCapabilities } from "../host/launch_steps.ts";
import { allowedMemory } from "../host/host_limits.ts";
import { hasMemoryLimit, OomWitness, startWitness } from "../proxy/oom_witness.ts";
import { explain, UserError } from "../user_error.ts";
import { type BootSpec, hasHostNetwork } from "../protocol/boot_spec.ts";
import { RequestError } from "../protocol/request_error.ts";
import { hasSteadyCounter, newReading } from "./guest_clock.ts";
import type { ClockReading } from "../../platform/vdso/clock_page.ts";
import { RealHost } from "./real_host.ts";

/** Address space for windows on host files. */
const WINDOWS_BYTES = 4096 * WINDOW_BYTES;
/** Guest memory is sparse, so address space for more memory than there is costs nothing. */
const ARENA_FACTOR = 2;

export interface Machine {
  readonly arena: Arena;
  readonly platform: Platform;
  readonly platformName: PlatformName;
  /** The platform that was measured to be the best one; null if none was measured. */
  readonly foundBest: PlatformName | null;
  readonly host: RealHost;
  /** Drives the kernels that run on it. */
  readonly driver: LoopDriver;
  /** The network namespace that this process is in; null: guests do not use it. */
  readonly network: HostNetwork | null;
  /** The first reading of the clocks; null: the time stamp counter is not usable. */
  readonly clocks: ClockReading | null;
  readonly cpu: CpuFacts;
  /** Text of /proc/cpuinfo. */
  readonly cpuInfo: string;
  /** The witness of the first container; null: it has no memory limit. */
  readonly witness: OomWitness | null;
}

/** From the auxiliary vector of this process. */
interface CpuFacts {
  /** CPUID 1 EDX. */
  readonly hwcap: number;
  readonly hwcap2: number;
  /** Bytes of a signal frame. */
  readonly minSignalStack: number;
}

/** @throws UserError when no platform works */
export function createMachine(spec: BootSpec, heap: KernelHeap): Machine {
  const clocks = hasSteadyCounter() ? newReading() : null;
  const cpu = readCpuFacts();
  // By the host's memory and not by the limit, which may be raised later.
  const machineBytes = allowedMemory(), arena = createArena(machineBytes);
  const best = spec.bestPlatform === null ? findBest(spec.fds.kvm, prepareGuest) : null;
  const { platform, name } = choosePlatform(spec, best, arena);
  const host = new RealHost(spec.cpus, spec.memoryBytes, machineBytes, heap);
  host.events.watchDoorbell(platform.doorbellFd);
  const cpuInfo = readCpuInfo();
  const network = hasHostNetwork(spec) ? new RealHostNetwork(spec.network === "auto") : null;
  const witness = hasMemoryLimit(spec) ? new OomWitness(startWitness()) : null;
  // The kernel of `host` may end before the process does.
  const driver = new LoopDriver(host.another(), platform);
  const facts = { host, driver, network, clocks, cpu, cpuInfo, witness };
  return { arena, platform, platformName: name, foundBest: best, ...facts };
}

function createArena(memoryBytes: number): Arena {
  const bytes = Math.ceil(ARENA_FACTOR * memoryBytes / WINDOW_BYTES) * WINDOW_BYTES;
  try {
    return Arena.create(bytes, WINDOWS_BYTES);
  } catch (cause) {
    const gib = Math.round((bytes + WINDOWS_BYTES) / 2 ** 30);
    throw new UserError(
      `no ${gib} GiB of address space for guest memory, which ulimit -v limits`,
      undefined,
      cause,
    );
  }
}

function choosePlatform(
  { platform: asked, bestPlatform, fds }: BootSpec,
  measured: PlatformName | null,
  arena: Arena,
): { platform: Platform; name: PlatformName } {
  const best = bestPlatform ?? measured;
  const others = best === null ? DEFAULT_PLATFORMS : [best, ...DEFAULT_PLATFORMS];
  let last: unknown;
  for (const name of asked === null ? others : [asked]) {
    try {
      const platform = createPlatform(name, arena, prepareGuest, name === "kvm" ? fds.kvm : -1);
      if (name !== "kvm" && fds.kvm >= 0) close(fds.kvm);
      return { platform, name };
    } catch (error) {
      last = error;
    }
  }
  const what = asked === null ? "no platform works" : `the platform ${asked} does not work`;
  const message = `${what} on this host (dvisor doctor says more): ${explain(last)}`;
  throw new RequestError("Unsupported", message);
}

/**
 * The processes that run the guest drop the capabilities that this process keeps for the network.
 */
function prepareGuest(script: SpawnScript): void {
  guestOomScoreAdj(script);
  dropCapabilities(script);
}

function readCpuFacts(): CpuFacts {
  const bytes = Deno.readFileSync("/proc/self/auxv");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Map<number, number>();
  for (let at = 0; at + 16 <= bytes.length; at += 16) {
    values.set(view.getUint32(at, true), view.getUint32(at + 8, true));
  }
  return {
    hwcap: values.get(AT_HWCAP) ?? 0,
    hwcap2: values.get(AT_HWCAP2) ?? 0,
    minSignalStack: values.get(AT_MINSIGSTKSZ) ?? MINSIGSTKSZ,
  };
}

/** Hosts that hide /proc/cpuinfo get the text of a plain processor. */
function readCpuInfo(): string {
  try {
    return Deno.readTextFileSync("/proc/cpuinfo");
  } catch {
    return "";
  }
}
