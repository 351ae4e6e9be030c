/**
 * Containers that are saved in a file and go on from it. runc needs CRIU for that, so it is not
 * asked. Not a test. Neighbour: tests/real/saved_test.ts (programs that are saved).
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { MFD_CLOEXEC, O_CLOEXEC } from "../../ffi/abi/fcntl.ts";
import { SIGKILL } from "../../ffi/abi/signal.ts";
import { close, memfdCreate, pipe } from "../../ffi/sys/files.ts";
import { ask } from "../../oci/container/control_client.ts";
import { StateStore } from "../../oci/state/store.ts";
import { describe, type Finished } from "../harness/dvisor.ts";
import { alive, eventually } from "../harness/processes.ts";
import { ConsoleSocket, withConsole } from "./console_cases.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { LifecycleCase } from "./lifecycle_cases.ts";

const NOT_RUNC = "it needs CRIU";
const KILLED = 128 + SIGKILL;
const SOON_MS = 10_000;

/** Counts for ever. */
const COUNT = "i=0; echo up; while :; do i=$((i+1)); echo $i; sleep 0.02; done";

function image(t: Lifecycle): string {
  return t.file("image");
}

function checkpoint(t: Lifecycle, ...options: string[]): Promise<Finished> {
  return t.call("checkpoint", "--image-path", image(t), ...options, t.id);
}

/** Saves the container, whose first process ends by that. */
async function taken(t: Lifecycle): Promise<void> {
  const { pid } = t, result = await checkpoint(t);
  assertEquals(result.code, 0, describe(result));
  assertEquals(await t.reap(pid), KILLED);
  assertEquals(t.containers(), []);
}

function restore(t: Lifecycle, ...options: string[]): Promise<Finished> {
  t.bundle.write(t.config);
  const args = ["restore", "--detach", "--bundle", t.bundle.dir, "--pid-file", t.file("pid")];
  return t.detached([...args, "--image-path", image(t), ...options, t.id]);
}

async function restored(t: Lifecycle, ...options: string[]): Promise<void> {
  const result = await restore(t, ...options);
  assertEquals(result.code, 0, t.text("err"));
}

