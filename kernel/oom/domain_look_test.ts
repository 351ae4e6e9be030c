import { assert, assertEquals } from "@std/assert";
import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { LabKernel } from "../testing/task_lab.ts";
import type { FrameRun } from "./frame_runs.ts";
import type { MemoryDomain } from "./oom_killer.ts";
import { type FrameSource, KnownFrames } from "./resident_count.ts";

const PIECES = 40, RUNS = 100, TURN_NS = 2e6;

/** As many runs, each of the same page. */
class ManyRuns implements FrameSource {
  private left: number = PIECES;
  private readonly page: number;

  constructor(page: number) {
    this.page = page;
  }

  nextRuns(): readonly FrameRun[] | null {
    if (this.left-- === 0) return null;
    return Array.from({ length: RUNS }, () => ({ start: this.page, end: this.page + 1 }));
  }
}

/** The checks until a process was killed, none of them long by the host's clock. */
function checksToKill(lab: LabKernel): number {
  let checks = 0;
  for (; lab.oom.kills === 0 && checks < PIECES * RUNS; checks++) {
    const startNs = lab.host.nowNs;
    lab.oom.check(1e9 + checks);
    assert(lab.host.nowNs - startNs < TURN_NS, "a long turn");
    if (lab.oom.kills === 0) assertEquals(lab.oom.isLooking, true);
  }
  return checks;
}

Deno.test("a domain with many runs of frames is measured in several turns", () => {
  const lab = new LabKernel(), { group } = lab.start();
  const { arena, bounce } = lab.memory, page = (bounce - arena.base) / PAGE_SIZE;
  arena.words[(bounce - arena.base) / 4] = 1;
  const domain: MemoryDomain = {
    memoryMax: PIECES * RUNS * PAGE_SIZE - 1,
    has: (process) => process === group,
    frames: () => new ManyRuns(page),
  };
  lab.oom.watch(domain);
  assert(checksToKill(lab) > 4);
  assertEquals(group.isExiting, true);
  lab.close();
});

Deno.test("the search for victims in many domains without processes is cut into turns", () => {
  const lab = new LabKernel(), { arena, bounce } = lab.memory;
  lab.start();
  const page = (bounce - arena.base) / PAGE_SIZE, domains = 2000;
  arena.words[(bounce - arena.base) / 4] = 1;
  let looks = 0, most = 0;
  const has = () => (looks++, false);
  const frames = () => new KnownFrames([{ start: page, end: page + 1 }]);
  for (let i = 0; i < domains; i++) lab.oom.watch({ memoryMax: 0, has, frames });
  for (let i = 0; i < domains && (i === 0 || lab.oom.isLooking); i++) {
    const before = looks;
    lab.oom.check(1e9);
    most = Math.max(most, looks - before);
  }
  assertEquals([lab.oom.isLooking, looks], [false, domains]);
  assert(most < domains / 2, `${most} processes in a turn`);
  lab.close();
});

Deno.test("a domain that goes away while it is measured has no victim", () => {
  const lab = new LabKernel(), { group } = lab.start();
  const domain: MemoryDomain = { memoryMax: 0, has: () => true, frames: () => new ManyRuns(0) };
  lab.oom.watch(domain);
  lab.oom.check(1e9);
  assertEquals(lab.oom.isLooking, true);
  lab.oom.limited.delete(domain);
  for (let i = 0; i < PIECES * RUNS && lab.oom.isLooking; i++) lab.oom.check(1e9);
  assertEquals([lab.oom.isLooking, lab.oom.kills, group.isExiting], [false, 0, false]);
  lab.close();
});
