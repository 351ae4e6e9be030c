/**
 * The echo buffer of a terminal (that of Linux's n_tty): bytes to be echoed, and operations whose
 * effect depends on the column that the output has reached by then. When it is full the oldest
 * entries are dropped.
 *
 * line_discipline.ts and eraser.ts fill it; output.ts empties it.
 */

const SIZE = 4096, MASK = SIZE - 1;

/**
 * The byte that begins an operation, and the operations; any other byte behind it is a control
 * character to be shown as ^X.
 */
export const ECHO_OP = 0xff;
export const ECHO_MOVE_BACK = 0x80, ECHO_SET_COLUMN = 0x81, ECHO_ERASE_TAB = 0x82;
/**
 * A bit of ECHO_ERASE_TAB's operand: the columns are counted from an earlier tab, not from the
 * start of the line.
 */
export const AFTER_TAB = 0x80;

export class EchoQueue {
  private readonly bytes: Uint8Array<ArrayBuffer> = new Uint8Array(SIZE);
  private head: number = 0;
  private tail: number = 0;

  get isEmpty(): boolean {
    return this.head === this.tail;
  }
  /** Byte `i` from the front. */
  at(i: number): number {
    return this.bytes[(this.tail + i) & MASK]!;
  }
  skip(count: number): void {
    this.tail += count;
  }
  clear(): void {
    this.head = this.tail = 0;
  }

  /** Queues a byte to be echoed unchanged. */
  raw(c: number): void {
    this.reserve();
    if (c === ECHO_OP) this.put(c);
    this.put(c);
  }
  /** Queues a control character to be echoed as ^X. */
  caret(c: number): void {
    this.operation(c);
  }
  moveBack(): void {
    this.operation(ECHO_MOVE_BACK);
  }
  setColumn(): void {
    this.operation(ECHO_SET_COLUMN);
  }
  eraseTab(columns: number, afterTab: boolean): void {
    this.operation(ECHO_ERASE_TAB);
    this.put((columns & 7) | (afterTab ? AFTER_TAB : 0));
  }

  private operation(op: number): void {
    this.reserve();
    this.put(ECHO_OP);
    this.put(op);
  }
  private put(c: number): void {
    this.bytes[this.head++ & MASK] = c;
  }
  /** Makes room for the longest entry. */
  private reserve(): void {
    while (this.head - this.tail > SIZE - 3) {
      const isOp = this.at(0) === ECHO_OP;
      this.tail += !isOp ? 1 : this.at(1) === ECHO_ERASE_TAB ? 3 : 2;
    }
  }
}
