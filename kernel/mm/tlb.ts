/**
 * The table in which `UserAccess` (copy_user.ts) keeps host addresses of guest pages. Each memory
 * has one while it lives, and returns it to a pool: arrays that are allocated at each fork and exec
 * were a quarter of the kernel's heap.
 */

/** Entries of each kind. */
export const TLB_SLOTS = 256;
/**
 * A page number that no address has. A negative number would not do: they come from signed numbers
 * such as file offsets.
 */
export const NO_PAGE: number = NaN;
/** LIMIT: tables that the pool keeps (512 KiB). */
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

/** The table of a memory that has ended: no page is ever in it. */
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
