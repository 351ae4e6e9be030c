/** What a copy leaves out is charged to no account of it. */

import { assert, assertEquals } from "@std/assert";
import { violations } from "../../../kernel/observe/invariants.ts";
import { FakePlatform } from "../../../kernel/testing/fake_platform.ts";
import { copyParts } from "../../fuzz/kernel/copied_world.ts";
import { leftovers } from "../../fuzz/kernel/oracles.ts";
import { World } from "../../fuzz/kernel/world.ts";
import { objectCounts } from "../../fuzz/kernel/world_parts.ts";
import { ActingGuest } from "./acting_guest.ts";

const PAGE = 4096, PAGES = 100;

function platformOf({ kernel: { platform } }: World): FakePlatform {
  assert(platform instanceof FakePlatform);
  return platform;
}

/** The host has removed all processes that have ended, and made all changes of the others. */
function acknowledge(world: World): void {
  const { memory } = world.kernel, platform = platformOf(world);
  for (const space of [...platform.spaces]) {
    if (space.isDestroyed) space.die();
    else space.ackedSeq = space.seq;
  }
  memory.leavingSpaces.collect();
  while (memory.reclaim());
}

Deno.test("address spaces and frames that wait for the host are given back in a copy", () => {
  const original = new World();
  const guest = new ActingGuest(original, original.taskOf(0)?.id.numbers[0] ?? 0);
  const ending = guest.fork(), at = guest.must("mmap", 0, PAGES * PAGE, 3, 0x22, -1, 0);
  guest.store(at, new Uint8Array(PAGES * PAGE).fill(1));
  platformOf(original).acksAtOnce = false;
  guest.must("munmap", at, PAGES * PAGE);
  ending.call("exit_group", 0);
  const before = original.kernel.memory.frames.usedBytes;
  const copy = original.copy(copyParts);
  for (const world of [original, copy]) world.interruptAll();
  assertEquals(violations(copy.kernel), []);
  acknowledge(original);
  assertEquals(objectCounts(copy.kernel), objectCounts(original.kernel));
  const [one, other] = [original, copy].map(({ kernel }) => kernel.memory.frames.usedBytes);
  assert(one! <= before - PAGES * PAGE && other! <= one!, `${before} ${one} ${other}`);
  copy.end();
  assertEquals(leftovers(copy), []);
  for (const world of [original, copy]) world.close();
});
