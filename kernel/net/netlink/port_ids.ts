/** Port ids of one netlink protocol: a process's first socket has its pid, further ones numbers that no pid is. */

export class PortIds {
  private readonly ids: Map<number, object> = new Map();
  /** As Linux, from the top of the negative numbers down. */
  private next: number = 0xfffff000;

  /** False: somebody has it. */
  take(id: number, owner: object): boolean {
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