/** "" if the file is not there. */
function textOf(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

/** The numbers that the container has printed. */
function numbers(t: Lifecycle): number[] {
  return t.text("out").trim().split("\n").filter((line) => /^\d+$/.test(line)).map(Number);
}

async function counts(t: Lifecycle, atLeast: number): Promise<void> {
  assert(await eventually(() => numbers(t).length >= atLeast, SOON_MS), t.text("out"));
}

async function isRefused(t: Lifecycle, message: RegExp, ...options: string[]): Promise<void> {
  const result = await restore(t, ...options);
  assert(result.code !== 0);
  assertMatch(t.text("err"), message);
  assertEquals(t.containers(), []);
  await Deno.remove(t.file("err"));
}

export const CHECKPOINT_CASES: readonly LifecycleCase[] = [
  {
    name: "a saved container ends, and goes on where it was",
    notRunc: NOT_RUNC,
    async run(t) {
      await t.running(COUNT);
      await counts(t, 3);
      await taken(t);
      const before = numbers(t).length;
      await restored(t);
      assertEquals(await t.status(), "running");
      await counts(t, before + 5);
      // No number is missing, and none comes twice.
      assertEquals(numbers(t), numbers(t).map((_, i) => i + 1));
      await t.must("kill", t.id, "KILL");
      assertEquals(await t.reap(), KILLED);
    },
  },
  {
    name: "a container that is left running goes on, and so does one that is made of it",
    notRunc: NOT_RUNC,
    async run(t) {
      await t.running(COUNT);
      await counts(t, 3);
      const result = await checkpoint(t, "--leave-running");
      assertEquals(result.code, 0, describe(result));
      const before = numbers(t).length;
      await counts(t, before + 3);
      assertEquals(numbers(t), numbers(t).map((_, i) => i + 1));
      await t.must("kill", t.id, "KILL");
      assertEquals(await t.reap(), KILLED);
      await t.must("delete", t.id);
      await Deno.remove(t.file("out"));
      await restored(t);
      await counts(t, 3);
      const [first = 0] = numbers(t);
      assert(first > 3 && first <= before + 1, `${first} after ${before}`);
    },
  },
  {
    name: "pipes, children, files, signals, time and memory are as they were",
    notRunc: NOT_RUNC,
    async run(t) {
      t.config.mounts.push({ destination: "/tmp", type: "tmpfs", source: "tmpfs" });
      await t.running(`
        cd /tmp; mkdir d; echo kept > d/file; exec 3<d/file; rm d/file; mkfifo p
        big=$(seq 1 20000); trap 'echo got-usr1' USR1
        (while read line; do echo "child $line"; done < p; echo child-end) & exec 4>p
        echo up; i=0
        while [ ! -e /go ]; do i=$((i+1)); sleep 0.05; done
        read text <&3; echo "text $text"; echo "dir $(pwd)"; echo more >&4; exec 4>&-; wait
        echo "sum $(echo "$big" | awk '{ s += $1 } END { print s }')"
        [ $i -gt 0 ] && echo counted; exit 7`);
      await t.until("up");
      await taken(t);
      await restored(t);
      await t.must("kill", t.id, "USR1");
      await t.until("got-usr1");
      await Deno.writeTextFile(`${t.bundle.root}/go`, "");
      assertEquals(await t.reap(), 7, t.text("err"));
      const lines = [
        "text kept",
        "dir /tmp",
        "child more",
        "child-end",
        "sum 200010000",
        "counted",
      ];
      for (const line of lines) assert(t.text("out").includes(line), `${line}: ${t.text("out")}`);
    },
  },
  {
    name: "clients of exec get the status of a kill, and its processes are gone",
    notRunc: NOT_RUNC,
    async run(t) {
      await t.running("echo up; while :; do sleep 0.05; done");
      await t.until("up");
      const client = t.call("exec", t.id, "sh", "-c", "echo exec-up > /exec; sleep 1000");
      const isUp = () => textOf(`${t.bundle.root}/exec`) === "exec-up\n";
      assert(await eventually(isUp, SOON_MS));
      await taken(t);
      assertEquals((await client).code, KILLED);
      await restored(t);
      // The first process, perhaps with its child.
      const [, ...processes] = (await t.must("ps", t.id)).trim().split("\n");
      assert(processes.length <= 2, processes.join("\n"));
      assertEquals((await t.must("exec", t.id, "cat", "/exec")).trim(), "exec-up");
    },
  },
  {
    name: "a paused container can be saved, and runs when it is restored",
    notRunc: NOT_RUNC,
    async run(t) {
      await t.running(COUNT);
      await counts(t, 3);
      await t.must("pause", t.id);
      await taken(t);
      const before = numbers(t).length;
      await restored(t);
      assertEquals(await t.status(), "running");
      await counts(t, before + 3);
      assertEquals(numbers(t), numbers(t).map((_, i) => i + 1));
    },
  },
  {
    name: "a terminal is that of the new start",
    notRunc: NOT_RUNC,
    run: (t) =>
      withConsole(t, async (socket) => {
        t.config.process["terminal"] = true;
        t.config.process["consoleSize"] = { height: 20, width: 50 };
        await t.script("echo ready; while read a; do echo got-$a; stty size; done; exit 3")
          .created("--console-socket", socket.path);
        const first = socket.master();
        await t.must("start", t.id);
        await first.until(/ready/);
        first.type("one\n");
        await first.until(/got-one\r\n20 50\r\n/);
        await taken(t);
        assert(await first.hasEnded());
        first.close();
        t.config.process["consoleSize"] = { height: 33, width: 77 };
        await restored(t, "--console-socket", socket.path);
        const second = socket.master();
        second.type("two\n");
        await second.until(/got-two\r\n33 77\r\n/);
        second.resize(40, 99);
        // The size comes by the proxy, and may come behind what is typed.
        for (let i = 0; !second.shows(/\r\n40 99\r\n/); i++) {
          assert(i < 1000);
          second.type(`again${i}\n`);
          await second.until(new RegExp(`got-again${i}\\r\\n\\d+ \\d+\\r\\n`));
        }
        second.type("\x04");
        assertEquals(await t.reap(), 3);
        return second;
      }),
  },
  {
    name: "a snapshot is not restored with a terminal that it lacks, or without the one it has",
    notRunc: NOT_RUNC,
    async run(t) {
      await t.running("while :; do sleep 0.05; done");
      await taken(t);
      t.config.process["terminal"] = true;
      const socket = new ConsoleSocket(t);
      try {
        const options = ["--console-socket", socket.path];
        await isRefused(t, /the process in the snapshot has no terminal/, ...options);
      } finally {
        socket.close();
      }
    },
  },
  {
    name: "open files that have changed are named, or accepted",
    notRunc: NOT_RUNC,
    async run(t) {
      await Deno.writeTextFile(`${t.bundle.root}/notes`, "first\nsecond\n");
      await t.running("exec 3</notes; echo up; while [ ! -e /go ]; do sleep 0.05; done; cat <&3");
      await t.until("up");
      await taken(t);
      await Deno.writeTextFile(`${t.bundle.root}/notes`, "another text\n");
      await isRefused(t, /files are not as they were .*\/notes \(/);
      await restored(t, "--changed-files", "accept");
      await Deno.writeTextFile(`${t.bundle.root}/go`, "");
      assertEquals(await t.reap(), 0);
      await t.until("another text");
    },
  },
  {
    name: "a file that is damaged or cut off is refused, and a container that was only created",
    notRunc: NOT_RUNC,
    async run(t) {
      await t.script("while :; do sleep 0.05; done").created();
      const early = await checkpoint(t);
      assert(early.code !== 0);
      assertMatch(early.stderr, /created state/);
      await t.must("start", t.id);
      await taken(t);
      const path = `${image(t)}/dvisor.dvsnap`, whole = await Deno.readFile(path);
      await Deno.writeFile(path, whole.subarray(0, whole.length - 1));
      await isRefused(t, /not whole/);
      const damaged = whole.slice();
      damaged[60]! ^= 1;
      await Deno.writeFile(path, damaged);
      await isRefused(t, /header is damaged/);
      damaged.set(whole);
      damaged[8192]! ^= 1;
      await Deno.writeFile(path, damaged);
      await isRefused(t, /is damaged/);
      await Deno.writeFile(path, whole);
      await restored(t);
      assertEquals(alive([t.pid]).length, 1);
    },
  },
  {
    name: "a full disk ends the checkpoint alone",
    notRunc: NOT_RUNC,
    skip: Deno.uid() === 0 ? null : "only root may mount a small file system",
    async run(t) {
      const small = t.file("small");
      await Deno.mkdir(small);
      assert(t.bundle.mount(small, "tmpfs", "size=128k"));
      await t.running(COUNT);
      await counts(t, 3);
      const result = await t.call("checkpoint", "--image-path", `${small}/image`, t.id);
      assert(result.code !== 0, describe(result));
      assertMatch(result.stderr, /the snapshot file cannot be written: no space left on device/i);
      assertEquals([...Deno.readDirSync(small)].length, 0);
      await counts(t, numbers(t).length + 3);
      await taken(t);
      await restored(t);
      await counts(t, numbers(t).length + 3);
    },
  },
  {
    name: "the sandbox stands still until the client takes it, and goes on without its client",
    notRunc: NOT_RUNC,
    async run(t) {
      await t.running(COUNT);
      await counts(t, 3);
      const { dir } = new StateStore(t.root).load(t.id);
      const file = memfdCreate("checkpoint-test", MFD_CLOEXEC), pair = pipe(O_CLOEXEC);
      assert(typeof pair !== "number");
      const { bytes } = ask(dir, {
        op: "checkpoint",
        id: t.id,
        leaveRunning: false,
        compression: 0,
        sockets: "refuse",
      }, [file, pair[0]]);
      assert(bytes > 0);
      const before = numbers(t).length;
      // A sandbox that ran would print some.
      await new Promise((resolve) => setTimeout(resolve, 200));
      assertEquals(numbers(t).length, before);
      for (const fd of [file, ...pair]) close(fd);
      await counts(t, before + 3);
      assertEquals(numbers(t), numbers(t).map((_, i) => i + 1));
      await taken(t);
    },
  },
  {
    name: "a container is saved again after it was restored, with compression",
    notRunc: NOT_RUNC,
    async run(t) {
      await t.running(COUNT);
      for (let round = 0; round < 3; round++) {
        await counts(t, numbers(t).length + 3);
        const { pid } = t, result = await checkpoint(t, "--compression", "3");
        assertEquals(result.code, 0, describe(result));
        assertEquals(await t.reap(pid), KILLED);
        await restored(t);
      }
      await counts(t, numbers(t).length + 3);
      assertEquals(numbers(t), numbers(t).map((_, i) => i + 1));
    },
  },
];
