/**
 * Fifty containers through Docker, eight at a time: what the daemons hold afterwards is what they
 * held before.
 */

import { assertEquals } from "@std/assert";
import { named } from "../harness/machine.ts";
import { eventually } from "../harness/processes.ts";
import { BUSYBOX_IMAGE, groupsBelow, importBusybox } from "./lib/busybox_image.ts";
import { removeGroups } from "../oci/crash_world.ts";
import { Docker, noFullDocker } from "./lib/docker.ts";

const CONTAINERS = 50, WIDTH = 8;
const SCRIPT = 'trap "exit 7" TERM; echo >/up; while :; do sleep 0.05; done';
/**
 * Descriptors that daemons may have more: connections that they keep for a while. A leak would be
 * one a container.
 */
const FDS_MORE = 16;
/** LIMIT: how long daemons may take to free what has ended. */
const REST_MS = 20_000;

/** What the daemons hold, as numbers. */
interface Held {
  readonly processes: number;
  readonly fds: number;
  readonly mounts: number;
  readonly groups: number;
  readonly records: number;
}

async function held(docker: Docker, cgroup: string): Promise<Held> {
  const pids = docker.processes();
  const mounts = await docker.namespaces.run(["cat", "/proc/self/mountinfo"]);
  return {
    processes: pids.length,
    fds: pids.reduce((sum, pid) => sum + [...Deno.readDirSync(`/proc/${pid}/fd`)].length, 0),
    mounts: mounts.stdout.split("\n").length,
    groups: groupsBelow(cgroup).length,
    records: docker.records().length,
  };
}

/** Makes, uses and removes one container. */
async function live(docker: Docker, name: string): Promise<void> {
  await docker.must("run", "-d", "--name", name, BUSYBOX_IMAGE, "sh", "-c", SCRIPT);
  const use = `until [ -e /up ]; do sleep 0.05; done; echo ${name} >/file; cat /file`;
  assertEquals(await docker.must("exec", name, "sh", "-c", use), name);
  await docker.must("stop", "-t", "60", name);
  assertEquals(await docker.inspect(name, ".State.ExitCode"), "7");
  await docker.must("rm", name);
}

async function round(docker: Docker, from: number, count: number): Promise<void> {
  let next = from;
  const workers = Array.from({ length: WIDTH }, async () => {
    while (next < from + count) await live(docker, `soak-${next++}`);
  });
  await Promise.all(workers);
}

Deno.test({
  ...named(`${CONTAINERS} containers through Docker leave nothing`, noFullDocker),
  fn: async () => {
    const cgroup = `/dvisor-soak-${crypto.randomUUID().slice(0, 8)}`;
    try {
      await using docker = await Docker.start({ settings: { "cgroup-parent": cgroup } });
      await importBusybox(docker);
      // After this, daemons have all that they make once.
      await round(docker, 0, WIDTH);
      await eventually(() => docker.records().length === 0, REST_MS);
      const before = await held(docker, cgroup);
      await round(docker, WIDTH, CONTAINERS);
      let after = await held(docker, cgroup);
      const isAsBefore = () =>
        after.processes <= before.processes && after.fds <= before.fds + FDS_MORE &&
        after.mounts <= before.mounts && after.groups === 0 && after.records === 0;
      for (const end = performance.now() + REST_MS; !isAsBefore() && performance.now() < end;) {
        await new Promise((done) => setTimeout(done, 500));
        after = await held(docker, cgroup);
      }
      console.log(`before ${JSON.stringify(before)}, after ${JSON.stringify(after)}`);
      assertEquals(
        isAsBefore(),
        true,
        `before ${JSON.stringify(before)}, after ${JSON.stringify(after)}`,
      );
    } finally {
      removeGroups(cgroup);
    }
  },
});
