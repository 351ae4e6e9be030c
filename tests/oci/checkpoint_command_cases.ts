/**
 * The commands that save containers and restore them: what they leave on the host, how they fail,
 * and what clients give them. CRIU cannot save the files of the host that tests give as standard
 * streams, so runc is not asked. Not a test. Neighbour: checkpoint_cases.ts (what is saved).
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe } from "../harness/dvisor.ts";
import { alive, eventually } from "../harness/processes.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { LifecycleCase } from "./lifecycle_cases.ts";

const notRunc = "CRIU saves no files of the host as standard streams";
const SOON_MS = 10_000;

/** Counts lines, and ends with 9 when it is asked to. */
const COUNT = 'trap "exit 9" TERM; i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done';

/** The directory of the checkpoint. */
const imageOf = (t: Lifecycle) => t.file("image");

/** A counter that has counted a little. */
async function counting(t: Lifecycle): Promise<void> {
  await t.running(COUNT);
  await t.until("3\n");
}

async function checkpoint(t: Lifecycle, ...options: string[]): Promise<void> {
  await t.must("checkpoint", "--image-path", imageOf(t), ...options, t.id);
  if (!options.includes("--leave-running")) assertEquals(await t.reap(), 137);
}

async function restore(t: Lifecycle, ...options: string[]): Promise<void> {
  t.bundle.write(t.config);
  const args = ["--bundle", t.bundle.dir, "--image-path", imageOf(t), "--pid-file", t.file("pid")];
  const result = await t.detached(["restore", "--detach", ...args, ...options, t.id]);
  if (result.code !== 0) throw new Error(`restore: ${result.code}: ${t.text("err")}`);
}

/** The numbers that the container has printed: each once, in order. */
function counted(t: Lifecycle): number {
  const lines = t.text("out").split("\n").slice(0, -1).map(Number);
  assertEquals(lines, lines.map((_, i) => i + 1));
  return lines.length;
}

/** Waits until the counter counts on. */
async function countsOn(t: Lifecycle): Promise<void> {
  const before = counted(t);
  assert(await eventually(() => counted(t) > before + 2, SOON_MS), `it stands at ${before}`);
}

async function fails(t: Lifecycle, message: RegExp, ...args: string[]): Promise<void> {
  const result = await t.call(...args);
  assertEquals(result.code, 1, describe(result));
  assertMatch(result.stderr, message);
}

/** Restoring fails, and leaves nothing. */
async function restoreFails(t: Lifecycle, message: RegExp): Promise<void> {
  t.bundle.write(t.config);
  const args = ["--bundle", t.bundle.dir, "--image-path", imageOf(t)];
  await fails(t, message, "restore", "--detach", ...args, t.id);
  assertEquals(t.containers(), []);
}

const filesOf = (path: string) => [...Deno.readDirSync(path)].map(({ name }) => name).sort();

function record(t: Lifecycle): { sentry: { pid: number }; gofer: { pid: number } } {
  return JSON.parse(Deno.readTextFileSync(`${t.root}/${t.id}/state.json`));
}

/** A file that is mounted on `destination`. */
function volume(t: Lifecycle, name: string, destination: string): object {
  Deno.writeTextFileSync(t.file(name), `${name}\n`);
  return { destination, type: "bind", source: t.file(name), options: ["bind"] };
}

