/**
 * How many pages to copy for one write to memory that is copied on write (cow.ts): sequential
 * writers copy ever more at once.
 */

/** Pages that are copied together (64 KiB). */
export const WINDOW = 16;
/** LIMIT: pages that are copied together for a sequential writer (1 MiB). */
const LONGEST = 256;

/**
 * The writes of one address space. A write behind the end of the last copy copies twice as many
 * pages as that.
 */
export class WriteRun {
  private next: number = -Infinity;
  private pages: number = WINDOW;

  /** The number of pages to copy for a write to `page`, from the start of its window on. */
  pagesFor(page: number): number {
    const goesOn = page >= this.next && page < this.next + WINDOW;
    this.pages = goesOn ? Math.min(2 * this.pages, LONGEST) : WINDOW;
    return this.pages;
  }

  /** Records that a copy ended below page `end`. */
  onCopied(end: number): void {
    this.next = end;
  }
}
