/**
 * Odd states of a kernel are copied by a snapshot, and a guest sees the same in the copy, call by
 * call. Several scenes are in one world; in full runs each one is copied alone, too.
 */

import { assertEquals } from "@std/assert";
import { violations } from "../../../kernel/observe/invariants.ts";
import { copyParts } from "../../fuzz/kernel/copied_world.ts";
import { leftovers } from "../../fuzz/kernel/oracles.ts";
import { World } from "../../fuzz/kernel/world.ts";
import { isFull } from "../../harness/machine.ts";
import { Random } from "../../harness/seeded.ts";
import { kernelDifference } from "../kernel_difference.ts";
import { ActingGuest } from "./acting_guest.ts";
import { FILE_SCENES } from "./file_scenes.ts";
import { IPC_SCENES } from "./ipc_scenes.ts";
import { LIMIT_SCENES } from "./limit_scenes.ts";
import { MEMORY_SCENES } from "./memory_scenes.ts";
import { NET_SCENES } from "./net_scenes.ts";
import type { Scenes } from "./scene.ts";
import { TASK_SCENES } from "./task_scenes.ts";

const ALL: Scenes = {
  ...IPC_SCENES,
  ...TASK_SCENES,
  ...FILE_SCENES,
  ...MEMORY_SCENES,
  ...NET_SCENES,
  ...LIMIT_SCENES,
};

const NAMES = Object.keys(ALL), GROUP = 10, SEEDS = isFull ? 500 : 1;

/** Builds scenes, copies their world, and looks at them in both. */
function compare(names: readonly string[]): void {
  const original = new World();
  let copy: World | null = null;
  try {
    const number = original.taskOf(0)?.id.numbers[0] ?? 0;
    const probes = names.map((name) => ALL[name]!(new ActingGuest(original, number).fork()));
    copy = original.copy(copyParts);
    for (const world of [original, copy]) world.interruptAll();
    assertAlike(original, copy);
    for (const [i, probe] of probes.entries()) {
      assertEquals(probe(copy), probe(original), names[i]);
    }
    assertAlike(original, copy);
    for (const world of [original, copy]) world.end();
    assertEquals(leftovers(copy), leftovers(original));
  } finally {
    original.close();
    copy?.close();
  }
}

function assertAlike(original: World, copy: World): void {
  assertEquals(violations(copy.kernel), []);
  assertEquals(kernelDifference(original.kernel, copy.kernel), null);
}

/** All scenes, in an order that the seed decides. */
function shuffled(seed: number): string[] {
  const chance = new Random(seed), left = [...NAMES];
  return NAMES.map(() => left.splice(chance.below(left.length), 1)[0]!);
}

Deno.test("odd states are the same in a copy, several in a world", () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const names = shuffled(seed);
    for (let at = 0; at < names.length; at += GROUP) compare(names.slice(at, at + GROUP));
  }
});

Deno.test({
  name: "odd states are the same in a copy, each alone",
  ignore: !isFull,
  async fn(t) {
    for (const name of NAMES) await t.step(name, () => compare([name]));
  },
});
