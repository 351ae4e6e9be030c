/** What the kernel needs of the debug log, which the process around it has. */

export interface LineLog {
  /** Takes a line, without its end. */
  line(text: string): void;
}
