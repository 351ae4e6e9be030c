/** Cases with guests that attack the sandbox's control: it answers, and ends them in time. */

import assert from "node:assert/strict";
import { AREA, type Case, inSandbox, processes, readTo, ROOT_USER, until } from "../support.ts";

export const hostileCases: readonly Case[] = [
  inSandbox("hostile: no file and no program of the library is in the sandbox", async (box) => {
    const { text } = await box.exec(["sh", "-c", "ls -A /; ls /proc/self/fd; cat /proc/mounts"]);
    assert(!/agent|\.sock|session/.test(text), text);
    const fds = await box.exec(["sh", "-c", "for f in /proc/self/fd/*; do echo ${f##*/}; done"]);
    const known = fds.text.trim().split("\n").filter((fd) => Number(fd) > 2 && Number(fd) !== 255);
    assert(known.length <= 1, fds.text);
  }),

  inSandbox("hostile: kill(-1) by root ends programs, not the sandbox", async (box) => {
    const other = await box.spawn(["sleep", "1030"]);
    await box.exec(["sh", "-c", "trap '' TERM; kill -TERM -1; kill -KILL -1"]);
    assert.equal((await other.status).code, null);
    assert.equal((await box.exec(["echo", "alive"])).text, "alive\n");
  }),

  inSandbox("hostile: process 1 cannot be ended or stopped", async (box) => {
    await box.exec(["sh", "-c", "for s in KILL STOP TERM SEGV; do kill -$s 1; done"]);
    assert.equal((await box.exec(["echo", "alive"])).text, "alive\n");
  }),

  inSandbox("hostile: an output flood beside other programs", async (box) => {
    const floods = await Promise.all(
      Array.from({ length: 4 }, () => box.spawn(["sh", "-c", "yes & yes >&2"])),
    );
    for (let i = 0; i < 10; i++) {
      assert.equal((await box.exec(["echo", `${i}`])).text, `${i}\n`);
    }
    for (const flood of floods) flood.kill();
    for (const flood of floods) assert.equal((await flood.status).reason, "killed");
    assert(!(await processes(box)).includes("yes"));
  }),

  inSandbox("hostile: a fork bomb in other sessions ends at its deadline", async (box) => {
    const bomb = "b() { setsid sh -c 'sleep 1031' & b; }; b";
    const result = await box.exec(["sh", "-c", bomb], { timeoutMs: 1500 });
    assert(["timeout", "exit", "signal"].includes(result.reason), result.reason);
    await until("the bomb is gone", async () => !(await processes(box)).includes("sleep"));
  }, { needs: ["setsid"], create: { pids: 300 } }),

  inSandbox("hostile: what is left of a program cannot write to a later one", async (box) => {
    const script = "(sleep 0.2; while :; do echo late; done) & echo first";
    const first = await box.exec(["sh", "-c", script], { detached: true });
    assert.equal(first.text, "first\n");
    await new Promise((done) => setTimeout(done, 400));
    assert.equal((await box.exec(["echo", "second"])).text, "second\n");
  }),

  inSandbox("hostile: files and programs are gone, the sandbox is not", async (box) => {
    await box.exec(["sh", "-c", "rm -rf /tmp /etc /usr/share 2>/dev/null"], {
      timeoutMs: 60_000,
      user: ROOT_USER,
    });
    await box.fs.mkdir(AREA, { recursive: true, mode: 0o1777, user: ROOT_USER });
    await box.fs.writeFile(`${AREA}/f`, "text");
    assert.equal(await box.fs.readTextFile(`${AREA}/f`), "text");
    assert.equal((await box.exec(["cat", `${AREA}/f`], { cwd: "/" })).text, "text");
  }),

  inSandbox("hostile: a terminal whose program writes and reads at will", async (box) => {
    const program = await box.spawn(["sh", "-c", "stty raw -echo; yes"], {
      pty: { cols: 80, rows: 24 },
    });
    await readTo(program.stdout.getReader(), "y\ny\n");
    assert.equal((await box.exec(["echo", "alive"])).text, "alive\n");
    program.kill();
    assert.equal((await program.status).reason, "killed");
  }),

  inSandbox("hostile: hundreds of programs, one after the other and at once", async (box) => {
    for (let round = 0; round < 5; round++) {
      const results = await Promise.all(
        Array.from({ length: 40 }, () => box.exec(["sh", "-c", "exit 7"])),
      );
      assert(results.every(({ code }) => code === 7));
    }
    const { processes: left, programs } = await box.stats();
    assert(left <= 2 && programs === 0, JSON.stringify({ left, programs }));
  }),
];
