/**
 * How many pages to copy for one write to memory that is copied on write. Neighbour: `cow.ts`.
 */

/** Pages that move together (64 KiB). */
export const WINDOW = 16;
/** LIMIT: pages that move together for who writes one window behind the other (1 MiB). */
const LONGEST = 256;

/** Writes of one address space: one that goes on where the last copy ended copies twice as much. */
export class WriteRun {
  private next: number = -Infinity;
  private pages: number = WINDOW;

  /** How many pages to copy for a write to `page`, from the start of its window on. */
  pagesFor(page: number): number {
    const goesOn = page >= this.next && page < this.next + WINDOW;
    this.pages = goesOn ? Math.min(2 * this.pages, LONGEST) : WINDOW;
    return this.pages;
  }

  /** What was copied ends below page `end`. */
  copied(end: number): void {
    this.next = end;
  }
}
