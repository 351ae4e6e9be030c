/**
 * Where `UserAccess` remembers host addresses of guest pages. Each memory has one as long as it lives; the next memory gets
 * it then: as blocks of malloc's that come and go with each fork and exec these arrays were a quarter of the kernel's heap.
 */

/** Entries of each kind. */
export const TLB_SLOTS = 256;
/** A page number that no address has: negative ones come from numbers with a sign, such as file offsets. */
export const NO_PAGE: number = NaN;
/** LIMIT: those that are kept for the next memories (512 KiB). */
const MAX_KEPT = 64;

/** Guest page numbers and the host addresses of those pages, for reading and for writing. */
export class Tlb {
  readonly readTag: Float64Array = new Float64Array(TLB_SLOTS).fill(NO_PAGE);
  readonly readHost: Float64Array = new Float64Array(TLB_SLOTS);
  readonly writeTag: Float64Array = new Float64Array(TLB_SLOTS).fill(NO_PAGE);
  readonly writeHost: Float64Array = new Float64Array(TLB_SLOTS);

  flush(): void {
    this.readTag.fill(NO_PAGE);
    this.writeTag.fill(NO_PAGE);
  }
}

/** What a memory that has ended has: no page is ever in it. */
export const NO_TLB: Tlb = new Tlb();

export class TlbPool {
  private readonly kept: Tlb[] = [];

  take(): Tlb {
    const tlb = this.kept.pop();
    if (tlb === undefined) return new Tlb();
    tlb.flush();
    return tlb;
  }

  give(tlb: Tlb): void {
    if (this.kept.length < MAX_KEPT) this.kept.push(tlb);
  }

  clear(): void {
    this.kept.length = 0;
  }
}
