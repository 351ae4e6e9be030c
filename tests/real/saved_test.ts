/**
 * Real programs in containers that are saved and restored at random moments: each ends with the
 * code and the output of a native run. A full run has all scripts of `programs/` that leave the
 * system alone, saved more often.
 *
 * Neighbour: tests/oci/checkpoint_cases.ts (what a user sees of the commands).
 */

import { assertEquals } from "@std/assert";
import { describe, run } from "../harness/dvisor.ts";
import { isFull, lacks, named, noContainers } from "../harness/machine.ts";
import { becomeSubreaper, endAll, Lifecycle } from "../oci/lifecycle.ts";
import { environment, type Program, programs } from "./programs.ts";

/** Shells with many processes, threads and sockets, locks of files, a compiler. */
const SHORT: readonly string[] = ["bash", "python", "sqlite", "git", "gcc"];
const TIMES = isFull ? 6 : 2;
/** LIMIT: milliseconds that a program may take without a sign of its end. */
const DEADLINE_MS = isFull ? 1_200_000 : 240_000;
const TIMEOUT_S = DEADLINE_MS / 1000;
const KILLED = 137;

const CAPABILITIES = (
  "CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_ADMIN " +
  "SYS_CHROOT SYS_PTRACE SYS_ADMIN SYS_NICE SYS_RESOURCE MKNOD SETFCAP"
).split(" ").map((name) => `CAP_${name}`);

function whyNot({ name, needs, isApart }: Program): string | null {
  if (isApart) return "changes the system";
  if (!isFull && !SHORT.includes(name)) return "long; runs in test:full";
  return noContainers ?? lacks(needs);
}

/** A container over this machine's files, whose writes stay in memory. */
function prepare(t: Lifecycle, command: readonly string[], env: Record<string, string>): void {
  t.globals.push("--overlay=memory", "--quiet");
  const { config } = t, sets = ["bounding", "effective", "permitted"];
  config.root = { path: "/", readonly: false };
  config["hostname"] = Deno.hostname();
  Object.assign(config.process, {
    args: command,
    env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
    capabilities: Object.fromEntries(sets.map((set) => [set, CAPABILITIES])),
  });
  for (const destination of ["/dev/shm", "/dev/mqueue"]) {
    const type = destination === "/dev/shm" ? "tmpfs" : "mqueue";
    config.mounts.push({ destination, type, source: type });
  }
}

/** Saves the container and restores it; false if its first process has ended before. */
async function isMoved(t: Lifecycle, image: string): Promise<boolean> {
  const { pid } = t, result = await t.call("checkpoint", "--image-path", image, t.id);
  if (result.code !== 0) {
    if (await t.status() !== "stopped") throw new Error(describe(result));
    return false;
  }
  assertEquals(await t.reap(pid), KILLED);
  const args = ["--bundle", t.bundle.dir, "--pid-file", t.file("pid"), "--image-path", image];
  const { code } = await t.detached(["restore", "--detach", ...args, t.id]);
  assertEquals(code, 0, t.text("err"));
  await Deno.remove(image, { recursive: true });
  return true;
}

async function compare(program: Program): Promise<void> {
  const work = await Deno.makeTempDir({ prefix: "dvisor-saved-" }), t = new Lifecycle("dvisor");
  becomeSubreaper();
  const moments: number[] = [];
  try {
    const command = ["env", `HOME=${work}`, "bash", program.path], env = environment(work);
    prepare(t, command, env);
    await t.created();
    await t.must("start", t.id);
    while (moments.length < TIMES) {
      const ms = Math.round(Math.random() * 1000);
      moments.push(ms);
      await new Promise((resolve) => setTimeout(resolve, ms));
      if (!await isMoved(t, t.file("image"))) break;
    }
    const code = await t.reap(t.pid, DEADLINE_MS), out = t.text("out");
    assertEquals([...Deno.readDirSync(work)].map((e) => e.name), [], "writes reached the host");
    const native = await run(command, { timeoutS: TIMEOUT_S, env, clearEnv: true });
    const what = `saved ${moments.join(", ")} ms after the last start: ${t.text("err")}`;
    assertEquals(out, native.stdout, what);
    assertEquals(code, native.code, what);
  } finally {
    await endAll([t]);
    await Deno.remove(work, { recursive: true });
  }
}

for (const program of programs()) {
  Deno.test({
    ...named(`saved and restored: ${program.name}`, whyNot(program)),
    fn: () => compare(program),
  });
}
