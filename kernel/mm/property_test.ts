/**
 * Compares the memory manager with a model (testing/memory_world.ts) under random calls, on a fake
 * platform that records what the host has mapped.
 */

import { PAGE_SIZE, PROT_WRITE } from "../../ffi/abi/mman.ts";
import { assert, assertEquals } from "@std/assert";
import { FakeSpace, GuestSimulator } from "../testing/fake_platform.ts";
import { MemoryLab } from "../testing/memory_lab.ts";
import { explore, type Guest, type Owners, type Process, World } from "../testing/memory_world.ts";
import { mapAll } from "./host_mappings.ts";
import type { MemoryManager } from "./memory_manager.ts";

function sorted(table: FakeSpace["table"]): [number, object][] {
  return [...table].sort(([a], [b]) => a - b);
}

class FakeWorld extends World {
  private readonly fake: MemoryLab;
  /** Spaces whose host process may still run. */
  private readonly dying: FakeSpace[] = [];

  constructor(seed: number) {
    const lab = new MemoryLab(64 << 20, 2);
    if (seed % 2 === 0) {
      lab.platform.isLazy = lab.platform.acksOnFlush = true;
      lab.platform.acksAtOnce = false;
    }
    super(lab, seed);
    this.fake = lab;
  }

  guestOf(mm: MemoryManager): Guest {
    return new GuestSimulator(mm);
  }

  override exit(p: Process): void {
    super.exit(p);
    if (p.mm.isDestroyed) this.dying.push(this.fake.spaceOf(p.mm));
    if (this.random.below(2) === 0) this.dying.pop()?.die();
  }

  override settle(): void {
    for (const p of this.processes) this.dying.push(this.fake.spaceOf(p.mm));
    for (const space of this.dying) space.die();
  }

  override checkFrames(): void {
    const owners: Owners = new Map();
    for (const p of this.processes) this.countPrivate(p.mm, owners);
    for (const p of this.processes) this.checkHost(p.mm, owners);
    if (this.fake.platform.isLazy) return;
    for (const p of this.processes) this.checkMappedAgain(p.mm);
    for (const space of this.dying) {
      for (const host of space.table.values()) {
        if (host.file < 0) assert(this.lab.ctx.frames.refs(host.offset) > 0, "freed too early");
      }
    }
  }

  /** A new space in which the memory is mapped again has the mappings that its own space has. */
  private checkMappedAgain(mm: MemoryManager): void {
    const own = this.fake.spaceOf(mm), again = this.fake.platform.newAddressSpace();
    mapAll(mm, again);
    assertEquals(sorted(again.table), sorted(own.table));
    again.die();
  }

  private checkHost(mm: MemoryManager, owners: Owners): void {
    for (const [page, host] of this.fake.spaceOf(mm).table) {
      if (host.file >= 0) continue;
      assert(this.lab.ctx.frames.refs(host.offset) > 0, `page ${page}: freed too early`);
      const i = mm.pages.present(page);
      const frame = i < 0 ? -1 : (mm.pages.frame(i) + page - mm.pages.start(i)) * PAGE_SIZE;
      const isCurrent = frame === host.offset;
      if (!this.fake.platform.isLazy) assert(isCurrent, `page ${page}: mapped to another frame`);
      if ((host.prot & PROT_WRITE) === 0 || this.fake.spaceOf(mm).isFresh) continue;
      // A writable frame belongs to this process alone, or is stale and has no owner, or is shared.
      const users = owners.get(host.offset) ?? [];
      assert(users.every((user) => user === mm), `page ${page}: writable frame of another process`);
      if (isCurrent) assert(users.length <= 1, `page ${page}: writable frame of another page`);
    }
  }
}

Deno.test("random memory calls behave like the model", () => {
  const rounds = Number(Deno.env.get("MM_ROUNDS") ?? "40");
  for (let seed = 1; seed <= rounds; seed++) explore(new FakeWorld(seed), seed, 1500);
});
