/** A queue in an array. Both ends take the same time however long it is, and what left it is not kept. */

/** Places of what left it that it keeps at most, unless there is more in it than that. */
const SPENT_MAX = 1024;

export class Fifo<T> {
  protected readonly items: (T | undefined)[] = [];
  private head: number = 0;

  get length(): number {
    return this.items.length - this.head;
  }

  /** What `shift` would give. */
  get first(): T | undefined {
    return this.items[this.head];
  }

  push(item: T): void {
    this.items.push(item);
  }

  /** Takes the first one; undefined: there is none. */
  shift(): T | undefined {
    const { items } = this, item = items[this.head];
    if (this.head === items.length) return undefined;
    items[this.head++] = undefined;
    if (this.head < SPENT_MAX && this.head < items.length) return item;
    // Moving the others takes no longer than it took to take what stood before them.
    if (2 * this.head >= items.length) {
      items.splice(0, this.head);
      this.head = 0;
    }
    return item;
  }

  /** What is in it, the first one first. */
  all(): T[] {
    return this.items.slice(this.head) as T[];
  }

  /** Takes all. */
  drain(): T[] {
    const all = this.items.slice(this.head) as T[];
    this.items.length = this.head = 0;
    return all;
  }
}
