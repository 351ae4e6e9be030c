/**
 * The kvm platform: guest code runs in ring 3 of a virtual machine, and the Sentry writes its page
 * tables. An address space has no process. Guest threads run on the vCPUs of the machine, each with
 * a native thread of this process.
 *
 * Neighbours: `vm.ts` opens the machine; `space.ts`, `context.ts`, `scheduler.ts`; `threads.ts` has
 * the memory of the vCPUs' threads.
 */

import { USER_END } from "../platform.ts";
import type { Arena } from "../../ffi/mem/arena.ts";
import { timeStampCounter } from "../../ffi/sys/clock.ts";
import { check } from "../../ffi/sys/errors.ts";
import { close, eventfd } from "../../ffi/sys/files.ts";
import type { Platform, Thunks } from "../platform.ts";
import { ThunkTable } from "../thunks.ts";
import type { KvmContext } from "./context.ts";
import { openDevice } from "./device.ts";
import { FileWindows, MAX_WINDOWS } from "./file_windows.ts";
import { GuestPhysical } from "./guest_physical.ts";
import { MAX_CPUS, writeRing0 } from "./ring0.ts";
import { Scheduler } from "./scheduler.ts";
import { KvmSpace, type Machine } from "./space.ts";
import { StopReader } from "./stops.ts";
import { TableMemory } from "./table_memory.ts";
import { Threads } from "./threads.ts";
import { Vm } from "./vm.ts";

export interface KvmOptions {
  /** Number of vCPUs. */
  readonly cpus?: number;
  /** /dev/kvm, open; the platform owns it from then on. Absent: the platform opens it. */
  readonly device?: number;
  /** Number of windows on files, for tests with few. */
  readonly windows?: number;
}

/** LIMIT: twice the number of cores, since a thread that stopped keeps its vCPU. */
const MAX_DEFAULT_CPUS = 8;
const DEFAULT_TICKS_PER_NS = 2;
/** How long time stamps are compared with the clock before the result is used. */
const CALIBRATION_NS = 50e6;

/**
 * @param arena memory that spaces can map
 * @throws Error: one sentence that says what the host lacks
 */
export function createKvmPlatform(arena: Arena, options: KvmOptions = {}): Platform {
  return new KvmPlatform(arena, options);
}

export class KvmPlatform implements Platform {
  readonly name = "kvm";
  readonly maxUserAddress = USER_END;
  readonly reserved = [];
  readonly isInProcess = true;
  readonly fpuSize: number;
  readonly fpuFeatures: number;
  readonly sleepCostNs: number;
  readonly doorbellFd: number;
  readonly endsFd = -1;
  readonly #vm: Vm;
  readonly #machine: Machine;
  readonly #threads: Threads;
  readonly #scheduler: Scheduler;
  /** Null where `syscall` costs no more than a jump to the stub. */
  readonly #thunks: ThunkTable | null;
  readonly #startTicks = timeStampCounter();
  readonly #startNs = performance.now() * 1e6;

  constructor(arena: Arena, options: KvmOptions) {
    const undo: (() => void)[] = [];
    try {
      const vm = this.#vm = new Vm(options.device ?? openDevice(), readText("/proc/cpuinfo"));
      const { kind } = vm;
      undo.push(() => vm.close());
      const tables = new TableMemory();
      undo.push(() => tables.close());
      this.sleepCostNs = kind.sleepCostNs;
      const ring0 = writeRing0(tables, kind);
      const memory = new GuestPhysical(vm.fd, arena, tables, vm.addressBits);
      undo.push(() => memory.close());
      const doorbellFd = this.doorbellFd = check(eventfd(), "eventfd2");
      undo.push(() => close(doorbellFd));
      const count = Math.min(MAX_CPUS, options.cpus ?? defaultCpus());
      this.#threads = new Threads(vm, ring0, tables, doorbellFd, count);
      this.fpuSize = vm.fpuBytes;
      this.fpuFeatures = vm.features;
      const { thunkPlace } = ring0;
      const thunks = this.#thunks = thunkPlace === null ? null : new ThunkTable(thunkPlace);
      const stops = new StopReader(tables, ring0, thunks);
      const { vcpus } = this.#threads;
      this.#scheduler = new Scheduler(vcpus, stops, this.fpuFeatures, this.fpuSize);
      this.#machine = {
        tables,
        memory,
        windows: new FileWindows(memory, options.windows ?? MAX_WINDOWS),
        scheduler: this.#scheduler,
        spaces: new Set(),
        threadCount: 0,
      };
    } catch (error) {
      for (const step of undo.reverse()) step();
      throw error;
    }
  }

  get guestCpu(): number {
    return this.#scheduler.last?.cpu ?? -1;
  }

  /**
   * The cost for a thread that left the machine, with the exit and the entry that its reply needs.
   */
  get guestGapNs(): number {
    const { last } = this.#scheduler;
    return last === null ? -1 : last.gapTicks / this.#ticksPerNs();
  }

  get runningCount(): number {
    return this.#scheduler.runningCount;
  }

  newAddressSpace(): KvmSpace | null {
    return KvmSpace.create(this.#machine);
  }

  newTemplate(): KvmSpace | null {
    return this.newAddressSpace();
  }

  /** HOT */
  poll(): KvmContext | null {
    return this.#scheduler.poll();
  }

  prepareSleep(): boolean {
    this.#threads.setSentryAsleep(1);
    if (!this.#scheduler.hasReady) return true;
    this.#threads.setSentryAsleep(0);
    return false;
  }

  finishSleep(): void {
    this.#threads.setSentryAsleep(0);
  }

  setSpinBudget(ns: number): void {
    this.#threads.setSpinTicks(Math.round(ns * this.#ticksPerNs()));
  }

  #ticksPerNs(): number {
    const passedNs = performance.now() * 1e6 - this.#startNs;
    if (passedNs < CALIBRATION_NS) return DEFAULT_TICKS_PER_NS;
    return (timeStampCounter() - this.#startTicks) / passedNs;
  }

  setLoopCpu(cpu: number): void {
    this.#threads.setLoopCpu(cpu);
  }

  registerFile(hostFd: number): number {
    return this.#machine.windows.register(hostFd);
  }

  unregisterFile(file: number): void {
    this.#machine.windows.unregister(file);
  }

  /** All spaces have one set, since ring 0 is mapped in the same way in all spaces. */
  newThunks(): Thunks | null {
    return this.#thunks;
  }

  get isKicking(): boolean {
    return this.#scheduler.isKicking;
  }

  tick(_nowNs: number): void {
    this.#scheduler.tick();
  }

  reap(): void {}

  destroy(): void {
    for (const space of this.#machine.spaces) space.destroy();
    this.#threads.close();
    this.#machine.windows.close();
    this.#vm.close();
    this.#machine.memory.close();
    this.#machine.tables.close();
    close(this.doorbellFd);
  }
}

function defaultCpus(): number {
  return Math.min(MAX_DEFAULT_CPUS, 2 * navigator.hardwareConcurrency);
}

function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
