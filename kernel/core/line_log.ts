/** The debug log as the kernel sees it; the boot process and tests implement it. */

export interface LineLog {
  /** Takes a line, without its end. */
  line(text: string): void;
}
