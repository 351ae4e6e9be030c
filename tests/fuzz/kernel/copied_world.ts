/**
 * Makes a copy of a world by a snapshot: its kernel is encoded and decoded, on a machine of its
 * own.
 */

import { Arena } from "../../../ffi/mem/arena.ts";
import { kernelTable } from "../../../kernel/snapshot/anchors/kernel_table.ts";
import { encodeWorld } from "../../../kernel/snapshot/world_image.ts";
import { FakePlatform, FakeSpace } from "../../../kernel/testing/fake_platform.ts";
import { IoHost } from "../../../kernel/testing/io_host.ts";
import { FakeContext } from "../../../kernel/testing/task_lab.ts";
import { decodeOn } from "../../sim/decode_on.ts";
import { Machine, type WorldParts } from "./world_parts.ts";

const TABLE = kernelTable({
  host: IoHost,
  platforms: [FakePlatform],
  arena: Arena,
  spaces: [FakeSpace],
  contexts: [FakeContext],
});

/** What the world itself knows of its kernel, which is copied with it. */
type Inhabitants = Pick<WorldParts, "init" | "containers" | "actors">;

/** The world has come to rest. The copy goes on as the original does. */
export function copyParts(original: WorldParts): WorldParts {
  const { init, containers, actors, countsAtStart } = original, { nowNs } = original.machine.host;
  const machine = new Machine(), { arena, host, platform } = machine;
  const inhabitants: Inhabitants = { init, containers, actors };
  // As between two turns of the loop.
  original.kernel.current = null;
  const root = { kernel: original.kernel, guests: [inhabitants] };
  const image = encodeWorld(root, TABLE, { isThorough: true });
  Object.assign(host, { nowNs, seed: Reflect.get(original.machine.host, "seed") });
  const copy = decodeOn({ host, platform, arena }, image, TABLE, original.machine.arena);
  original.kernel.loop.restartClock();
  Object.assign(host, { nowNs: original.machine.host.nowNs, monotonicOffsetNs: 0 });
  for (const [number, task] of original.kernel.pids.tasks) {
    const other = copy.kernel.pids.tasks.get(number);
    if (!(task.ctx instanceof FakeContext && other?.ctx instanceof FakeContext)) continue;
    other.ctx.isRunning = task.ctx.isRunning;
  }
  const [inhabited] = copy.guests as readonly Inhabitants[];
  return { ...inhabited!, kernel: copy.kernel, machine, countsAtStart };
}
