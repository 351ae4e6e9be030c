/** Port ids of one netlink protocol: a process's first socket has its pid, further ones numbers that no pid is. */

export class PortIds<T extends object = object> {
  private readonly ids: Map<number, T> = new Map();
  /** As Linux, from the top of the negative numbers down. */
  private next: number = 0xfffff000;

  /** Who has it. */
  get(id: number): T | undefined {
    return this.ids.get(id);
  }
  /** False: somebody has it. */
  take(id: number, owner: T): boolean {
    if (this.ids.has(id)) return false;
    this.ids.set(id, owner);
    return true;
  }
  release(id: number): void {
    this.ids.delete(id);
  }
  choose(pid: number): number {
    if (!this.ids.has(pid)) return pid;
    while (this.ids.has(this.next)) this.next--;
    return this.next;
  }
}
