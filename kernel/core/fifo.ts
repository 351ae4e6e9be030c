/**
 * A queue in an array. Both ends take constant time however long it is, and removed items are not
 * kept alive.
 */

/** The most places of removed items that it keeps, unless it holds more items than that. */
const SPENT_MAX = 1024;

export class Fifo<T> {
  protected readonly items: (T | undefined)[] = [];
  private head: number = 0;

  get length(): number {
    return this.items.length - this.head;
  }

  /** The item that `shift` would return. */
  get first(): T | undefined {
    return this.items[this.head];
  }

  push(item: T): void {
    this.items.push(item);
  }

  /** Takes the first item; undefined when it is empty. */
  shift(): T | undefined {
    const { items } = this, item = items[this.head];
    if (this.head === items.length) return undefined;
    items[this.head++] = undefined;
    if (this.head < SPENT_MAX && this.head < items.length) return item;
    // Moving the rest takes no longer than the removal of those in front did.
    if (2 * this.head >= items.length) {
      items.splice(0, this.head);
      this.head = 0;
    }
    return item;
  }

  /** The items, the first one first. */
  all(): T[] {
    return this.items.slice(this.head) as T[];
  }

  /** Takes all items. */
  drain(): T[] {
    const all = this.items.slice(this.head) as T[];
    this.items.length = this.head = 0;
    return all;
  }
}