const DONE: readonly LifecycleCase[] = [
  {
    name: "a saved container leaves nothing on the host but two files, and is one as before",
    notRunc,
    async run(t) {
      t.config.linux["cgroupsPath"] = `/dvisor-test/${t.id}`;
      await counting(t);
      const { sentry, gofer } = record(t);
      await checkpoint(t, "--work-path", t.file("work"));
      assertEquals([t.containers(), alive([sentry.pid, gofer.pid])], [[], []]);
      assertEquals(filesOf(imageOf(t)), ["dvisor.dvsnap", "inventory.img"]);
      assertMatch(t.text("work/dump.log"), /^saved \d+ bytes in \d+ ms\n$/);
      const groups = new Deno.Command("find", { args: ["/sys/fs/cgroup", "-name", t.id] });
      assertEquals(new TextDecoder().decode(groups.outputSync().stdout), "");
      await restore(t, "--work-path", t.file("work"));
      assertMatch(t.text("work/restore.log"), /^restored in \d+ ms\n$/);
      const { status, pid } = await t.state();
      assertEquals([status, pid], ["running", t.pid]);
      await countsOn(t);
      assertEquals(await t.must("exec", t.id, "echo", "alive"), "alive\n");
      await t.must("kill", t.id, "TERM");
      assertEquals(await t.reap(), 9);
      assertEquals(await t.status(), "stopped");
      await t.must("delete", t.id);
    },
  },
  {
    name: "it is saved before another one as with --pre-dump, and compressed",
    notRunc,
    async run(t) {
      await counting(t);
      await t.must("checkpoint", "--pre-dump", "--image-path", t.file("before"), t.id);
      await countsOn(t);
      await checkpoint(t, "--parent-path", "../before", "--compression", "3");
      await restore(t);
      await countsOn(t);
    },
  },
  {
    name: "it is saved in one file, that a container goes on from",
    notRunc,
    async run(t) {
      const file = t.file("saved.dvsnap"), bundle = ["--bundle", t.bundle.dir];
      await counting(t);
      await fails(t, /contradict/, "checkpoint", "--image-file", file, "--image-path", "a", t.id);
      await fails(t, /null is no regular file/, "checkpoint", "--image-file", "/dev/null", t.id);
      await fails(t, /no sandbox of a library/, "checkpoint", "--snapshot", "1", t.id);
      await t.must("checkpoint", "--image-file", file, t.id);
      assertEquals(await t.reap(), 137);
      t.bundle.write(t.config);
      const args = ["restore", "--detach", ...bundle, "--pid-file", t.file("pid")];
      await fails(t, /cannot open .*no such file/, ...args, "--image-file", `${file}.no`, t.id);
      const result = await t.detached([...args, "--image-file", file, t.id]);
      assertEquals(result.code, 0, t.text("err"));
      await countsOn(t);
    },
  },
  {
    name: "restore in the foreground waits for the end, and removes the container",
    notRunc,
    async run(t) {
      await t.running("echo up; while [ ! -e /go ]; do sleep 0.02; done; echo went; exit 7");
      await t.until("up");
      await checkpoint(t);
      Deno.writeTextFileSync(`${t.bundle.root}/go`, "");
      const args = ["restore", "--bundle", t.bundle.dir, "--image-path", imageOf(t)];
      const result = await t.call(...args, t.id);
      assertEquals([result.code, result.stdout, result.stderr], [7, "went\n", ""]);
      assertEquals(t.containers(), []);
    },
  },
  {
    name: "hooks of the host run at the restore, and poststop when it is saved",
    notRunc,
    async run(t) {
      const hook = (name: string) => {
        const args = ["sh", "-c", `cat >/dev/null; echo ${name} >>${t.file("hooks")}`];
        return [{ path: "/bin/sh", args, env: ["PATH=/usr/bin:/bin"] }];
      };
      const names = ["prestart", "createRuntime", "createContainer", "poststart", "poststop"];
      t.config["hooks"] = Object.fromEntries(names.map((name) => [name, hook(name)]));
      await counting(t);
      const lines = () => t.text("hooks").trim().split("\n");
      assertEquals(lines(), names.slice(0, 4));
      await checkpoint(t);
      assertEquals(lines(), names);
      await restore(t);
      assertEquals(lines().slice(names.length), ["prestart", "createRuntime"]);
    },
  },
  {
    name: "volumes are found by their places, also in another order; mount points are made",
    notRunc,
    async run(t) {
      const volumes = [volume(t, "one", "/v/1"), volume(t, "two", "/v/2")], { mounts } = t.config;
      t.config.mounts = [...mounts, ...volumes];
      await t.running(
        "exec 3</v/1; echo up; while [ ! -e /go ]; do sleep 0.02; done; cat <&3; cat /v/2; sleep 1000",
      );
      await t.until("up");
      await checkpoint(t);
      t.config.mounts = [...volumes.toReversed(), ...mounts];
      Deno.removeSync(`${t.bundle.root}/v`, { recursive: true });
      await restore(t);
      Deno.writeTextFileSync(`${t.bundle.root}/go`, "");
      await t.until("two\n");
      assertEquals(t.text("out"), "up\none\ntwo\n");
    },
  },
];

