/**
 * Compares the memory manager with a model (testing/memory_world.ts) under random calls, with guest
 * threads on the real platforms of this host.
 */

import { Arena } from "../../ffi/mem/arena.ts";
import { PLATFORM_NAMES } from "../../platform/select/candidates.ts";
import { createPlatform, tryPlatform } from "../../platform/select/registry.ts";
import { Lab } from "../testing/memory_lab.ts";
import { explore, type Guest, World } from "../testing/memory_world.ts";
import { RealGuest } from "../testing/real_guest.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { named } from "../../tests/harness/machine.ts";

class RealWorld extends World {
  guestOf(mm: MemoryManager, parent: Guest | null): Guest {
    const guest = new RealGuest(mm, parent !== null);
    guest.read(0); // the child runs now, so its parent may end
    return guest;
  }

  override settle(): void {
    const { platform, ctx } = this.lab, deadline = performance.now() + 10_000;
    while (ctx.frames.usedBytes > 0 && performance.now() < deadline) {
      platform.tick(performance.now() * 1e6);
      platform.poll();
      ctx.frames.reclaim(Infinity);
      if (ctx.frames.pendingBytes === 0) return;
    }
  }
}

for (const name of PLATFORM_NAMES) {
  const problem = tryPlatform(name);
  Deno.test({
    ...named(`${name}: random memory calls behave like the model`, problem),
    fn(): void {
      const rounds = Number(Deno.env.get("MM_ROUNDS") ?? "4");
      for (let seed = 1; seed <= rounds; seed++) {
        const arena = Arena.create(64 << 20, 4 << 20);
        const lab = new Lab(arena, createPlatform(name, arena));
        explore(new RealWorld(lab, seed), seed, 1000);
      }
    },
  });
}
