/**
 * One look of the OOM killer (oom_killer.ts) at all domains with a limit, in slices. The memory
 * that a domain was promised is known; what the host has supplied is counted only where more is
 * promised than a domain may have.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import type { Kernel } from "../task/kernel_services.ts";
import type { MemoryDomain } from "./oom_killer.ts";
import { ResidentCount } from "./resident_count.ts";

/** A domain above its threshold is measured again after 1/WATCH_STEPS of that threshold more. */
const WATCH_STEPS = 32;

export class DomainLook {
  /** The domains that have more than their limit. */
  readonly over: MemoryDomain[] = [];
  /** Some domain may exceed its limit. */
  isOneNear: boolean = false;
  /**
   * Promised and supplied bytes from which on a domain may exceed its limit, in the terms of
   * `takenBytes` and `residentBytes`.
   */
  lookAtTaken: number;
  lookAtResident: number;
  /** The time that the look has taken. */
  spentNs: number = 0;
  /** The least that a domain lacks to its threshold: of promised, and of supplied bytes. */
  private roomToPromise: number = Infinity;
  private roomToSupply: number = Infinity;
  private readonly kernel: Kernel;
  private readonly limited: ReadonlySet<MemoryDomain>;
  private readonly domains: readonly MemoryDomain[];
  private readonly takenBytes: number;
  private readonly residentBytes: number;
  private at: number = 0;
  private count: ResidentCount | null = null;

  constructor(kernel: Kernel, limited: ReadonlySet<MemoryDomain>) {
    const { arena, frames } = kernel.memory;
    this.kernel = kernel;
    this.limited = limited;
    this.domains = [...limited];
    // At the beginning: what is taken during the look counts for the next one.
    this.lookAtTaken = this.takenBytes = frames.takenBytes;
    this.lookAtResident = this.residentBytes = arena.residentBytes();
  }

  /** Looks until the host's clock is `untilNs`; true at the end. */
  step(untilNs: number): boolean {
    const { host } = this.kernel, startNs = host.monotonicNs();
    const isDone = this.continueLook(untilNs);
    this.spentNs += host.monotonicNs() - startNs;
    if (!isDone) return false;
    this.lookAtTaken = this.takenBytes + this.roomToPromise;
    this.lookAtResident = this.residentBytes + this.roomToSupply;
    return true;
  }

  private continueLook(untilNs: number): boolean {
    const { domains, kernel: { host } } = this;
    for (;;) {
      if (this.count !== null) {
        if (!this.count.step(host, untilNs)) return false;
        this.noteMeasured(domains[this.at++]!, this.count.bytes);
        this.count = null;
      }
      if (this.at === domains.length) return true;
      this.beginDomain(domains[this.at]!);
      if (host.monotonicNs() >= untilNs) return false;
    }
  }

  /** Begins to measure a domain, or skips it. */
  private beginDomain(domain: MemoryDomain): void {
    const threshold = thresholdOf(domain);
    const promised = (domain.promisedPages ?? Infinity) * PAGE_SIZE;
    if (!this.limited.has(domain)) this.at++;
    else if (promised <= threshold) {
      this.at++;
      this.roomToPromise = Math.min(this.roomToPromise, threshold - promised);
    } else {
      this.isOneNear = true;
      this.count = new ResidentCount(this.kernel.memory.arena, domain.frames());
    }
  }

  /** Notes how much the host has supplied to a domain, in bytes. */
  private noteMeasured(domain: MemoryDomain, supplied: number): void {
    const { memoryMax, kernelBytes = 0 } = domain, threshold = thresholdOf(domain);
    domain.onMeasured?.(supplied + kernelBytes);
    const limit = memoryMax - kernelBytes;
    const further = Math.min(limit, supplied + threshold / WATCH_STEPS);
    const next = supplied < threshold ? threshold : further;
    this.roomToSupply = Math.min(this.roomToSupply, Math.max(0, next - supplied));
    if (supplied > limit) this.over.push(domain);
  }
}

/** The bytes of guest memory from which on a domain is of interest: its limit, or less. */
function thresholdOf({ memoryMax, watchBytes = memoryMax, kernelBytes = 0 }: MemoryDomain): number {
  return watchBytes - kernelBytes;
}
