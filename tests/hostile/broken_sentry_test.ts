/**
 * The host's side beside a broken Sentry: commands that ask it, the command that starts it, and the
 * proxies. Errors are messages, waits are bounded, no descriptor stays open, and no value is used
 * that makes no sense. The other direction is tests/fuzz/control_fuzz_test.ts, the Gofer's side
 * tests/gofer/fuzz_test.ts.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { close } from "../../ffi/sys/files.ts";
import { StartedSandbox } from "../../oci/launch/sandbox_processes.ts";
import {
  type BootSocket,
  controlPair,
  ControlSocket,
} from "../../oci/protocol/launcher_channel.ts";
import type { Op, Request } from "../../oci/protocol/control_protocol.ts";
import { askForFds } from "../../oci/container/control_client.ts";
import { ContainerDir } from "../../oci/state/store.ts";
import { UserError } from "../../oci/user_error.ts";
import { runCases } from "../harness/fuzz_run.ts";
import type { Random } from "../harness/seeded.ts";
import { sayBroken } from "./broken_sentry.ts";

const PARTS = 2;
/** Requests to one broken Sentry. */
const ROUNDS = 2000;
/** Of this process, whatever a broken Sentry sends. */
const GROWTH_MAX = 400 * 2 ** 20;

const REQUESTS: readonly Request[] = [
  { op: "state", id: "c" },
  { op: "ps", id: "c" },
  { op: "stats", id: "c" },
  { op: "debug", id: "c" },
  { op: "reserve", id: "c" },
  { op: "pause", id: "c" },
  { op: "resume", id: "c" },
  { op: "start", id: "c", hooks: [] },
  { op: "update", id: "c", limits: {} },
];

function openFiles(): string[] {
  return [...Deno.readDirSync("/proc/self/fd")].map((entry) => entry.name);
}

/** Throws unless the error is a message for people. */
function result<T>(act: () => T): T | null {
  try {
    return act();
  } catch (error) {
    if (error instanceof UserError) return null;
    throw new Error("no message for people", { cause: error });
  }
}

/** Each value that a command uses has the type that it expects. */
function assertSound(op: Op, answer: Record<string, unknown>): void {
  const { status, processes, stats, text } = answer, where = op;
  if (op === "state" || op === "resume") {
    assert(["created", "running", "paused", "stopped"].includes(String(status)), where);
  }
  if (op === "ps") {
    assert(Array.isArray(processes), where);
    for (const { pid, hostPid, command } of processes) {
      assert(Number.isInteger(pid) && Number.isInteger(hostPid), where);
      assertEquals(typeof command, "string", where);
    }
  }
  if (op === "stats") {
    assert(typeof stats === "object" && stats !== null, where);
    const limits = ["memoryMax", "tasksMax"];
    for (const [name, value] of Object.entries(stats)) {
      assert(Number.isFinite(value) || value === null && limits.includes(name), where);
    }
  }
  if (op === "debug") assertEquals(typeof text, "string", where);
}

/** A process that answers so many requests, when it listens. */
async function startBroken(root: string, seed: number): Promise<Deno.ChildProcess> {
  const program = fromFileUrl(new URL("broken_sentry.ts", import.meta.url));
  const args = ["run", "-A", "--no-lock", "--no-check", program, root, ROUNDS, seed].map(String);
  const child = new Deno.Command(Deno.execPath(), { args, stdout: "piped" }).spawn();
  const lines = child.stdout.getReader();
  await lines.read();
  await lines.cancel();
  return child;
}

async function askBroken(random: Random): Promise<void> {
  const root = Deno.makeTempDirSync(), dir = new ContainerDir(root, "c");
  Deno.mkdirSync(dir.path);
  const sentry = await startBroken(root, random.below(2 ** 31));
  try {
    const memory = Deno.memoryUsage().rss, files = openFiles();
    let answered = 0;
    for (let i = 0; i < ROUNDS; i++) {
      const request = random.pick(REQUESTS);
      const got = result(() => askForFds(dir, request, [], 10_000));
      if (got === null) continue;
      answered++;
      assert(got.fds.length <= 1, `${got.fds.length} descriptors`);
      got.fds.forEach(close);
      assertSound(request.op, { ...got.answer });
    }
    assert(answered > ROUNDS / 100, `${answered} answers made sense`);
    assertEquals(openFiles(), files);
    const grown = Deno.memoryUsage().rss - memory;
    assert(grown < GROWTH_MAX, `${grown} bytes more`);
    assertEquals((await sentry.status).code, 0);
  } finally {
    if (await Promise.race([sentry.status, null]) === null) sentry.kill("SIGKILL");
    await sentry.status;
    Deno.removeSync(root, { recursive: true });
  }
}

Deno.test("asking a broken Sentry fails with a message, and keeps nothing", async () => {
  await runCases("sentry", { ci: 1, full: 20, parts: PARTS }, askBroken);
});

/** A child that does not exist. */
const STRICT = { requireSandbox: true, isQuiet: true };
const NO_CHILD = { pid: 0x3fffffff, pidfd: -1, level: "none", problems: [], weaker: null } as const;
const GOOD_STEPS = [
  { type: "ready", bestPlatform: "systrap" },
  { type: "loaded" },
  { type: "running" },
  { type: "failed", error: { code: "NotFound", message: "no such file" }, exitCode: 127 },
] as const;

function loadBroken(random: Random): void {
  const { launcher, bootFd } = controlPair();
  const sandbox = new StartedSandbox(launcher, NO_CHILD, NO_CHILD, STRICT, null);
  for (let step = random.below(3); step >= 0; step--) {
    sayBroken(bootFd, random.pick(GOOD_STEPS), random);
  }
  close(bootFd);
  for (const act of [() => sandbox.load(), () => sandbox.release(), () => sandbox.confine()]) {
    result(act);
  }
  launcher.close();
}

Deno.test("starting a broken Sentry fails with a message, and keeps nothing", async () => {
  const files = openFiles();
  await runCases("sentry, start", { ci: 500, full: 20_000, parts: PARTS }, loadBroken);
  assertEquals(openFiles(), files);
});

Deno.test("a kernel's message is an error's text, however long it is", () => {
  const { launcher, bootFd } = controlPair();
  const boot: BootSocket = new ControlSocket(bootFd);
  boot.send({
    type: "failed",
    error: { code: "Failed", message: "x".repeat(50_000) },
    exitCode: 3,
  });
  boot.send({ type: "loaded" });
  const sandbox = new StartedSandbox(launcher, NO_CHILD, NO_CHILD, STRICT, null);
  const error = assertThrows(() => sandbox.load(), UserError, "xxx");
  assertEquals([error.message.length, error.exitCode], [4096, 3]);
  assertThrows(() => sandbox.release(), UserError, "says loaded in place of running");
  boot.close();
  launcher.close();
});
