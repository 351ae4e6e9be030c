/**
 * The end of a kernel among others of its process: its guests' host processes end, nothing of the
 * host reaches it any more, and its frames go back to the pool. What it holds is known without a
 * walk over its objects, so a kernel that met faults leaves nothing either.
 *
 * Not here: other descriptors of the host that its objects own, and templates of its containers
 * (containers.ts); their owners close them before.
 */

import { GoferFs } from "./fs/gofer/gofer_fs.ts";
import { disconnect } from "./fs/gofer/reconnect.ts";
import type { SandboxKernel } from "./kernel.ts";

/** LIMIT: address spaces, and frames, that one step gives back. */
const SPACES_A_STEP = 32, FRAMES_A_STEP = 1 << 16;

class KernelEnd {
  isDone: boolean = false;
  private readonly kernel: SandboxKernel;

  constructor(kernel: SandboxKernel) {
    this.kernel = kernel;
    kernel.loop.stop();
    kernel.host.end();
    kernel.memory.windows.forgetUser(kernel.memory);
  }

  /** A slice of the end: true when more can be done at once. */
  step(): boolean {
    const { memories, leavingSpaces, sites, frames } = this.kernel.memory;
    if (memories.size > 0) return this.endSpaces();
    leavingSpaces.collect();
    // A guest can still reach its frames.
    if (!leavingSpaces.isEmpty || this.isDone) return false;
    // Thunks are the platform's.
    for (const one of sites) while (sites.has(one)) one.drop();
    if (frames.pool.quarantine.drain() || frames.dropRest(FRAMES_A_STEP)) return true;
    this.leaveFiles();
    this.isDone = true;
    return false;
  }

  /** Closes what a Gofer has opened: nothing maps these files any more. */
  private leaveFiles(): void {
    for (const fs of this.kernel.vfs.served) if (fs instanceof GoferFs) disconnect(fs);
  }

  private endSpaces(): boolean {
    const { memories } = this.kernel.memory;
    let left = SPACES_A_STEP;
    for (const mm of memories) {
      if (left-- === 0) return true;
      memories.delete(mm);
      mm.endSpace();
    }
    return true;
  }
}

/**
 * Ends a kernel, whether its first process has ended or not. It gets no turn any more, and its
 * driver does the rest.
 */
export function endKernel(kernel: SandboxKernel): void {
  kernel.loop.driver.finish(new KernelEnd(kernel));
}
