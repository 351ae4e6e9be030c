/** Scenes of limits: jobs, containers with a memory limit, and frames that are charged to both. */

import { Job } from "../../../kernel/job/job.ts";
import type { World } from "../../fuzz/kernel/world.ts";
import type { ActingGuest } from "./acting_guest.ts";
import type { Scenes } from "./scene.ts";

const PAGE = 4096, PAGES = 40, SECOND_NS = 1_000_000_000, MIB = 1 << 20;
const LIMITS = {
  wallNs: 50 * SECOND_NS,
  cpuNs: 40 * SECOND_NS,
  memoryBytes: 8 * MIB,
  tasks: 3,
  cpus: 1,
};

/** A child that is the main process of a job. */
function startJob(guest: ActingGuest): ActingGuest {
  const child = guest.fork(), { process } = child, { container } = process;
  if (container === null) throw new Error("no container");
  const job = new Job(guest.world.kernel, container, LIMITS, {
    onOomKill() {},
    onMainEnd() {},
    onJobEnd() {},
  });
  // A listener is of the boot process, which a copy lacks.
  Object.assign(job, { listener: null });
  guest.process.children.delete(process);
  Object.assign(process, { parent: null, job });
  job.tasks++;
  job.start(process);
  // It measures for a time of the host's clock.
  Reflect.get(job.memory, "sampler").end();
  return child;
}

/** Memory with contents. */
function fill(guest: ActingGuest): number {
  const at = guest.must("mmap", 0, PAGES * PAGE, 3, 0x22, -1, 0);
  guest.store(at, new Uint8Array(PAGES * PAGE).fill(1));
  return at;
}

/** The pages that are charged to a job and to its container. */
function charged({ process: { job, container } }: ActingGuest): readonly [number, number] {
  return [job?.memory.chargedPages ?? 0, container?.memory?.chargedPages ?? 0];
}

/** The pages that are given back while `act` runs: others than those that only are reserved. */
function givenBack(guest: ActingGuest, act: () => void): unknown {
  const before = charged(guest);
  act();
  return charged(guest).map((pages, i) => before[i]! - pages);
}

export const LIMIT_SCENES: Scenes = {
  "a job in a container with a limit, and pages that are charged to both": (guest) => {
    const { world } = guest, [container] = world.containers;
    world.kernel.oom.limit(container!, 24 * MIB);
    const main = startJob(guest), other = main.fork(), first = fill(main);
    main.must("mkdirat", -100, "/cgroup/job", 0o755);
    main.writeFile("/cgroup/cgroup.subtree_control", "+memory");
    main.writeFile("/cgroup/job/cgroup.procs", "0");
    const second = fill(main);
    return (copy: World) => {
      const m = main.in(copy), seen: unknown[] = [];
      for (const at of [first, second]) {
        seen.push(givenBack(m, () => m.call("munmap", at, PAGES * PAGE)));
      }
      other.in(copy).call("exit_group", 0);
      copy.pass(20 * SECOND_NS);
      seen.push(m.process.job?.tasks);
      seen.push(m.call("clone", 17, 0, 0, 0, 0), m.call("clone", 17, 0, 0, 0, 0));
      seen.push(m.call("clone", 17, 0, 0, 0, 0));
      copy.pass(40 * SECOND_NS);
      return [...seen, m.state];
    };
  },
};