const REFUSED: readonly LifecycleCase[] = [
  {
    name: "a container that does not run is not saved",
    notRunc,
    async run(t) {
      await t.script("exit 0").created();
      const args = ["checkpoint", "--image-path", imageOf(t), t.id];
      await fails(t, /cannot be saved in the created state/, ...args);
      await t.must("start", t.id);
      await t.reap();
      await fails(t, /cannot be saved in the stopped state/, ...args);
      await t.must("delete", t.id);
      await fails(t, /container does not exist/, ...args);
      assert(!filesOf(t.bundle.dir).includes("image"));
    },
  },
  {
    name: "a directory without a checkpoint, or an id that is taken: no container is made",
    notRunc,
    async run(t) {
      await counting(t);
      await checkpoint(t, "--leave-running");
      const args = ["--bundle", t.bundle.dir, "--image-path", imageOf(t)];
      await fails(t, /already exists/, "restore", "--detach", ...args, t.id);
      await countsOn(t);
      await checkpoint(t);
      const path = `${imageOf(t)}/dvisor.dvsnap`;
      Deno.writeTextFileSync(path, "nothing ".repeat(50));
      await restoreFails(t, /no snapshot/);
      Deno.removeSync(path);
      await restoreFails(t, /has no checkpoint of dvisor/);
      Deno.removeSync(imageOf(t), { recursive: true });
      await restoreFails(t, /no such file or directory/);
    },
  },
  {
    name: "a volume that config.json does not have any more is an error that names it",
    notRunc,
    async run(t) {
      const { mounts } = t.config;
      t.config.mounts = [...mounts, volume(t, "one", "/v/1")];
      await counting(t);
      await checkpoint(t);
      t.config.mounts = mounts;
      await restoreFails(t, /\/v\/1/);
    },
  },
  {
    name: "a container with --overlay=file is not saved, and goes on",
    notRunc,
    async run(t) {
      t.globals.push(`--overlay=file:${t.bundle.dir}`);
      await counting(t);
      await fails(t, /--overlay=file/, "checkpoint", "--image-path", imageOf(t), t.id);
      await countsOn(t);
    },
  },
  {
    name: "the command is interrupted while it saves: the container goes on, nothing is left",
    notRunc,
    async run(t) {
      await t.running(`dd if=/dev/urandom of=/dev/big bs=1M count=48 2>/dev/null; ${COUNT}`);
      await t.until("3\n");
      const argv = t.argv("checkpoint", "--compression", "19", "--image-path", imageOf(t), t.id);
      const child = new Deno.Command(argv[0] ?? "", {
        args: argv.slice(1),
        stdin: "null",
        stdout: "null",
        stderr: "piped",
      }).spawn();
      assert(await eventually(() => filesOf(t.bundle.dir).includes("image"), SOON_MS));
      child.kill("SIGTERM");
      const { code, stderr } = await child.output();
      assertEquals(code, 1);
      assertMatch(new TextDecoder().decode(stderr), /interrupted by SIGTERM/);
      assert(!filesOf(t.bundle.dir).includes("image"));
      await countsOn(t);
    },
  },
  {
    name: "the command is killed at some moment: the container goes on, or is saved",
    notRunc,
    async run(t) {
      await counting(t);
      for (const ms of [5, 15, 25, 35, 45, 55, 65, 80, 95, 110]) {
        const argv = t.argv("checkpoint", "--leave-running", "--image-path", imageOf(t), t.id);
        const child = new Deno.Command(argv[0] ?? "", {
          args: argv.slice(1),
          stdin: "null",
          stdout: "null",
          stderr: "null",
        }).spawn();
        await new Promise((resolve) => setTimeout(resolve, ms));
        try {
          child.kill("SIGKILL");
        } catch {
          // The command has ended before.
        }
        await child.status;
        await countsOn(t);
      }
      await checkpoint(t);
      // A command that is killed while it replaces a snapshot may leave a second name.
      const names = filesOf(imageOf(t)).filter((name) => !name.startsWith("dvisor.dvsnap."));
      assertEquals(names, ["dvisor.dvsnap", "inventory.img"]);
      await restore(t);
      await countsOn(t);
    },
  },
];

export const COMMAND_CASES: readonly LifecycleCase[] = [...DONE, ...REFUSED];
