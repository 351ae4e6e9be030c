/** Cases about deadlines and limits: whatever a program does, it ends in time, whole. */

import assert from "node:assert/strict";
import { AREA, type Case, failure, inSandbox, processes, until, withSandbox } from "../support.ts";

/** More than enough for a deadline, and less than any program of these cases sleeps. */
const FAR_MS = 100_000;

/** Runs a script of the shell that would take for ever with a deadline. */
function endsAtDeadline(name: string, script: string, needs: readonly string[] = []): Case {
  return inSandbox(`deadline: ${name}`, async (box) => {
    const result = await box.exec(["sh", "-c", script], {
      timeoutMs: 500,
      maxOutputBytes: 1 << 30,
    });
    const { code, signal, reason, durationMs } = result;
    assert.deepEqual([code, signal, reason], [null, "SIGKILL", "timeout"]);
    assert(durationMs < FAR_MS, String(durationMs));
    const left = (await processes(box)).filter((name) => /sleep|yes/.test(name));
    assert.deepEqual(left, []);
  }, { needs });
}

export const limitCases: readonly Case[] = [
  endsAtDeadline("a shell with a child", "sleep 1010; true"),
  endsAtDeadline("children in the background", "sleep 1010 & sleep 1010 & wait"),
  endsAtDeadline(
    "children of other sessions",
    "setsid sleep 1010 & (setsid sleep 1010 &); sleep 1010",
    [
      "setsid",
    ],
  ),
  endsAtDeadline("a child with closed streams", "(exec <&- >&- 2>&-; sleep 1010) & sleep 1010"),
  endsAtDeadline("endless output", "yes"),
  endsAtDeadline(
    "ignored signals",
    "trap '' TERM INT HUP QUIT ALRM PIPE; while :; do sleep 9; done",
  ),
  endsAtDeadline("a busy loop", "while :; do :; done"),
  endsAtDeadline("a stopped program", "kill -STOP $$"),

  inSandbox("deadline: what a program leaves behind ends with it", async (box) => {
    const result = await box.exec(["sh", "-c", "sleep 1011 & echo started"], { timeoutMs: FAR_MS });
    assert.deepEqual([result.code, result.reason, result.text], [0, "exit", "started\n"]);
    assert(result.durationMs < FAR_MS);
    assert(!(await processes(box)).includes("sleep"));
  }),

  inSandbox("deadline: detached, it goes on, until the sandbox ends", async (box) => {
    const result = await box.exec(["sh", "-c", "sleep 1012 & echo started"], { detached: true });
    assert.deepEqual([result.code, result.reason, result.text], [0, "exit", "started\n"]);
    assert((await processes(box)).includes("sleep"));
  }),

  inSandbox("deadline: one that finds the program ended changes nothing", async (box) => {
    const { code, reason } = await box.exec(["sh", "-c", "exit 6"], { timeoutMs: FAR_MS });
    assert.deepEqual([code, reason], [6, "exit"]);
  }),

  inSandbox("limits: a program that writes for ever is stopped", async (box) => {
    const result = await box.exec(["sh", "-c", "yes >&2 & yes"], { maxOutputBytes: 100_000 });
    assert.deepEqual([result.signal, result.reason], ["SIGKILL", "output"]);
    const length = result.stdout.length + result.stderr.length;
    assert(length <= 100_000 && length > 0, String(length));
    assert(!(await processes(box)).includes("yes"));
  }),

  inSandbox("limits: what needs too much memory is killed, and says so", async (box) => {
    const script = "head -c 300000000 /dev/zero | tail -c 299999999 | wc -c";
    const limits = { memoryBytes: 64 << 20 }, events = box.events();
    const result = await box.exec(["sh", "-c", script], { limits });
    assert.equal(result.reason, "oom", JSON.stringify(result));
    for await (const event of events) {
      if (event.kind !== "oom") continue;
      assert.equal(event.command, "tail");
      break;
    }
    assert.equal((await box.exec(["echo", "alive"])).text, "alive\n");
  }),

  inSandbox("limits: the memory of a sandbox", async (box) => {
    const script = "head -c 300000000 /dev/zero | tail -c 299999999";
    const result = await box.exec(["sh", "-c", `exec ${script}`]);
    assert(result.stdout.length < 299_999_999);
    assert.equal((await box.exec(["echo", "alive"])).text, "alive\n");
    assert.equal((await box.stats()).memoryLimitBytes, 128 << 20);
  }, { create: { memoryBytes: 128 << 20 } }),

  inSandbox("limits: processes of a program", async (box) => {
    const script = "i=0; while [ $i -lt 30 ]; do sleep 1013 & i=$((i+1)); done; echo all";
    const result = await box.exec(["sh", "-c", script], { limits: { pids: 10 } });
    assert(
      result.code !== 0 || !result.text.includes("all") || result.errorText !== "",
      result.text,
    );
    const free = await box.exec(["sh", "-c", script]);
    assert.deepEqual([free.code, free.text], [0, "all\n"]);
  }),

  inSandbox("limits: a fork bomb meets the processes of the sandbox", async (box) => {
    const bomb = "f() { f | f & }; f; sleep 1014";
    const result = await box.exec(["sh", "-c", bomb], { timeoutMs: 1000 });
    assert(result.durationMs < FAR_MS);
    await until("the bomb is gone", async () => (await box.stats()).processes <= 2);
    assert.equal((await box.exec(["echo", "alive"])).text, "alive\n");
  }, { create: { pids: 100 } }),

  inSandbox("limits: the disk of a sandbox", async (box, library) => {
    const filled = await box.exec(["sh", "-c", `head -c 30000000 /dev/zero > ${AREA}/big`]);
    assert.notEqual(filled.code, 0);
    await box.fs.remove(`${AREA}/big`);
    const error = await failure(
      library.LimitError,
      box.fs.writeFile(`${AREA}/big`, new Uint8Array(30_000_000)),
    );
    assert.equal(error.errno, "ENOSPC");
    await box.fs.remove(`${AREA}/big`);
    await box.fs.writeFile(`${AREA}/small`, "fits");
  }, { create: { diskBytes: 8 << 20 } }),

  inSandbox("limits: fractions of a processor", async (box) => {
    const options = { timeoutMs: 1000, limits: { cpus: 0.1 } };
    const { reason, cpuMs, durationMs } = await box.exec(
      ["sh", "-c", "while :; do :; done"],
      options,
    );
    assert.equal(reason, "timeout");
    assert(cpuMs < durationMs / 2, `${cpuMs} of ${durationMs}`);
  }, { create: { cpus: 1.5 } }),

  inSandbox("limits: processor time of a tree", async (box, library) => {
    const script = "(while :; do :; done) & while :; do :; done";
    const limits = { cpuMs: 300 };
    const result = await box.exec(["sh", "-c", script], { limits, timeoutMs: FAR_MS });
    assert.deepEqual([result.code, result.signal, result.reason], [null, "SIGKILL", "cpu"]);
    assert(result.cpuMs >= 300, String(result.cpuMs));
    const idle = await box.exec(["sleep", "0.5"], { limits });
    assert.equal(idle.reason, "exit");
    const wrong = box.exec(["true"], { limits: { cpuMs: 0 } });
    await failure(library.InvalidArgumentError, wrong);
  }),

  {
    name: "lifetime: a sandbox ends at its time limit, with what runs in it",
    run: (library, options) =>
      withSandbox(library, { ...options.create, timeoutMs: 1500 }, async (box) => {
        assert(box.info.deadlineMs !== null);
        const open = box.exec(["sleep", "1015"]);
        await failure(library.SandboxGoneError, open);
        await failure(library.SandboxGoneError, box.exec(["true"]));
      }),
  },

  inSandbox("lifetime: a time limit that is extended, and taken back", async (box) => {
    const before = box.info.deadlineMs ?? 0;
    await box.extend(FAR_MS * 2);
    assert((box.info.deadlineMs ?? 0) > before);
    await box.extend(null);
    assert.equal(box.info.deadlineMs, null);
    assert.equal((await box.exec(["true"])).code, 0);
  }, { create: { timeoutMs: FAR_MS } }),

  {
    name: "lifetime: an idle sandbox ends, and a busy one does not",
    run: (library, options) =>
      withSandbox(library, { ...options.create, idleMs: 2000 }, async (box) => {
        const busy = await box.exec(["sleep", "3"]);
        assert.equal(busy.code, 0);
        await until(
          "the sandbox ends",
          () =>
            new Promise((done) => setTimeout(done, 3500)).then(() =>
              box.stats().then(() => false, (error) => error instanceof library.SandboxGoneError)
            ),
        );
      }),
  },
];
