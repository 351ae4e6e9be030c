/** Sandboxes of the library that are saved in a file and go on from it. */

import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { Sandbox } from "../../mod.ts";
import { Connection } from "../../oci/library/connection.ts";
import { ChildTransport } from "../../oci/library/transport.ts";
import { PROTOCOL_VERSION } from "../../oci/protocol/session/frame.ts";
import type { CreateMessage } from "../../oci/protocol/session/messages.ts";
import { PLATFORM, ROOT } from "../harness/dvisor.ts";
import { isRoot, named, noUsers } from "../harness/machine.ts";

const BINARY = join(ROOT, "dist/dvisor"), SOON_MS = 10_000;
const COUNT = "i=0; while :; do i=$((i+1)); echo $i > /tmp/count; echo $i; sleep 0.02; done";

function newId(): string {
  return `test-${crypto.randomUUID().slice(0, 8)}`;
}

/** The number that the counting program has written last. */
async function countOf(box: Sandbox): Promise<number> {
  const { stdout } = await box.exec(["cat", "/tmp/count"]);
  return Number(new TextDecoder().decode(stdout));
}

/** Waits until a condition holds. */
async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + SOON_MS;
  while (!await holds()) {
    if (performance.now() > end) throw new Error(`${what}: it does not happen`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function countsOn(box: Sandbox): Promise<void> {
  const before = await countOf(box);
  await until("the program counts on", async () => await countOf(box) > before + 2);
}

async function checkpoint(id: string, directory: string, ...options: string[]): Promise<void> {
  const args = ["checkpoint", "--image-path", directory, ...options, id];
  const { code, stderr } = await new Deno.Command(BINARY, { args }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
}

/** Makes a sandbox of a snapshot, and connects to it. */
async function restore(directory: string): Promise<Sandbox> {
  const child = await ChildTransport.start(BINARY), id = newId();
  const hello: CreateMessage = {
    protocol: PROTOCOL_VERSION,
    id,
    persistent: true,
    platform: PLATFORM,
    restore: { path: `${directory}/dvisor.dvsnap` },
  };
  const { connection } = await Connection.open(child, hello);
  const box = await Sandbox.connect(id);
  connection.close("the test has connected");
  return box;
}

Deno.test({
  ...named(
    "library: a sandbox is saved and goes on, with its detached jobs",
    isRoot ? null : noUsers,
  ),
  async fn() {
    const directory = await Deno.makeTempDir({ prefix: "dvisor-snapshot-" }), id = newId();
    const create = { binary: BINARY, platform: PLATFORM, id, persistent: true };
    const box = await Sandbox.create(create), all = [box];
    try {
      await box.exec(["sh", "-c", "mkdir /tmp/kept; echo text > /tmp/kept/file"]);
      const job = await box.spawn(["sh", "-c", COUNT], { detached: true });
      await box.spawn(["sleep", "1000"]);
      await countsOn(box);
      await checkpoint(id, directory, "--leave-running");
      await countsOn(box);
      await checkpoint(id, directory);
      const isGone = async () => !(await Sandbox.list()).some((one) => one.id === id);
      await until("the sandbox ends", isGone);
      const again = await restore(directory);
      all.push(again);
      await countsOn(again);
      const { stdout } = await again.exec(["cat", "/tmp/kept/file"]);
      assertEquals(new TextDecoder().decode(stdout), "text\n");
      const jobs = await again.jobs();
      assertEquals(jobs.map(({ argv }) => argv), [["sh", "-c", COUNT]]);
      assert(job.pid > 0 && jobs[0]!.pid === job.pid);
      const next = await again.spawn(["true"]);
      await next.status;
    } finally {
      for (const one of all) await one.kill().catch(() => {});
      await Deno.remove(directory, { recursive: true });
    }
  },
});
