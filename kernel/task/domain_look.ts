/**
 * One look of the OOM killer at all domains with a limit, in slices. Promised memory is summed up
 * first, which is cheap; supplied memory is measured only where too much is promised.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import type { Kernel } from "./kernel_services.ts";
import type { MemoryDomain } from "./oom_killer.ts";
import { ResidentCount } from "./resident_count.ts";

/** A domain is measured again after it was given this part of the distance to its threshold. */
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
  private roomToPromise: number = Infinity;
  private roomToGive: number = Infinity;
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
    const isDone = this.lookOn(untilNs);
    this.spentNs += host.monotonicNs() - startNs;
    if (!isDone) return false;
    this.lookAtTaken = this.takenBytes + this.roomToPromise;
    this.lookAtResident = this.residentBytes + this.roomToGive;
    return true;
  }

  private lookOn(untilNs: number): boolean {
    const { domains, kernel: { host } } = this;
    for (;;) {
      if (this.count !== null) {
        if (!this.count.step(host, untilNs)) return false;
        this.note(domains[this.at++]!, this.count.bytes);
        this.count = null;
      }
      if (this.at === domains.length) return true;
      this.begin(domains[this.at]!);
      if (host.monotonicNs() >= untilNs) return false;
    }
  }

  /** Begins to measure a domain, or skips it. */
  private begin(domain: MemoryDomain): void {
    const promised = (domain.promisedPages ?? Infinity) * PAGE_SIZE, most = mostOf(domain);
    if (!this.limited.has(domain)) this.at++;
    else if (promised <= most) {
      this.at++;
      this.roomToPromise = Math.min(this.roomToPromise, most - promised);
    } else {
      this.isOneNear = true;
      this.count = new ResidentCount(this.kernel.memory.arena, domain.frames());
    }
  }

  private note(domain: MemoryDomain, given: number): void {
    const { memoryMax, kernelBytes = 0 } = domain, most = mostOf(domain);
    domain.onMeasured?.(given + kernelBytes);
    const limit = memoryMax - kernelBytes;
    const next = given < most ? most : Math.min(limit, given + most / WATCH_STEPS);
    this.roomToGive = Math.min(this.roomToGive, Math.max(0, next - given));
    if (given > limit) this.over.push(domain);
  }
}

/** The bytes of memory from which on a domain is of interest. */
function mostOf({ memoryMax, watchBytes = memoryMax, kernelBytes = 0 }: MemoryDomain): number {
  return watchBytes - kernelBytes;
}
