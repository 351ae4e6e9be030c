/** `docker checkpoint` and `docker start --checkpoint`, which a daemon with experiments has. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe } from "../harness/dvisor.ts";
import { named } from "../harness/machine.ts";
import { eventually } from "../harness/processes.ts";
import { BUSYBOX_IMAGE, groupsBelow, importBusybox } from "./lib/busybox_image.ts";
import { removeGroups } from "../oci/crash_world.ts";
import { Docker, noFullDocker } from "./lib/docker.ts";

const NAME = "web";
const COUNT = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done";
const SOON_MS = 20_000;

/** The numbers that the container has printed: each once, in order. */
async function counted(docker: Docker): Promise<number> {
  const lines = (await docker.must("logs", NAME)).split("\n").filter(Boolean).map(Number);
  assertEquals(lines, lines.map((_, i) => i + 1));
  return lines.length;
}

async function countsTo(docker: Docker, number: number): Promise<void> {
  let last = 0;
  const end = performance.now() + SOON_MS;
  while (last < number && performance.now() < end) last = await counted(docker);
  assert(last >= number, `it stands at ${last}`);
}

Deno.test({
  ...named("docker: a container goes on from its checkpoint, several times", noFullDocker),
  async fn(t) {
    const cgroup = `/dvisor-docker-checkpoint-${Deno.pid}`;
    await using docker = await Docker.start({
      settings: { experimental: true, "cgroup-parent": cgroup },
    });
    await importBusybox(docker);
    await docker.must("run", "-d", "--name", NAME, BUSYBOX_IMAGE, "sh", "-c", COUNT);
    await countsTo(docker, 3);
    await t.step("left running, it goes on", async () => {
      await docker.must("checkpoint", "create", "--leave-running", NAME, "early");
      assertEquals(await docker.inspect(NAME, ".State.Status"), "running");
      await countsTo(docker, await counted(docker) + 3);
    });
    await t.step("saved, it ends, and goes on where it stood", async () => {
      await docker.must("checkpoint", "create", NAME, "late");
      const hasEnded = async () => await docker.inspect(NAME, ".State.Status") === "exited";
      for (let i = 0; i < 100 && !await hasEnded(); i++) await pause();
      assertEquals(await docker.inspect(NAME, ".State.ExitCode"), "137");
      const before = await counted(docker);
      await docker.must("start", "--checkpoint", "late", NAME);
      await countsTo(docker, before + 3);
      assertEquals(await docker.must("exec", NAME, "echo", "alive"), "alive");
    });
    await t.step("checkpoints are listed and removed", async () => {
      assertMatch(await docker.must("checkpoint", "ls", NAME), /early[\s\S]*late/);
      await docker.must("checkpoint", "rm", NAME, "late");
      await docker.must("kill", NAME);
      const missing = await docker.run(["start", "--checkpoint", "late", NAME]);
      assert(missing.code !== 0, describe(missing));
    });
    await t.step("an earlier checkpoint is taken again", async () => {
      await docker.must("start", "--checkpoint", "early", NAME);
      await docker.must("exec", NAME, "echo", "alive");
    });
    assertEquals(await docker.clear(), []);
    assert(await eventually(() => groupsBelow(cgroup).length === 0, SOON_MS));
    removeGroups(cgroup);
  },
});

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 50));
}
