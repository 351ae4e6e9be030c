/**
 * The memory of a container that has a limit beside the sandbox's: each frame that its tasks take
 * is charged to it until it is given back, whichever file, pipe, segment or process has it.
 *
 * Neighbours: charges.ts (the table of owners), memory.ts (the same for control groups inside).
 */

import type { Container } from "../task/container.ts";
import { countPages, framesOf } from "../oom/frame_runs.ts";
import type { Kernel } from "../task/kernel_services.ts";
import type { MemoryDomain } from "../oom/oom_killer.ts";
import { type FrameSource, KnownFrames } from "../oom/resident_count.ts";
import type { ThreadGroup } from "../task/thread_group.ts";
import { ChargedFrames, type ChargeOwner, chargesOf, type FrameCharges } from "./charges.ts";
import type { Cgroups } from "./hierarchy.ts";
import type { MemoryState } from "./memory.ts";

export class ContainerMemory implements ChargeOwner, MemoryDomain {
  memoryMax: number = Infinity;
  chargedPages: number = 0;
  private readonly container: Container;
  private readonly charges: FrameCharges;
  /** Its id as an owner; 0: there are too many, and the pages that its processes map count. */
  readonly ownerId: number;

  /** The frames that its processes have mapped already are charged to it too. */
  constructor(kernel: Kernel, container: Container) {
    this.container = container;
    this.charges = chargesOf(kernel);
    this.ownerId = this.charges.open(this);
    this.charges.adopt(this.ownerId, framesOf(container.groups));
    this.charges.adoptShares(this.ownerId, container);
    this.cgroups.chargeId = this.ownerId;
  }

  has(group: ThreadGroup): boolean {
    return this.container.groups.has(group);
  }

  get kernelBytes(): number {
    return this.container.accounts.all.bytes;
  }

  get promisedPages(): number {
    if (this.ownerId === 0) return countPages(framesOf(this.container.groups));
    let pages = this.chargedPages;
    for (const state of this.states()) pages += state.chargedPages;
    return pages;
  }

  frames(): FrameSource {
    if (this.ownerId === 0) return new KnownFrames(framesOf(this.container.groups));
    return new ChargedFrames(this.charges, this.charges.idsOf(new Set([this, ...this.states()])));
  }

  onTaken(): void {}

  /** Called when the container has ended. */
  end(): void {
    this.cgroups.chargeId = 0;
    if (this.ownerId !== 0) this.charges.close(this, 0);
  }

  private get cgroups(): Cgroups {
    return this.container.ns.cgroup.roots.unified.hierarchy.owner;
  }

  /** The memory states of the control groups in the container. */
  private states(): MemoryState[] {
    const { unified, legacy } = this.cgroups;
    return [unified, ...legacy].flatMap(({ root }) => root.subtree().map((g) => g.memory));
  }
}
